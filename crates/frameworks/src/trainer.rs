//! The training loop, one epoch at a time.

use crate::{Framework, Schedule, Sgd, SgdConfig};
use attacks::{Evaluation, Keys, Probe};
use candle::{Device, Result, Tensor};
use data::{Augment, Batch, Dataset};
use models::Net;
use std::{collections::BTreeMap, ops::ControlFlow};

/// How a network is trained.
#[derive(Clone)]
pub struct TrainingConfig {
    /// Passes over the training set.
    pub epochs: usize,
    /// Examples a step.
    pub batch: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// Constants of the optimiser.
    pub sgd: SgdConfig,
    /// What is done to training images.
    pub augment: Augment,
    /// Seed of every random draw.
    pub seed: u64,
    /// The attack under which the held-out examples choose the best epoch; `None`: clean accuracy does.
    pub selection: Option<Probe>,
}

/// What a training step reports.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Steps done since training began.
    pub done: usize,
    /// Steps in the whole training.
    pub total: usize,
    /// Examples in this step.
    pub examples: usize,
    /// Its mean loss.
    pub loss: f64,
}

/// What an epoch reports; accuracies in percent of the held-out examples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Learning rate of its last step.
    pub lr: f64,
    /// Mean of its steps' losses.
    pub loss: f64,
    /// Accuracy on clean held-out examples.
    pub clean_percent: f64,
    /// Accuracy under the attack that selects the best epoch; equal to clean when there is none.
    pub robust_percent: f64,
    /// Whether it is the best so far.
    pub best: bool,
}

/// Where an interrupted training stands; with the network, everything [`Trainer::resume`] needs.
#[derive(Clone)]
pub struct Resume {
    /// Epochs done.
    pub epochs: usize,
    /// Accuracy of the best epoch, percent of the held-out examples.
    pub best_percent: Option<f64>,
    /// Weights and buffers.
    pub net: BTreeMap<String, Tensor>,
    /// Velocities of the optimiser.
    pub sgd: BTreeMap<String, Tensor>,
    /// What the terms of the training objective have learnt.
    pub memory: BTreeMap<String, Tensor>,
}

/// A training under way.
///
/// Every random draw is keyed by (seed, epoch, example), so an epoch depends on the state before
/// it and nothing else: resumed training gives the same bits as uninterrupted training.
pub struct Trainer {
    framework: Framework,
    config: TrainingConfig,
    train: Dataset,
    held_out: Dataset,
    device: Device,
    net: Net,
    sgd: Sgd,
    epochs: usize,
    best_percent: Option<f64>,
}

impl Trainer {
    /// Starts training `net` with `framework` on `train`; `held_out` examples choose the best epoch.
    ///
    /// # Errors
    /// When a data set is empty, or memory cannot be allocated.
    pub fn new(
        framework: Framework,
        config: TrainingConfig,
        net: Net,
        train: Dataset,
        held_out: Dataset,
        device: &Device,
    ) -> Result<Self> {
        if train.is_empty() || held_out.is_empty() {
            candle::bail!("training needs examples, and held-out ones to choose the best epoch")
        }
        if config.batch == 0 || config.epochs == 0 {
            candle::bail!("training needs at least one epoch, and one example a batch")
        }
        let sgd = Sgd::new(&net, config.sgd)?;
        let device = device.clone();
        Ok(Self { framework, config, train, held_out, device, net, sgd, epochs: 0, best_percent: None })
    }

    /// The network as trained so far.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Epochs done.
    pub fn epochs_done(&self) -> usize {
        self.epochs
    }

    /// Whether all epochs are done.
    pub fn finished(&self) -> bool {
        self.epochs >= self.config.epochs
    }

    /// Where training stands.
    ///
    /// # Errors
    /// When memory for the copies cannot be allocated.
    pub fn state(&self) -> Result<Resume> {
        let sgd = self.sgd.state().iter().map(|(name, v)| Ok((name.clone(), v.copy()?))).collect::<Result<_>>()?;
        // Two terms of a kind remember under the same names, so each has its place in front.
        let placed = |i: usize, memory: BTreeMap<String, Tensor>| {
            memory.into_iter().map(move |(name, tensor)| (format!("{i}/{name}"), tensor))
        };
        let terms = self.framework.outer.terms().enumerate();
        let memory = terms.flat_map(|(i, (_, term))| placed(i, term.memory())).collect();
        Ok(Resume { epochs: self.epochs, best_percent: self.best_percent, net: self.net.state()?, sgd, memory })
    }

    /// Goes on from where `state` stands.
    ///
    /// # Errors
    /// When it does not fit the network or the framework.
    pub fn resume(&mut self, state: &Resume) -> Result<()> {
        self.net.load(&state.net).map_err(candle::Error::wrap)?;
        self.sgd.load(&state.sgd)?;
        for (i, (_, term)) in self.framework.outer.terms().enumerate() {
            let place = format!("{i}/");
            let own =
                |(name, tensor): (&String, &Tensor)| Some((name.strip_prefix(&place)?.to_owned(), tensor.clone()));
            term.restore(&state.memory.iter().filter_map(own).collect())?;
        }
        self.epochs = state.epochs;
        self.best_percent = state.best_percent;
        Ok(())
    }

    /// Trains one epoch and measures it on the held-out examples. `progress` is told of each step;
    /// if it breaks, the epoch is abandoned and `None` returned: resume from the state before it.
    ///
    /// # Errors
    /// When the network fails, or the loss is no longer a number.
    pub fn epoch(&mut self, progress: &mut dyn FnMut(Step) -> ControlFlow<()>) -> Result<Option<Epoch>> {
        let (seed, number) = (self.config.seed, self.epochs as u64);
        let batches = self.train.epoch(seed, number, self.config.batch);
        let total = batches.len() * self.config.epochs;
        let (mut sum, mut lr) = (0., 0.);
        for (i, positions) in batches.iter().enumerate() {
            let done = self.epochs * batches.len() + i;
            lr = self.config.lr * self.config.schedule.factor(done, total);
            let loss = self.step(positions, number, lr)?;
            if !loss.is_finite() {
                candle::bail!(
                    "training diverged in epoch {}, step {}: the loss is {loss}; lower --lr",
                    number + 1,
                    i + 1
                )
            }
            sum += loss;
            if progress(Step { done: done + 1, total, examples: positions.len(), loss }).is_break() {
                return Ok(None);
            }
        }
        let Some((clean_percent, robust_percent)) = self.measure(progress, total, batches.len())? else {
            return Ok(None);
        };
        self.epochs += 1;
        let best = self.best_percent.is_none_or(|held| robust_percent > held);
        if best {
            self.best_percent = Some(robust_percent);
        }
        let loss = sum / batches.len() as f64;
        Ok(Some(Epoch { epoch: self.epochs, lr, loss, clean_percent, robust_percent, best }))
    }

    fn step(&mut self, positions: &[usize], epoch: u64, lr: f64) -> Result<f64> {
        let TrainingConfig { augment, seed, .. } = self.config;
        let batch = self.train.augmented(positions, augment, seed, epoch, &self.device);
        let Batch { images, labels, examples } = batch.map_err(candle::Error::wrap)?;
        // Evaluation draws with epoch 0.
        let keys = Keys { seed, epoch: epoch + 1, examples: &examples };
        let loss = self.framework.loss(&self.net, &images, &labels, &keys)?;
        let grads = loss.backward()?;
        self.sgd.step(&mut self.net, &grads, lr)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    /// Clean accuracy, and accuracy under the selecting attack, in percent.
    fn measure(
        &self,
        progress: &mut dyn FnMut(Step) -> ControlFlow<()>,
        total: usize,
        steps: usize,
    ) -> Result<Option<(f64, f64)>> {
        let done = (self.epochs + 1) * steps;
        // A step of no examples: the bar stands still, but an interrupt is still heard.
        let mut heard = |_| progress(Step { done, total, examples: 0, loss: f64::NAN });
        let (model, data, batch) = (&self.net.frozen(), &self.held_out, self.config.batch);
        let held_out = Evaluation { model, data, batch, device: &self.device };
        let Some(clean) = held_out.clean(&mut heard)? else { return Ok(None) };
        let Some(probe) = &self.config.selection else {
            return Ok(Some((percent(&clean), percent(&clean))));
        };
        let robust = held_out.robust(probe, &clean, self.config.seed, &mut heard)?;
        Ok(robust.map(|robust| (percent(&clean), percent(&robust))))
    }
}

fn percent(correct: &[bool]) -> f64 {
    100. * correct.iter().filter(|hit| **hit).count() as f64 / correct.len().max(1) as f64
}
