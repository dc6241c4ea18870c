//! The training loop, one epoch at a time; it can be left and taken up again between any two steps.

use crate::{Epoch, Framework, Optimizer, Resume, Step, TrainingConfig, average::Average};
use attacks::{Evaluation, Keys};
use candle::{Device, Result, Tensor};
use data::{Batch, Dataset};
use kernels::out_of_memory;
use models::Net;
use std::{collections::BTreeMap, ops::ControlFlow};

/// A training under way.
///
/// Every random draw is keyed by (seed, epoch, example), so a step depends on the state before
/// it and nothing else: resumed training gives the same bits as uninterrupted training.
pub struct Trainer {
    framework: Framework,
    config: TrainingConfig,
    train: Dataset,
    held_out: Dataset,
    device: Device,
    net: Net,
    optimizer: Optimizer,
    average: Option<Average>,
    epochs: usize,
    step: usize,
    loss_sum: f64,
    best_percent: Option<f64>,
}

impl Trainer {
    /// Starts training `net` with `framework` on `train`; `held_out` examples choose the best epoch.
    ///
    /// # Errors
    /// When a data set is empty, the network has another last layer than the framework, or memory cannot be allocated.
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
        if train.epoch(config.seed, 0, config.batch).is_empty() {
            candle::bail!("{} training example is no batch: batch norm needs two", train.len())
        }
        if net.head() != framework.head {
            candle::bail!(
                "{} trains a network whose last layer is {}, not {}",
                framework.name,
                framework.head,
                net.head()
            )
        }
        let optimizer = Optimizer::new(&net, config.optimizer)?;
        let (device, best_percent, average) = (device.clone(), None, config.averaging.map(Average::new));
        Ok(Self {
            framework,
            config,
            train,
            held_out,
            device,
            net,
            optimizer,
            average,
            epochs: 0,
            step: 0,
            loss_sum: 0.,
            best_percent,
        })
    }

    /// The network as trained so far, never averaged.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// A copy of the weights that are measured and kept: averaged ones where training averages.
    ///
    /// # Errors
    /// When memory for the copies cannot be allocated.
    pub fn weights(&self) -> Result<BTreeMap<String, Tensor>> {
        match self.average.as_ref().and_then(Average::mean) {
            Some(mean) => Ok(mean.clone()),
            None => self.net.state(),
        }
    }

    /// Epochs done.
    pub fn epochs_done(&self) -> usize {
        self.epochs
    }

    fn steps(&self) -> usize {
        self.train.epoch(self.config.seed, 0, self.config.batch).len()
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
        let optimizer =
            self.optimizer.state().iter().map(|(name, v)| Ok((name.clone(), v.copy()?))).collect::<Result<_>>()?;
        // Two terms of a kind remember under the same names, so each has its place in front.
        let placed = |i: usize, memory: BTreeMap<String, Tensor>| {
            memory.into_iter().map(move |(name, tensor)| (format!("{i}/{name}"), tensor))
        };
        let terms = self.framework.outer.terms().enumerate();
        let memory = terms.flat_map(|(i, (_, term))| placed(i, term.memory())).collect();
        let Self { epochs, step, loss_sum, best_percent, .. } = *self;
        let average = self.average.as_ref().map_or(Ok(BTreeMap::new()), |average| average.state(&self.net))?;
        Ok(Resume { epochs, step, loss_sum, best_percent, net: self.net.state()?, optimizer, memory, average })
    }

    /// Goes on from where `state` stands.
    ///
    /// # Errors
    /// When it does not fit the network or the framework.
    pub fn resume(&mut self, state: &Resume) -> Result<()> {
        let (epochs, steps) = (self.config.epochs, self.steps());
        if state.epochs > epochs || state.step > steps || (state.epochs == epochs && state.step > 0) {
            let Resume { epochs: done, step, .. } = state;
            candle::bail!("{done} epochs and {step} steps are more than {epochs} epochs of {steps} steps")
        }
        self.net.load(&state.net).map_err(candle::Error::wrap)?;
        self.optimizer.load(&state.optimizer)?;
        if let Some(average) = &mut self.average {
            average.load(&state.average, &self.net)?;
        }
        for (i, (_, term)) in self.framework.outer.terms().enumerate() {
            let place = format!("{i}/");
            let own = state.memory.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(&place)?.to_owned();
                Some(tensor.to_device(&self.device).map(|tensor| (name, tensor)))
            });
            term.restore(&own.collect::<Result<_>>()?)?;
        }
        (self.epochs, self.step, self.loss_sum) = (state.epochs, state.step, state.loss_sum);
        self.best_percent = state.best_percent;
        Ok(())
    }

    /// Trains one epoch, or what is left of it, and measures it on the held-out examples. `progress` is
    /// told of each step; if it breaks, `None` is returned and the trainer stands after that step:
    /// [`Trainer::state`] holds it, and calling this again goes on.
    ///
    /// # Errors
    /// When the network fails, the loss is no longer a number, or training is done.
    pub fn epoch(&mut self, progress: &mut dyn FnMut(Step) -> ControlFlow<()>) -> Result<Option<Epoch>> {
        if self.finished() {
            candle::bail!("training is done after {} epochs: the schedule has no rate for another", self.epochs)
        }
        let TrainingConfig { seed, batch, lr: peak, schedule, epochs, .. } = self.config;
        let batches = self.train.epoch(seed, self.epochs as u64, batch);
        let (before, total) = (self.epochs * batches.len(), batches.len() * epochs);
        let lr = |step: usize| peak * schedule.factor(before + step, total);
        for positions in &batches[self.step..] {
            let loss = self.descend(positions, lr(self.step), before + self.step + 1)?;
            self.step += 1;
            if !loss.is_finite() {
                let (epoch, step) = (self.epochs + 1, self.step);
                candle::bail!("training diverged in epoch {epoch}, step {step}: the loss is {loss}; lower --lr")
            }
            self.loss_sum += loss;
            if progress(Step { done: before + self.step, total, examples: positions.len(), loss }).is_break() {
                return Ok(None);
            }
        }
        let measured = self.measure(progress, before + batches.len(), total).map_err(|e| {
            // The last step of an epoch has no loss after it that could have told.
            candle::Error::msg(format!("after epoch {} (if training diverged, lower --lr): {e}", self.epochs + 1))
        })?;
        let Some((clean_percent, robust_percent)) = measured else { return Ok(None) };
        let (lr, loss) = (lr(batches.len().saturating_sub(1)), self.loss_sum / batches.len() as f64);
        let best = self.best_percent.is_none_or(|held| robust_percent > held);
        if best {
            self.best_percent = Some(robust_percent);
        }
        (self.epochs, self.step, self.loss_sum) = (self.epochs + 1, 0, 0.);
        Ok(Some(Epoch { epoch: self.epochs, lr, loss, clean_percent, robust_percent, best }))
    }

    fn descend(&mut self, positions: &[usize], lr: f64, number: usize) -> Result<f64> {
        let TrainingConfig { augment, seed, .. } = self.config;
        let epoch = self.epochs as u64;
        let batch = self.train.augmented(positions, augment, seed, epoch, &self.device);
        let Batch { images, labels, examples } = batch.map_err(candle::Error::wrap)?;
        // Evaluation draws with epoch 0.
        let keys = Keys { seed, epoch: epoch + 1, examples: &examples };
        let passed = self.framework.gradients(&mut self.net, &images, &labels, &keys);
        let (loss, grads) = passed.map_err(|e| out_of_memory(e, positions.len()))?;
        self.optimizer.step(&mut self.net, &grads, lr, number)?;
        if let Some(average) = &mut self.average {
            average.step(&self.net)?;
        }
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    /// Clean accuracy, and accuracy under the selecting attack, in percent, of the weights that are kept.
    fn measure(
        &mut self,
        progress: &mut dyn FnMut(Step) -> ControlFlow<()>,
        done: usize,
        total: usize,
    ) -> Result<Option<(f64, f64)>> {
        if let Some(average) = &mut self.average {
            average.epoch(&self.net, self.epochs + 1, self.config.epochs)?;
        }
        let Some(mean) = self.average.as_ref().and_then(Average::mean) else {
            return self.measure_as_is(progress, done, total);
        };
        let latest = self.net.state()?;
        self.net.load(mean).map_err(candle::Error::wrap)?;
        let measured = self.measure_as_is(progress, done, total);
        self.net.load(&latest).map_err(candle::Error::wrap)?;
        measured
    }

    fn measure_as_is(
        &self,
        progress: &mut dyn FnMut(Step) -> ControlFlow<()>,
        done: usize,
        total: usize,
    ) -> Result<Option<(f64, f64)>> {
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
