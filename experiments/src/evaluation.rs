//! Attacking a network, and remembering what came of it, example by example.

use crate::{
    arsenal::Arsenal,
    files,
    interrupt::{self, Interrupted},
    progress::Progress,
    report::caption::grouped,
    verdicts::{CLEAN, Outcome, Place, Verdicts},
};
use anyhow::{Context, Result};
use attacks::{Evaluation, Probe};
use candle::{Device, Tensor};
use data::Dataset;
use indicatif::HumanDuration;
use models::{Mode, Model, Output};
use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Images in one forward pass of an attack.
pub(crate) const BATCH: usize = 100;

/// The same once a batch took longer than [`PATIENCE`], so that little is lost when the process is killed;
/// fewer would be slower.
const SMALL_BATCH: usize = 32;
const PATIENCE: Duration = Duration::from_secs(20);

/// Verdicts reach the disk after every batch, but not more often than this: a batch of a small network
/// is attacked sooner than it is written. So a kill loses the batch under way and at most a second before it.
const SAVING: Duration = Duration::from_secs(1);

/// A network under evaluation, and where its verdicts are kept.
pub struct Examination<'a> {
    /// How it is called on screen.
    pub name: String,
    /// A frozen view of it.
    pub model: &'a dyn Model,
    /// All test images; the first so many are attacked.
    pub test: &'a Dataset,
    /// Which weights, and in which ball.
    pub place: Place,
    /// Seed of the attacks' random draws.
    pub seed: u64,
    /// Where images are attacked.
    pub device: &'a Device,
    /// The attacks it can name.
    pub arsenal: Arsenal<'a>,
    /// What is known.
    pub verdicts: Verdicts,
}

impl Examination<'_> {
    /// What `attack` (or [`CLEAN`]) comes to on the first `examples` test images. Asks only what is not
    /// known yet, and keeps each answer as soon as it is there.
    ///
    /// # Errors
    /// When the network, an attack or a file fails, the attack is unknown, or the user interrupts.
    pub fn outcome(&mut self, attack: &str, examples: usize) -> Result<Outcome> {
        self.outcome_within(self.place.clone(), attack, examples)
    }

    /// The same in another ball than the network's own.
    ///
    /// # Errors
    /// As [`Examination::outcome`].
    pub fn outcome_within(&mut self, place: Place, attack: &str, examples: usize) -> Result<Outcome> {
        let stages = self.arsenal.stages(attack)?;
        let mut before: Vec<String> = Vec::new();
        for stage in std::iter::once(CLEAN).chain(stages.iter().map(String::as_str)) {
            let unknown = self.verdicts.unknown(&place, &before, stage, examples);
            if !unknown.is_empty() {
                let shown =
                    if stages.len() < 2 || stage == CLEAN { stage.into() } else { format!("{attack}, {stage}") };
                let began = Instant::now();
                self.ask(&place, stage, &shown, &unknown)?;
                if stage != CLEAN {
                    let took = HumanDuration(Duration::from_secs(began.elapsed().as_secs()));
                    let broken = self.verdicts.broken(&place, stage, &unknown).len();
                    let (name, broken, asked) = (&self.name, grouped(broken), grouped(unknown.len()));
                    tracing::info!("{name}: {shown} breaks {broken} of {asked} images in {took}");
                }
            }
            if self.verdicts.complete(&place, stage, examples) || !unknown.is_empty() {
                self.verdicts.save()?;
            }
            if stage != CLEAN {
                before.push(stage.into());
            }
        }
        self.known(&place, attack, examples)?.with_context(|| format!("{attack} left examples without a verdict"))
    }

    /// What is known already of `attack`.
    ///
    /// # Errors
    /// When the attack is unknown.
    pub fn known(&self, place: &Place, attack: &str, examples: usize) -> Result<Option<Outcome>> {
        Ok(self.verdicts.outcome(place, attack, &self.arsenal.stages(attack)?, examples))
    }

    fn ask(&mut self, place: &Place, stage: &str, shown: &str, unknown: &[usize]) -> Result<()> {
        let probe = if stage == CLEAN { None } else { Some(self.arsenal.probe(stage, place, self.model)?) };
        let progress = Mutex::new(Progress::new(format!("{}: {shown}", self.name), unknown.len()));
        let model = Watched { model: self.model, progress: &progress };
        let evaluation = Evaluation { model: &model, data: self.test, batch: BATCH, device: self.device };
        let (mut saved, mut done, mut batch) = (Instant::now(), 0, BATCH);
        while done < unknown.len() {
            let positions = &unknown[done..(done + batch).min(unknown.len())];
            let began = Instant::now();
            let answer = verdicts(&evaluation, probe.as_ref(), positions, self.seed);
            if answer.is_err() {
                self.verdicts.save()?;
            }
            self.verdicts.note(place, stage, (positions, &answer?), began.elapsed().as_secs_f64());
            if saved.elapsed() >= SAVING {
                self.verdicts.save()?;
                saved = Instant::now();
            }
            done += positions.len();
            // A GPU's last bits depend on the size of a batch, and must not depend on the time it took.
            if began.elapsed() > PATIENCE && self.device.is_cpu() {
                batch = SMALL_BATCH;
            }
            progress.lock().expect("no thread panicked").at(done, String::new);
        }
        Ok(())
    }
}

/// The verdicts of one batch; an attack that the user interrupts gives none.
fn verdicts(evaluation: &Evaluation<'_>, probe: Option<&Probe>, positions: &[usize], seed: u64) -> Result<Vec<bool>> {
    let answer = evaluation.verdicts(probe, positions, seed);
    if interrupt::check().is_break() {
        return Err(Interrupted.into());
    }
    Ok(answer?)
}

/// A network that stops at the next pass once the user has asked to, and tells how many there were: an
/// attack on one batch can take minutes.
struct Watched<'a> {
    model: &'a dyn Model,
    progress: &'a Mutex<Progress>,
}

impl Model for Watched<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> candle::Result<Output> {
        if interrupt::check().is_break() {
            candle::bail!("{Interrupted}")
        }
        self.progress.lock().expect("no thread panicked").passed(images.dim(0)?);
        self.model.forward(images, mode)
    }
}

/// Writes one line an example: index, label, whether it was right when clean, then one 0/1 column
/// an attack (1 = still correct; nothing where fewer examples were attacked). `outcomes` begin with
/// [`CLEAN`], which has the most examples.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_examples(path: &Path, data: &Dataset, outcomes: &[Outcome]) -> Result<()> {
    let flag = |outcome: &Outcome, i: usize| outcome.correct.get(i).map_or("", |hit| if *hit { "1" } else { "0" });
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = outcomes.iter().map(|o| if o.attack == CLEAN { "clean_correct" } else { o.attack.as_str() });
    writer.write_record(["index", "label"].into_iter().chain(names))?;
    for i in 0..outcomes.first().map_or(0, |clean| clean.correct.len()) {
        let place = [data.index(i).to_string(), data.label(i).to_string()];
        writer.write_record(place.iter().map(String::as_str).chain(outcomes.iter().map(|o| flag(o, i))))?;
    }
    files::write_if_new(path, &writer.into_inner().context("a table in memory has no end of space")?)
}

/// The attacks of what [`write_examples`] wrote to `path`; none, if nothing did.
pub fn read_attacks(path: &Path) -> Vec<String> {
    let head = csv::Reader::from_path(path).and_then(|mut reader| reader.headers().cloned());
    let attack = |name: &&str| !["index", "label", "clean_correct"].contains(name);
    head.iter().flatten().filter(attack).map(str::to_owned).collect()
}
