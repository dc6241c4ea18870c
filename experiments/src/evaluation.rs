//! Attacking a trained run, and remembering what came of it, example by example.

use crate::{
    files,
    interrupt::{self, Interrupted},
    progress::Progress,
    run::{Checkpoint, Run},
};
use anyhow::{Context, Result};
use attacks::{Correct, Evaluation, Probe};
use candle::Device;
use data::{Dataset, Splits};
use models::{Model, Net};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Instant};

/// Images in one forward pass of an evaluation.
const BATCH: usize = 250;

/// The column and attack that means no attack.
pub const CLEAN: &str = "clean";

/// One attack on one checkpoint; a line of `evaluations.csv` in a run's folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// `best` or `last`.
    pub checkpoint: String,
    /// `clean`, `fgsm`, `pgd-20`, ...
    pub attack: String,
    /// Threat model: norm.
    pub norm: String,
    /// Threat model: radius as given.
    pub epsilon: String,
    /// The first so many test images.
    pub examples: usize,
    /// What it took.
    pub seconds: f64,
    /// A 1 for every example still classified correctly, else a 0, in order.
    pub correct: String,
}

impl Outcome {
    /// What `measure` returned for `attack` within `[norm, epsilon]` on `checkpoint`.
    pub fn new(checkpoint: &str, attack: &str, [norm, epsilon]: [&str; 2], (correct, seconds): (Correct, f64)) -> Self {
        Self {
            checkpoint: checkpoint.into(),
            attack: attack.into(),
            norm: norm.into(),
            epsilon: epsilon.into(),
            examples: correct.len(),
            seconds,
            correct: correct.iter().map(|hit| if *hit { '1' } else { '0' }).collect(),
        }
    }

    /// Share of examples still classified correctly, in percent.
    pub fn percent(&self) -> f64 {
        100. * self.correct.matches('1').count() as f64 / self.correct.len().max(1) as f64
    }

    /// Example by example.
    pub fn flags(&self) -> Correct {
        self.correct.bytes().map(|flag| flag == b'1').collect()
    }
}

/// Measures `model` on clean (`probe` is `None`) or attacked images; `before` marks the examples that
/// are worth attacking. Returns the flags and the seconds it took.
///
/// # Errors
/// When the network fails, an attack breaks its threat model, or the user interrupts.
pub fn measure(
    model: &dyn Model,
    data: &Dataset,
    probe: Option<&Probe>,
    before: &[bool],
    seed: u64,
    device: &Device,
    title: &str,
) -> Result<(Correct, f64)> {
    let began = Instant::now();
    let what = probe.map_or(CLEAN, |probe| &probe.name);
    let mut progress = Progress::new(format!("{title}: {what}"), data.len());
    let mut tell = |done| {
        progress.at(done, String::new);
        interrupt::check()
    };
    let evaluation = Evaluation { model, data, batch: BATCH, device };
    let correct = match probe {
        None => evaluation.clean(&mut tell)?,
        Some(probe) => evaluation.robust(probe, before, seed, &mut tell)?,
    };
    Ok((correct.ok_or(Interrupted)?, began.elapsed().as_secs_f64()))
}

/// The stored evaluations of a run.
pub struct Evaluations<'a> {
    run: &'a Run,
    stored: Vec<Outcome>,
}

impl<'a> Evaluations<'a> {
    /// Reads what is there.
    ///
    /// # Errors
    /// When `evaluations.csv` is there but broken.
    pub fn of(run: &'a Run) -> Result<Self> {
        let path = run.folder().join("evaluations.csv");
        let broken = || format!("{}: not evaluations of this run; delete it to evaluate again", path.display());
        let stored: Vec<Outcome> =
            if path.is_file() { files::read_csv(&path).with_context(broken)? } else { Vec::new() };
        let whole = |o: &Outcome| o.correct.len() == o.examples && o.correct.bytes().all(|b| matches!(b, b'0' | b'1'));
        if let Some(o) = stored.iter().find(|o| !whole(o)) {
            anyhow::bail!("{}: {} does not have a 0 or 1 for each of {} examples", broken(), o.attack, o.examples)
        }
        Ok(Self { run, stored })
    }

    /// The outcome of `attack` on the first `examples` test images, if it is known.
    pub fn get(&self, checkpoint: Checkpoint, attack: &str, examples: usize) -> Option<&Outcome> {
        let config = self.run.config();
        self.stored.iter().find(|o| {
            o.checkpoint == checkpoint.name()
                && o.attack == attack
                && o.examples == examples
                && (attack == CLEAN || (o.norm == config.norm && o.epsilon == config.epsilon))
        })
    }

    /// The outcome of `attack` on the most test images, but at most `wanted` of them (0: any number).
    pub fn get_at_most(&self, checkpoint: Checkpoint, attack: &str, wanted: usize) -> Option<&Outcome> {
        let fits = |o: &&Outcome| {
            o.checkpoint == checkpoint.name() && o.attack == attack && (wanted == 0 || o.examples <= wanted)
        };
        let most = self.stored.iter().filter(fits).map(|o| o.examples).max()?;
        self.get(checkpoint, attack, most)
    }

    /// Measures what is not known yet of `attacks` (which need not name `clean`) and stores each
    /// outcome as soon as it is there.
    ///
    /// # Errors
    /// When a network, an attack or a file fails, or the user interrupts.
    pub fn complete(
        &mut self,
        checkpoint: Checkpoint,
        attacks: &[&str],
        examples: usize,
        data: &Splits,
        device: &Device,
    ) -> Result<()> {
        let missing = |attack: &&str| self.get(checkpoint, attack, examples).is_none();
        let wanted: Vec<&str> =
            [CLEAN].into_iter().chain(attacks.iter().copied().filter(|a| *a != CLEAN)).filter(missing).collect();
        let test = data.test.first(examples);
        if !wanted.is_empty() {
            let net = self.run.net(checkpoint, data, device)?;
            for attack in wanted {
                let outcome = self.attack(&net, checkpoint, attack, &test, device)?;
                tracing::info!("{}: {attack} {:.2} % ({:.1} s)", self.run.name(), outcome.percent(), outcome.seconds);
                self.stored.push(outcome);
                files::write_csv(&self.run.folder().join("evaluations.csv"), &self.stored)?;
            }
        }
        let config = self.run.config();
        let of_checkpoint: Vec<&Outcome> = self
            .stored
            .iter()
            .filter(|o| o.checkpoint == checkpoint.name() && o.examples == examples && o.epsilon == config.epsilon)
            .collect();
        write_examples(&self.run.folder().join("examples.csv"), &test, &of_checkpoint)
    }

    fn attack(
        &self,
        net: &Net,
        checkpoint: Checkpoint,
        attack: &str,
        test: &Dataset,
        device: &Device,
    ) -> Result<Outcome> {
        let config = self.run.config();
        let probe = if attack == CLEAN { None } else { Some(Probe::named(attack, config.ball()?)?) };
        let before = self.get(checkpoint, CLEAN, test.len()).map(Outcome::flags).unwrap_or_default();
        let measured = measure(&net.frozen(), test, probe.as_ref(), &before, config.seed, device, &self.run.name())?;
        Ok(Outcome::new(checkpoint.name(), attack, [&config.norm, &config.epsilon], measured))
    }
}

/// Writes one line an example: index, label, whether it was right when clean, then one 0/1 column
/// an attack (1 = still correct).
///
/// # Errors
/// When the folder cannot be written.
pub fn write_examples(path: &Path, data: &Dataset, outcomes: &[&Outcome]) -> Result<()> {
    let clean = outcomes.iter().find(|o| o.attack == CLEAN).context("examples need a clean evaluation")?;
    let attacked: Vec<&&Outcome> = outcomes.iter().filter(|o| o.attack != CLEAN).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_field("index")?;
    writer.write_field("label")?;
    writer.write_field("clean_correct")?;
    writer.write_record(attacked.iter().map(|o| o.attack.as_str()))?;
    for i in 0..data.len() {
        writer.write_field(data.index(i).to_string())?;
        writer.write_field(data.label(i).to_string())?;
        writer.write_field(&clean.correct[i..=i])?;
        writer.write_record(attacked.iter().map(|o| &o.correct[i..=i]))?;
    }
    files::write(path, &writer.into_inner().context("a table in memory has no end of space")?)
}
