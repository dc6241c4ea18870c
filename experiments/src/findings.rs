//! What a run's folder says of the run: what its event file and its page are made of.

use crate::{
    arsenal,
    audit::Audit,
    files,
    pictures::{self, Picture},
    run::{Checkpoint, Record, Run},
    verdicts::{Outcome, Verdicts},
};
use anyhow::{Context, Result};
use attacks::AutoAttack;
use frameworks::Epoch;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A line of `epochs.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of `frameworks::Epoch`, which documents them")]
pub struct EpochLine {
    pub epoch: usize,
    pub lr: f64,
    pub loss: f64,
    pub held_out_clean_percent: f64,
    /// Under the attack that chooses the epoch; of the undefended control, without one.
    pub held_out_robust_percent: f64,
    pub best: bool,
}

impl From<Epoch> for EpochLine {
    fn from(Epoch { epoch, lr, loss, clean_percent, robust_percent, best }: Epoch) -> Self {
        Self { epoch, lr, loss, held_out_clean_percent: clean_percent, held_out_robust_percent: robust_percent, best }
    }
}

/// A line of `timings.csv`: what of an epoch is different each time it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Counted from 1.
    pub epoch: usize,
    /// When it ended, in seconds since 1970.
    pub ended: f64,
    /// Images trained on per second of it.
    pub images_per_second: f64,
}

/// What an attack has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Which weights.
    pub checkpoint: Checkpoint,
    /// The attack, and which test images stand.
    pub outcome: Outcome,
}

/// What is known of a run.
#[derive(Clone, Debug)]
pub struct Findings {
    /// `run.json`.
    pub record: Record,
    /// `epochs.csv`.
    pub epochs: Vec<EpochLine>,
    /// `timings.csv`.
    pub timings: Vec<Timing>,
    /// From `evaluations.csv`: attacks in the run's own ball.
    pub scores: Vec<Score>,
    /// The audits.
    pub audits: Vec<(Checkpoint, Audit)>,
    /// What was drawn of it.
    pub pictures: Vec<Picture>,
}

impl Findings {
    /// Reads the folder of `run`.
    ///
    /// # Errors
    /// When there is no record, or a file is broken.
    pub fn of(run: &Run) -> Result<Self> {
        let folder = run.folder();
        let record = run.record().with_context(|| format!("{}: no run", folder.display()))?;
        let epochs = folder.join("epochs.csv");
        let epochs = if epochs.is_file() { files::read_csv(&epochs)? } else { Vec::new() };
        let verdicts = run.verdicts()?;
        let (mut scores, mut audits) = (Vec::new(), Vec::new());
        for checkpoint in Checkpoint::ALL {
            scores.extend(outcomes(run, checkpoint, &verdicts).map(|outcome| Score { checkpoint, outcome }));
            audits.extend(Audit::read(&run.audit(checkpoint))?.map(|audit| (checkpoint, audit)));
        }
        Ok(Self { record, epochs, timings: timings(folder)?, scores, audits, pictures: pictures::read(folder)? })
    }

    /// The epoch that `checkpoint` is of; 0 before the first.
    pub fn epoch_of(&self, checkpoint: Checkpoint) -> usize {
        let counted = |line: &&EpochLine| line.best || checkpoint == Checkpoint::Last;
        self.epochs.iter().rfind(counted).map_or(0, |line| line.epoch)
    }
}

/// Notes that an epoch has ended now.
///
/// # Errors
/// When `timings.csv` is broken or cannot be written.
pub fn note(folder: &Path, timing: Timing) -> Result<()> {
    let mut all = timings(folder)?;
    // An interrupted run may train an epoch twice: the second time counts.
    all.retain(|known| known.epoch < timing.epoch);
    all.push(timing);
    files::write_csv(&timings_file(folder), &all)
}

/// Where a run's times are kept.
pub fn timings_file(folder: &Path) -> PathBuf {
    folder.join("timings.csv")
}

/// What `timings.csv` says, if it is there.
pub(crate) fn timings(folder: &Path) -> Result<Vec<Timing>> {
    let path = timings_file(folder);
    if path.is_file() { files::read_csv(&path) } else { Ok(Vec::new()) }
}

/// Every attack whose outcome is known, in the order they were made; those of several stages last. Other networks'
/// adversarial examples are nobody's own attack.
pub(crate) fn outcomes(run: &Run, checkpoint: Checkpoint, verdicts: &Verdicts) -> impl Iterator<Item = Outcome> {
    let place = run.place(checkpoint);
    let names = verdicts.attacks(&place).into_iter().chain(AutoAttack::NAMES).chain(["adaptive"]);
    let names: Vec<String> = names.map(String::from).collect();
    let known = |name: String| Some((arsenal::stages(&name, None).ok()?, name));
    let attacks: Vec<(Vec<String>, String)> = names.into_iter().filter_map(known).collect();
    attacks.into_iter().filter_map(move |(stages, attack)| verdicts.outcome_at_most(&place, &attack, &stages, 0))
}
