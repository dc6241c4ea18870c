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

fn correct(model: &dyn Model, images: &Tensor, labels: &Tensor) -> Result<Vec<bool>> {
    let predicted = model.forward(images, Mode::Eval)?.logits.argmax(D::Minus1)?;
    let hits = predicted.eq(&labels.to_dtype(DType::U32)?)?.to_vec1::<u8>()?;
    Ok(hits.into_iter().map(|hit| hit != 0).collect())
}

fn batch(data: &Dataset, positions: &[usize], device: &Device) -> Result<Batch> {
    data.batch(positions, device).map_err(candle::Error::wrap)
}

/// Classifies the clean images of `data` in evaluation mode, `size` at a time.
///
/// # Errors
/// When the network fails.
pub fn clean_correct(
    model: &dyn Model,
    data: &Dataset,
    size: usize,
    device: &Device,
    progress: Progress<'_>,
) -> Result<Option<Correct>> {
    let mut all = Vec::with_capacity(data.len());
    let positions: Vec<usize> = (0..data.len()).collect();
    for chunk in positions.chunks(size.max(1)) {
        let Batch { images, labels, .. } = batch(data, chunk, device)?;
        all.extend(correct(model, &images, &labels)?);
        if progress(all.len()).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

/// Classifies `data` under attack. Examples that `before` marks as already wrong stay wrong and are
/// not attacked: the attacker need not move them. So accuracies over attacks combine per example.
///
/// # Errors
/// When the network fails, or an attack leaves its ball, `[0, 1]` or the numbers.
#[expect(clippy::too_many_arguments, reason = "each is another thing, and one call names them all")]
pub fn robust_correct(
    model: &dyn Model,
    data: &Dataset,
    probe: &Probe,
    before: &[bool],
    seed: u64,
    size: usize,
    device: &Device,
    progress: Progress<'_>,
) -> Result<Option<Correct>> {
    let mut all = before.to_vec();
    let standing: Vec<usize> = (0..data.len()).filter(|&i| before[i]).collect();
    let victim = Victim { model, mode: Mode::Eval, objective: &probe.objective };
    for chunk in standing.chunks(size.max(1)) {
        let Batch { images, labels, examples } = batch(data, chunk, device)?;
        let keys = Keys { seed, epoch: 0, examples: &examples };
        let adv = probe.attack.perturb(victim, &images, &labels, &keys)?;
        probe.ball.check(&adv, &images)?;
        for (&i, hit) in chunk.iter().zip(correct(model, &adv, &labels)?) {
            all[i] = hit;
        }
        if progress(chunk.last().map_or(0, |last| last + 1)).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(all))
}
