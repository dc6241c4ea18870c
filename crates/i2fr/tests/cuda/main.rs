//! The regulariser on a GPU, against the CPU: losses and gradients, for each reference and stage.
//!
//! Only with the feature `cuda`, and only where there is a GPU: elsewhere this test fails and says so.

use candle::{DType, Device, Result, Tensor, Var};
use i2fr::{I2fr, Reference};
use kernels::{Key, fill_normal};
use models::Output;
use objectives::{Clean, Stage};

const SHAPE: (usize, usize) = (16, 64);

/// Features `(N, D)`, others for each `stream`.
fn features(stream: u64, device: &Device) -> Result<Var> {
    let mut values = vec![0.; SHAPE.0 * SHAPE.1];
    fill_normal(Key { seed: 5, epoch: 0, example: stream, restart: 0 }, 1., &mut values);
    Var::from_tensor(&Tensor::from_vec(values, SHAPE, device)?)
}

/// The losses of a second batch, and its gradients in clean and adversarial features, where there are any.
fn second_batch(reference: Reference, stage: Stage, device: &Device) -> Result<Vec<Vec<f32>>> {
    let objective = I2fr { reference, ..I2fr::default() }.objective()?;
    // Three of five classes: of a fourth there is one image, of a fifth none.
    let labels: Vec<u32> = (0..SHAPE.0 as u32).map(|i| if i == 15 { 3 } else { i % 3 }).collect();
    let labels = Tensor::from_vec(labels, SHAPE.0, device)?;
    let logits = Tensor::zeros((SHAPE.0, 5), DType::F32, device)?;
    let output = |features: &Var| Output { features: features.as_tensor().clone(), logits: logits.clone() };
    // What the first batch leaves behind counts.
    let (before, before_adv) = (features(1, device)?, features(2, device)?);
    objective.losses(&Clean::known(output(&before), &labels, Stage::Training).against_known(output(&before_adv)))?;
    let (clean, adv) = (features(3, device)?, features(4, device)?);
    let losses = objective.losses(&Clean::known(output(&clean), &labels, stage).against_known(output(&adv)))?;
    let grads = losses.sum_all()?.backward()?;
    let found = [Some(&losses), grads.get(&clean), grads.get(&adv)];
    found.into_iter().flatten().map(|t| t.flatten_all()?.to_vec1()).collect()
}

#[test]
fn losses_and_gradients() -> Result<()> {
    let gpu = kernels::gpu(0).unwrap_or_else(|e| panic!("no GPU answers, so nothing about GPUs can be tested: {e}"));
    for reference in [Reference::Pairs, Reference::BatchMeans, Reference::RunningMeans { decay: 0.9 }] {
        for stage in [Stage::Generation, Stage::Training] {
            let (got, want) = (second_batch(reference, stage, &gpu)?, second_batch(reference, stage, &Device::Cpu)?);
            assert_eq!(got.len(), want.len(), "{reference:?}, {stage:?}: gradients in other features");
            for (part, (got, want)) in got.iter().zip(&want).enumerate() {
                let largest = want.iter().fold(0f32, |largest, v| largest.max(v.abs()));
                let off = got.iter().zip(want).fold(0f32, |off, (got, want)| off.max((got - want).abs()));
                assert!(off <= 1e-4 * largest, "{reference:?}, {stage:?}, part {part}: {off:e} off, largest {largest}");
            }
            assert!(
                second_batch(reference, stage, &gpu)? == got,
                "{reference:?}, {stage:?}: other bits the second time"
            );
        }
    }
    Ok(())
}
