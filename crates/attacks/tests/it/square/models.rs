//! Small classifiers by hand, and one that remembers.

use candle::{D, DType, Device, Result, Tensor};
use models::{Mode, Model, Output};
use std::sync::Mutex;

/// A linear classifier by hand; a row of its answers has the same bits in any batch.
pub struct Linear {
    pub weights: Tensor,
}

impl Linear {
    pub fn new([c, h, w]: [usize; 3], classes: usize) -> Self {
        let mut values = vec![0.; classes * c * h * w];
        kernels::fill_normal(kernels::Key { seed: 5, epoch: 0, example: 0, restart: 0 }, 1., &mut values);
        Self { weights: Tensor::from_vec(values, (1, classes, c * h * w), &Device::Cpu).expect("weights") }
    }
}

impl Model for Linear {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let features = images.flatten_from(1)?;
        let logits = features.unsqueeze(1)?.broadcast_mul(&self.weights)?.sum(D::Minus1)?;
        Ok(Output { features, logits })
    }
}

/// A model that remembers what it was shown, and its answers.
pub struct Recorder<M> {
    model: M,
    calls: Mutex<Vec<(Tensor, Tensor)>>,
}

impl<M> Recorder<M> {
    pub fn new(model: M) -> Self {
        Self { model, calls: Mutex::default() }
    }

    pub fn calls(&self) -> Vec<(Tensor, Tensor)> {
        self.calls.lock().expect("no thread panicked").clone()
    }
}

impl<M: Model> Model for Recorder<M> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Output> {
        let output = self.model.forward(images, mode)?;
        self.calls.lock().expect("no thread panicked").push((images.clone(), output.logits.clone()));
        Ok(output)
    }
}

/// `z_y - max_{k != y} z_k` of each row.
pub fn margins(logits: &Tensor, labels: &[u32]) -> Result<Vec<f32>> {
    let margin = |(row, label): (&Vec<f32>, &u32)| {
        let others = row.iter().enumerate().filter(|(k, _)| *k != *label as usize);
        row[*label as usize] - others.fold(f32::NEG_INFINITY, |max, (_, z)| max.max(*z))
    };
    Ok(logits.to_vec2::<f32>()?.iter().zip(labels).map(margin).collect())
}

/// Answers that are no numbers where the first pixel has moved, or everywhere.
pub struct Broken {
    pub everywhere: bool,
}

impl Model for Broken {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let pixels = images.flatten_from(1)?;
        let first = pixels.narrow(1, 0, 1)?;
        let off = if self.everywhere { first.ones_like()? } else { first.ne(0.5f32)?.to_dtype(DType::F32)? };
        // 0 / 0 where it is off.
        let poison = (first.zeros_like()? / (1. - off)?)?;
        let logits = Tensor::cat(&[&(&poison + 1.)?, &poison], 1)?;
        Ok(Output { features: pixels, logits })
    }
}
