//! Adversarial examples as files, for those who want to look at them or try them on another network.

use crate::{
    evaluation::{BATCH, Examination},
    files,
    interrupt::{self, Interrupted},
    verdicts::Outcome,
};
use anyhow::Result;
use attacks::Evaluation;
use candle::{D, DType, Device, Tensor};
use models::{Mode, checkpoint};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Writes `adversarial-ATTACK.safetensors` into `out` and returns its path: of each image that `outcome` is about, what broke
/// the network, or the clean image where nothing did.
///
/// | tensor | |
/// |---|---|
/// | `images` | `(N, C, H, W)`, f32 in `[0, 1]` |
/// | `labels`, `predictions` | `(N)`, u32: the true class, and what the network says of the image here |
/// | `index` | `(N)`, u32: positions in the data set's test images |
/// | `standing` | `(N)`, u8: 1 where the attack did not succeed |
///
/// Verdicts are kept and images are not, so each stage of the attack is asked again of those that it broke.
///
/// # Errors
/// When the network, the attack or a file fails, or the user interrupts.
pub fn write(out: &Path, examination: &Examination<'_>, outcome: &Outcome) -> Result<PathBuf> {
    let Examination { test, place, .. } = examination;
    let positions: Vec<usize> = (0..outcome.correct.len()).collect();
    let images = images(examination, &outcome.attack, &positions)?;
    let predictions = predictions(examination, &images)?;
    let labels: Vec<u32> = positions.iter().map(|i| test.label(*i)).collect();
    let standing: Vec<u8> = outcome.correct.iter().map(|stands| u8::from(*stands)).collect();
    let changed = predictions.iter().zip(&labels).zip(&outcome.correct);
    let changed = changed.filter(|((said, label), stands)| (said == label) != **stands).count();
    if changed > 0 {
        tracing::warn!(
            "{changed} examples of {} did not come out as in the evaluation: it was made by another kind of device",
            outcome.attack
        );
    }
    let index: Vec<u32> = positions.iter().map(|i| test.index(*i) as u32).collect();
    let count = positions.len();
    let vector = |values: Vec<u32>| Tensor::from_vec(values, count, &Device::Cpu);
    let tensors = BTreeMap::from([
        ("images".to_owned(), images),
        ("labels".to_owned(), vector(labels)?),
        ("predictions".to_owned(), vector(predictions)?),
        ("index".to_owned(), vector(index)?),
        ("standing".to_owned(), Tensor::from_vec(standing, count, &Device::Cpu)?),
    ]);
    let said = [
        ("attack", outcome.attack.clone()),
        ("norm", place.norm.clone()),
        ("epsilon", place.epsilon.clone()),
        ("dataset", test.name().to_string()),
        ("checkpoint", place.checkpoint.clone()),
    ];
    let path = out.join(format!("adversarial-{}.safetensors", outcome.attack));
    let said = said.map(|(key, value)| (key.to_owned(), value)).into();
    files::write(&path, &checkpoint::serialize(&path, &tensors, &said)?)?;
    Ok(path)
}

/// `(N, C, H, W)` on the CPU; `positions` ascend.
fn images(examination: &Examination<'_>, attack: &str, positions: &[usize]) -> Result<Tensor> {
    let Examination { model, test, place, device, verdicts, .. } = examination;
    let evaluation = Evaluation { model: *model, data: test, batch: BATCH, device };
    let clean = test.batch(positions, &Device::Cpu)?.images;
    let mut all = clean.flatten_all()?.to_vec1::<f32>()?;
    let size = all.len() / positions.len().max(1);
    let mut left = positions.to_vec();
    for stage in examination.arsenal.stages(attack)? {
        let probe = examination.arsenal.probe(&stage, place, *model)?;
        // A stage that was also asked by itself may have broken what one before it did.
        let broken = verdicts.broken(place, &stage, &left);
        left.retain(|position| broken.binary_search(position).is_err());
        for broken in broken.chunks(BATCH) {
            if interrupt::check().is_break() {
                return Err(Interrupted.into());
            }
            let images = evaluation.adversarial(&probe, broken, examination.seed)?;
            let images = images.flatten_all()?.to_vec1::<f32>()?;
            for (position, image) in broken.iter().zip(images.chunks(size)) {
                all[position * size..][..size].copy_from_slice(image);
            }
        }
    }
    Ok(Tensor::from_vec(all, clean.dims(), &Device::Cpu)?)
}

/// What the network says of each of `images`.
fn predictions(examination: &Examination<'_>, images: &Tensor) -> Result<Vec<u32>> {
    let mut said = Vec::new();
    for first in (0..images.dim(0)?).step_by(BATCH) {
        let count = BATCH.min(images.dim(0)? - first);
        // Copied first: a GPU would be given all images each time.
        let batch = images.narrow(0, first, count)?.force_contiguous()?.to_device(examination.device)?;
        let logits = examination.model.forward(&batch, Mode::Eval)?.logits;
        said.extend(logits.argmax(D::Minus1)?.to_dtype(DType::U32)?.to_vec1::<u32>()?);
    }
    Ok(said)
}
