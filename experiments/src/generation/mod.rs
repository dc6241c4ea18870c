//! Strength and diversity of the adversarial examples that training generates, without and with I2FR.
//!
//! On the *same* trained weights, the training attack of the run's framework ascends what the framework ascends
//! (`plain`), or that plus I2FR (`i2fr`): the same steps, step length and random starts, so the same budget. It runs
//! [`RESTARTS`] times from starts keyed by (seed, example, restart), and every restart gives one example of each
//! image. I2FR compares features within batches, as in training: the first test images in order, as many in a batch
//! as the run trained with. (Running means of I2FR are not part of the weights: the batch's means stand for them.)
//!
//! Batch norm is in evaluation mode throughout, whatever the framework trains with: the examples are made for the
//! network they are measured on, which is the one that would be deployed, and their batch enters through I2FR only.
//!
//! Strength, means over images and restarts ([`Strength`]):
//!
//! - `loss-raised`: cross-entropy of the example minus that of the clean image, nats;
//! - `error-raised-percent`: error on examples minus error on clean images, percentage points;
//! - `feature-displacement`: Euclidean distance between the features of example and clean image, each divided by its
//!   Euclidean norm as I2FR does (not with `--i2fr-features raw`);
//! - `transfer-error-percent`: error, on the same examples, of an independent network: PGD-AT of the same seed, TRADES
//!   where PGD-AT itself is attacked, both without I2FR (Papernot et al. 2016).
//!
//! Diversity, of the [`RESTARTS`] perturbations of one image, means over images ([`Diversity`]): `pairwise-distance`,
//! `pairwise-angle`, `vendi-score`, `distinct-directions`; and `wrong-class-entropy`, of the classes that the network
//! takes an image's examples for where it is wrong, a mean over images that are ever wrong.

mod diversity;
mod kind;
mod plot;
mod strength;
mod table;

pub use diversity::{Diversity, wrong_class_entropy};
pub use kind::{KINDS, Kind};
pub use strength::{Seen, Strength};
pub use table::{Effect, Table};

use crate::{
    config::RunConfig,
    features::normalized,
    grid::{
        self, Grid, TableArgs, sibling, surrogate,
        trained::{Answer, Measurement, Number, Subject},
    },
    interrupt::{self, Interrupted},
    profile::examples_at_most,
    progress::Progress,
    run::Run,
};
use anyhow::{Context, Result};
use attacks::{Keys, Victim};
use candle::{D, Tensor};
use data::Batch;
use frameworks::{Framework, Place};
use i2fr::Reference;
use kernels::Key;
use models::{Mode, Model};
use objectives::{Clean, Pass, Stage, ce};
use std::process::ExitCode;

/// Examples of each image.
pub const RESTARTS: usize = 10;

/// At most so many test images: each is attacked twice [`RESTARTS`] times.
const IMAGES: usize = 1000;

/// The subjects by name: without and with I2FR in what the attack ascends.
pub const SUBJECTS: [&str; 2] = ["plain", "i2fr"];

/// A table of what I2FR changes in generated examples; of its grid, rows count.
pub struct Comparison(pub Grid);

impl Comparison {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        grid::main(self.0.name, self.0.caption, |args| self.work(args))
    }

    fn work(&self, args: &TableArgs) -> Result<()> {
        self.0.study(self, args, |measured, lines| {
            let rows = measured.iter().map(|m| m.row.clone()).collect();
            let table = Table::new(self.0.name, self.0.caption, rows, lines.to_vec());
            for path in table.write(&args.training.out)? {
                tracing::info!("wrote {}", path.display());
            }
            Ok(table.markdown())
        })
    }
}

/// The framework of `run` without I2FR, and the one that generates with it.
fn games(run: &Run, args: &TableArgs) -> Result<[Framework; 2]> {
    let mut i2fr = args.training.i2fr.i2fr();
    if matches!(i2fr.reference, Reference::RunningMeans { .. }) {
        i2fr.reference = Reference::BatchMeans;
    }
    let plain = RunConfig { regularizer: None, ..run.config().clone() }.game()?;
    let regularized = plain.regularized("I2FR", &i2fr.objective()?, Place::Generation);
    Ok([plain, regularized])
}

impl Measurement for Comparison {
    type More = ();

    fn adds_i2fr(&self) -> bool {
        true
    }

    fn settings(&self, run: &Run, args: &TableArgs) -> Result<String> {
        let [_, game] = games(run, args)?;
        let other = self.companion(run, args).map_or_else(String::new, |other| other.config().id());
        Ok(format!(
            "first {} test images, {} in a batch; {} {RESTARTS} times, ascends {}; tried on {other}",
            examples_at_most(&args.training, IMAGES),
            run.config().batch,
            game.attack,
            game.inner
        ))
    }

    fn companion(&self, run: &Run, args: &TableArgs) -> Option<Run> {
        Some(sibling(run, args, surrogate(run)))
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Answer<()>> {
        let games = games(subject.run, subject.args)?;
        let test = subject.data.test.first(examples_at_most(&subject.args.training, IMAGES));
        let mut totals = [Totals::default(), Totals::default()];
        let mut progress = Progress::new(format!("{}: generation", subject.run.name()), test.len());
        for (i, batch) in test.batches(subject.run.config().batch, subject.device).enumerate() {
            progress.at(i * subject.run.config().batch, String::new);
            let batch = batch?;
            let clean = see(subject, &batch.images, &batch.labels)?;
            for (game, totals) in games.iter().zip(&mut totals) {
                totals.attack(subject, game, &batch, &clean)?;
            }
        }
        let numbers = SUBJECTS.iter().zip(&totals).flat_map(|(name, totals)| totals.numbers(name)).collect();
        Ok(Answer { examples: test.len(), numbers, more: () })
    }
}

/// What is known of one way of generating.
#[derive(Default)]
struct Totals {
    strength: Strength,
    diversities: Vec<Diversity>,
    entropies: Vec<f64>,
}

impl Totals {
    fn attack(&mut self, subject: &Subject<'_>, game: &Framework, batch: &Batch, clean: &Seen) -> Result<()> {
        let labels = batch.labels.to_vec1::<u32>()?;
        let mut perturbations = vec![Vec::new(); labels.len()];
        let mut predictions = vec![Vec::new(); labels.len()];
        let victim = Victim { model: subject.model, mode: Mode::Eval, objective: &game.inner };
        for restart in 0..RESTARTS {
            let keys = Keys { seed: seed(subject.run, restart), epoch: 0, examples: &batch.examples };
            let images = game.attack.perturb(victim, &batch.images, &batch.labels, &keys)?;
            if interrupt::check().is_break() {
                return Err(Interrupted.into());
            }
            subject.run.config().ball()?.check(&images, &batch.images)?;
            let adv = see(subject, &images, &batch.labels)?;
            let other = subject.companion.context("no network to try examples on")?;
            self.strength.count(&labels, clean, &adv, &predicted(other, &images)?);
            let moves = (images - &batch.images)?.flatten_from(1)?.to_vec2::<f32>()?;
            perturbations.iter_mut().zip(moves).for_each(|(all, one)| all.push(one));
            predictions.iter_mut().zip(adv.predicted).for_each(|(all, one)| all.push(one));
        }
        self.diversities.extend(perturbations.iter().filter_map(|all| Diversity::of(all)));
        self.entropies
            .extend(predictions.iter().zip(labels).filter_map(|(all, label)| wrong_class_entropy(all, label)));
        Ok(())
    }

    fn numbers(&self, subject: &str) -> Vec<Number> {
        let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let diversity = |of: fn(&Diversity) -> f64| mean(&self.diversities.iter().map(of).collect::<Vec<_>>());
        let values = [
            ("loss-raised", Some(self.strength.loss_raised())),
            ("error-raised-percent", Some(self.strength.error_raised_percent())),
            ("feature-displacement", Some(self.strength.feature_displacement())),
            ("transfer-error-percent", Some(self.strength.transfer_error_percent())),
            ("pairwise-distance", diversity(|d| d.distance)),
            ("pairwise-angle", diversity(|d| d.angle)),
            ("wrong-class-entropy", mean(&self.entropies)),
            ("vendi-score", diversity(|d| d.vendi_score)),
            ("distinct-directions", diversity(|d| d.directions)),
        ];
        let number = |(measure, value): (&str, Option<f64>)| {
            Some(Number { subject: subject.into(), measure: measure.into(), value: value? })
        };
        values.into_iter().filter_map(number).collect()
    }
}

/// Keys have no place for a restart of the whole attack; its number is part of what the draw is for.
fn seed(run: &Run, restart: usize) -> u64 {
    let key = Key { seed: run.config().seed, epoch: 0, example: 0, restart: 0 };
    key.domain(&format!("generation, restart {restart}")).seed
}

fn see(subject: &Subject<'_>, images: &Tensor, labels: &Tensor) -> Result<Seen> {
    let clean = Clean::new(subject.model, Mode::Eval, images, labels, Stage::Generation);
    let passes = clean.against(images)?;
    let losses = ce(Pass::Clean).losses(&passes)?.to_vec1::<f32>()?;
    let output = passes.clean()?;
    let features = output.features.to_vec2::<f32>()?;
    Ok(Seen {
        losses: losses.into_iter().map(f64::from).collect(),
        predicted: output.logits.argmax(D::Minus1)?.to_vec1()?,
        features: if subject.args.training.i2fr.i2fr().normalize { normalized(&features) } else { features },
    })
}

fn predicted(model: &dyn Model, images: &Tensor) -> Result<Vec<u32>> {
    Ok(model.forward(images, Mode::Eval)?.logits.argmax(D::Minus1)?.to_vec1()?)
}
