//! Accuracy on clean and on attacked images, example by example.

use crate::{
    Keys, Probe, Victim,
    candidate::{check_labels, check_logits, misclassified},
};
use candle::{Device, Result, Tensor};
use data::{Batch, Dataset};
use kernels::out_of_memory;
use models::{Mode, Model};
use std::ops::ControlFlow;

/// Whether each example, in order, is classified correctly.
pub type Correct = Vec<bool>;

/// Told how far down the examples it is; breaking stops the evaluation, which then returns `None`.
pub type Progress<'a> = &'a mut dyn FnMut(usize) -> ControlFlow<()>;

/// What is evaluated, on which images.
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// A frozen view of the network; it runs in evaluation mode.
    pub model: &'a dyn Model,
    /// The images, in order.
    pub data: &'a Dataset,
    /// Images in one pass.
    pub batch: usize,
    /// Where they are attacked.
    pub device: &'a Device,
}

impl Evaluation<'_> {
    /// Classifies the clean images.
    ///
    /// # Errors
    /// When the network fails, answers with what is no number, or lacks the class of a label.
    pub fn clean(&self, progress: Progress<'_>) -> Result<Option<Correct>> {
        let everyone: Vec<usize> = (0..self.data.len()).collect();
        self.all(None, &everyone, vec![true; self.data.len()], 0, progress)
    }

    /// Classifies the images under attack. Examples that `before` marks as already wrong stay wrong and
    /// are not attacked: the attacker need not move them. So accuracies over attacks combine per example.
    ///
    /// # Errors
    /// When `before` does not have a verdict on each image, the network fails, or an attack leaves its ball, `[0, 1]` or
    /// the numbers.
    pub fn robust(&self, probe: &Probe, before: &[bool], seed: u64, progress: Progress<'_>) -> Result<Option<Correct>> {
        if before.len() != self.data.len() {
            candle::bail!("{} verdicts on {} images", before.len(), self.data.len())
        }
        let standing: Vec<usize> = (0..self.data.len()).filter(|&i| before[i]).collect();
        self.all(Some(probe), &standing, before.to_vec(), seed, progress)
    }

    /// Whether each image of one batch, those at `positions`, is classified correctly, clean (`probe` is
    /// `None`) or under attack. On a processor an example's verdict does not depend on the batch it is
    /// judged in, unless the probe's objective compares examples.
    ///
    /// # Errors
    /// When the network fails, or an attack leaves its ball, `[0, 1]` or the numbers.
    pub fn verdicts(&self, probe: Option<&Probe>, positions: &[usize], seed: u64) -> Result<Correct> {
        let Batch { images, labels, examples } =
            self.data.batch(positions, self.device).map_err(candle::Error::wrap)?;
        let verdicts = || self.standing(probe, &images, &labels, &Keys { seed, epoch: 0, examples: &examples });
        verdicts().map_err(|e| out_of_memory(e, positions.len()))
    }

    /// The images at `positions` as `probe` changes them, `(N, C, H, W)` in `[0, 1]`: those that [`Self::verdicts`] judges.
    ///
    /// # Errors
    /// As [`Self::verdicts`].
    pub fn adversarial(&self, probe: &Probe, positions: &[usize], seed: u64) -> Result<Tensor> {
        let Batch { images, labels, examples } =
            self.data.batch(positions, self.device).map_err(candle::Error::wrap)?;
        let perturbed = self.perturbed(probe, &images, &labels, &Keys { seed, epoch: 0, examples: &examples });
        perturbed.map_err(|e| out_of_memory(e, positions.len()))
    }

    fn standing(&self, probe: Option<&Probe>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Correct> {
        match probe {
            None => self.correct(images, labels),
            Some(probe) => self.correct(&self.perturbed(probe, images, labels, keys)?, labels),
        }
    }

    fn perturbed(&self, probe: &Probe, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let victim = Victim { model: self.model, mode: Mode::Eval, objective: &probe.objective };
        let adv = probe.attack.perturb(victim, images, labels, keys)?;
        probe.ball.check(&adv, images)?;
        Ok(adv)
    }

    fn all(
        &self,
        probe: Option<&Probe>,
        positions: &[usize],
        mut all: Correct,
        seed: u64,
        progress: Progress<'_>,
    ) -> Result<Option<Correct>> {
        for chunk in positions.chunks(self.batch.max(1)) {
            for (&i, hit) in chunk.iter().zip(self.verdicts(probe, chunk, seed)?) {
                all[i] = hit;
            }
            if progress(chunk.last().map_or(0, |last| last + 1)).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    fn correct(&self, images: &Tensor, labels: &Tensor) -> Result<Correct> {
        let logits = self.model.forward(images, Mode::Eval)?.logits;
        check_labels(labels, &logits)?;
        check_logits(&logits)?;
        let wrong = misclassified(&logits, labels)?.to_vec1::<u8>()?;
        Ok(wrong.into_iter().map(|wrong| wrong == 0).collect())
    }
}
