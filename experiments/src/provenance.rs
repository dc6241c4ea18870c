//! Where a result comes from.

use candle::Device;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// What `run.json` records beside the configuration. It never decides whether a run is reused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Commit the binary was built from.
    pub commit: String,
    /// Whether the checkout had changes when it was built.
    pub dirty: bool,
    /// SHA-256 of `Cargo.lock`.
    pub cargo_lock_sha256: String,
    /// SHA-256 of the training set's pixels and labels.
    pub train_sha256: String,
    /// SHA-256 of the test set's pixels and labels.
    pub test_sha256: String,
    /// Instruction set of the operators.
    pub isa: String,
    /// The GPU; empty on the processor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gpu: String,
    /// Threads.
    pub threads: usize,
    /// What else trained, before it was interrupted; first to last, each once in a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Program>,
    /// Seconds spent in training, over all resumptions.
    pub train_seconds: f64,
    /// Images trained on per second of it.
    pub images_per_second: f64,
    /// Largest resident memory of the process, bytes; 0 where the system does not tell.
    pub peak_rss_bytes: u64,
}

impl Provenance {
    /// What is known before the work starts.
    ///
    /// # Errors
    /// When the device does not answer.
    pub fn now(data: &data::Splits, device: &Device) -> candle::Result<Self> {
        Ok(Self {
            commit: env!("I2FR_COMMIT").into(),
            dirty: env!("I2FR_DIRTY") == "true",
            cargo_lock_sha256: sha256(include_bytes!("../../Cargo.lock")),
            train_sha256: data.train.sha256(),
            test_sha256: data.test.sha256(),
            isa: format!("{:?}", kernels::isa()),
            gpu: kernels::gpu_name(device)?.unwrap_or_default(),
            threads: rayon::current_num_threads(),
            ..Self::default()
        })
    }

    /// What the last bits depend on: the GPU, or the processor's instruction set.
    pub fn chip(&self) -> &str {
        if self.gpu.is_empty() { &self.isa } else { &self.gpu }
    }

    /// Notes that training goes on from where that of `begun` was interrupted.
    pub(crate) fn goes_on_from(&mut self, begun: &Self) {
        self.earlier = begun.programs();
        if self.earlier.last() == Some(&self.program()) {
            self.earlier.pop();
        }
    }

    /// All that trained, first to last.
    pub(crate) fn programs(&self) -> Vec<Program> {
        self.earlier.iter().cloned().chain([self.program()]).collect()
    }

    fn program(&self) -> Program {
        let Self { commit, dirty, threads, .. } = self.clone();
        Program { commit, dirty, chip: self.chip().into(), threads }
    }
}

/// A program that trained, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of `Provenance`, which documents them")]
pub struct Program {
    pub commit: String,
    pub dirty: bool,
    pub chip: String,
    pub threads: usize,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, dirty, chip, threads } = self;
        let changes = if *dirty { " with changes that were not committed" } else { "" };
        write!(f, "commit {commit}{changes} on {chip}, {threads} threads")
    }
}

/// SHA-256 of `bytes` in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Largest resident memory of this process so far, bytes; 0 where the system does not tell.
pub fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_that_trained_is_named_once_in_a_row() {
        let by = |commit: &str| Provenance {
            commit: commit.into(),
            isa: "Avx2".into(),
            threads: 1,
            ..Provenance::default()
        };
        let mut last = by("a");
        for commit in ["a", "b", "b", "a"] {
            let begun = std::mem::replace(&mut last, by(commit));
            last.goes_on_from(&begun);
        }
        let commits = |provenance: &Provenance| provenance.programs().into_iter().map(|p| p.commit).collect::<String>();
        assert_eq!(commits(&last), "aba");
        assert_eq!(last.earlier[1].to_string(), "commit b on Avx2, 1 threads");
    }
}
