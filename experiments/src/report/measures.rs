//! Measurements that are not accuracies: what tables and figures that count something else store.

use super::cells::keep_gone;
use crate::{files, run::RECORD};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, path::Path};

/// One line of `measures.csv`: one number of one run. The fields are its columns, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The table or figure, `table4`.
    pub source: String,
    /// How the network was trained: `pgd-at`, `trades`, ...
    pub framework: String,
    /// What was added: `none`, `i2fr`, a variant of it in words, `longer`.
    pub regularizer: String,
    /// The data set, `cifar10`.
    pub dataset: String,
    /// The network, `resnet18`.
    pub arch: String,
    /// The norm of the threat model: `linf` or `l2`.
    pub norm: String,
    /// Its radius as it was given, `8/255`.
    pub epsilon: String,
    /// What was measured of the run: `clean`, `adv`, `plain`, `i2fr`, ...
    pub subject: String,
    /// `vendi-score`, `fisher-ratio`, ...; a name that ends in `-percent` is between -100 and 100: a rise may be a fall.
    pub measure: String,
    /// Which weights of the run: `best` or `last`.
    pub checkpoint: String,
    /// The run's seed.
    pub seed: u64,
    /// The number of test images.
    pub examples: usize,
    /// The measurement; finite.
    pub value: f64,
    /// The identifier of the run.
    pub run: String,
    /// The profile of the run, with what was changed of it: `mnist --epochs 5`.
    pub profile: String,
    /// What the measurement took.
    pub seconds: f64,
}

/// Names of the fields of [`Measure`], so that a file without lines has its header too.
const COLUMNS: [&str; 16] = [
    "source",
    "framework",
    "regularizer",
    "dataset",
    "arch",
    "norm",
    "epsilon",
    "subject",
    "measure",
    "checkpoint",
    "seed",
    "examples",
    "value",
    "run",
    "profile",
    "seconds",
];

impl Measure {
    /// Says which measurement it is, if it is not a number that could have been measured.
    fn check(&self) -> Result<()> {
        let possible = self.value.is_finite()
            && (!self.measure.ends_with("-percent") || (-100.0..=100.0).contains(&self.value))
            && self.seconds >= 0.;
        ensure!(
            possible,
            "{}: {} of {} ({} + {}, seed {}, run {}) is {} after {} s, which cannot be; delete that line and measure again",
            self.source,
            self.measure,
            self.subject,
            self.framework,
            self.regularizer,
            self.seed,
            self.run,
            self.value,
            self.seconds
        );
        Ok(())
    }
}

/// Replaces the file at `path` by `measures`.
///
/// # Errors
///
/// If a value is not finite or no percentage where its name says so, or the file cannot be read or written.
pub fn write_measures(path: &Path, measures: &[Measure]) -> Result<()> {
    let old: Vec<Measure> = files::replaced_csv(path)?;
    let is = |of: &Measure| [&of.run, &of.subject, &of.measure, &of.checkpoint].map(String::clone);
    let new: BTreeSet<_> = measures.iter().map(is).collect();
    keep_gone(path, &old, |measure| !new.contains(&is(measure)), |measure| (&measure.run, RECORD))?;
    measures.iter().try_for_each(Measure::check)?;
    files::write(path, files::csv_under(&COLUMNS, measures)?.as_bytes())
}

/// Reads a `measures.csv` back.
///
/// # Errors
///
/// If the file cannot be read, does not have the columns of [`Measure`], or holds an impossible value.
pub fn read_measures(path: &Path) -> Result<Vec<Measure>> {
    let measures: Vec<Measure> = files::read_csv(path)?;
    measures.iter().try_for_each(Measure::check).with_context(|| format!("in {}", path.display()))?;
    Ok(measures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(measure: &str, value: f64) -> Measure {
        Measure {
            source: "table4".into(),
            framework: "trades".into(),
            regularizer: "none".into(),
            dataset: "cifar10".into(),
            arch: "resnet8".into(),
            norm: "linf".into(),
            epsilon: "8/255".into(),
            subject: "plain".into(),
            measure: measure.into(),
            checkpoint: "best".into(),
            seed: 3,
            examples: 200,
            value,
            run: "0123abcd".into(),
            profile: "cpu".into(),
            seconds: 0.5,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table4/measures.csv");
        let measures =
            [measure("vendi-score", 12.5), measure("loss-raised", -3.0), measure("error-raised-percent", 0.1)];
        write_measures(&path, &measures).unwrap();
        assert_eq!(read_measures(&path).unwrap(), measures);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(
            "source,framework,regularizer,dataset,arch,norm,epsilon,subject,measure,checkpoint,seed,examples,value,run,\
             profile,seconds\ntable4,trades,none,cifar10,resnet8,linf,8/255,plain,vendi-score,best,3,200,12.5,0123abcd,\
             cpu,0.5\n"
        ));
        write_measures(&path, &[]).unwrap();
        assert!(read_measures(&path).unwrap().is_empty());
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn what_cannot_have_been_measured_is_refused_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("measures.csv");
        for (name, value) in [("silhouette", f64::NAN), ("loss-raised", f64::INFINITY), ("error-raised-percent", 100.1)]
        {
            let text = format!("{:#}", write_measures(&path, &[measure(name, value)]).unwrap_err());
            assert!(text.starts_with(&format!("table4: {name} of plain (trades + none, seed 3")), "{text}");
            assert!(!path.exists());
        }
        write_measures(&path, &[measure("silhouette", 0.25)]).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        for (bad, said) in [
            (good.replace(",0.25,", ",NaN,"), "cannot be"),
            (good.replace(",0.25,", ",,"), "cannot parse float"),
            (good.replace(",seconds", ",minutes"), "seconds"),
        ] {
            std::fs::write(&path, bad).unwrap();
            let text = format!("{:#}", read_measures(&path).unwrap_err());
            assert!(text.contains(said) && text.contains("measures.csv"), "{said}: {text}");
        }
    }
}
