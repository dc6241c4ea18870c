//! Accuracy on clean and on attacked images, example by example.

use crate::{Keys, Probe, Victim};
use candle::{D, DType, Device, Result, Tensor};
use data::{Batch, Dataset};
use models::{Mode, Model};
use std::ops::ControlFlow;

/// Whether each example, in order, is classified correctly.
pub type Correct = Vec<bool>;

/// Told how many examples are done; breaking stops the evaluation, which then returns `None`.
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
    /// When the network fails, or answers with what is no number.
    pub fn clean(&self, progress: Progress<'_>) -> Result<Option<Correct>> {
        let mut all = Vec::with_capacity(self.data.len());
        let positions: Vec<usize> = (0..self.data.len()).collect();
        for chunk in positions.chunks(self.batch.max(1)) {
            let Batch { images, labels, .. } = self.images(chunk)?;
            all.extend(self.correct(&images, &labels)?);
            if progress(all.len()).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    /// Classifies the images under attack. Examples that `before` marks as already wrong stay wrong and
    /// are not attacked: the attacker need not move them. So accuracies over attacks combine per example.
    ///
    /// # Errors
    /// When the network fails, or an attack leaves its ball, `[0, 1]` or the numbers.
    pub fn robust(&self, probe: &Probe, before: &[bool], seed: u64, progress: Progress<'_>) -> Result<Option<Correct>> {
        let mut all = before.to_vec();
        let standing: Vec<usize> = (0..self.data.len()).filter(|&i| before[i]).collect();
        let victim = Victim { model: self.model, mode: Mode::Eval, objective: &probe.objective };
        for chunk in standing.chunks(self.batch.max(1)) {
            let Batch { images, labels, examples } = self.images(chunk)?;
            let keys = Keys { seed, epoch: 0, examples: &examples };
            let adv = probe.attack.perturb(victim, &images, &labels, &keys)?;
            probe.ball.check(&adv, &images)?;
            for (&i, hit) in chunk.iter().zip(self.correct(&adv, &labels)?) {
                all[i] = hit;
            }
            if progress(chunk.last().map_or(0, |last| last + 1)).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }

    fn images(&self, positions: &[usize]) -> Result<Batch> {
        self.data.batch(positions, self.device).map_err(candle::Error::wrap)
    }

    fn correct(&self, images: &Tensor, labels: &Tensor) -> Result<Correct> {
        let logits = self.model.forward(images, Mode::Eval)?.logits;
        // The largest of values that are no numbers would be some class, and now and then the right one.
        if !logits.sum_all()?.to_scalar::<f32>()?.is_finite() {
            candle::bail!("the network answers with values that are no numbers")
        }
        let hits = logits.argmax(D::Minus1)?.eq(&labels.to_dtype(DType::U32)?)?.to_vec1::<u8>()?;
        Ok(hits.into_iter().map(|hit| hit != 0).collect())
    }
}
