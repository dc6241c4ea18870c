//! Random starts that depend on the example, not on the batch it happens to be in.

use candle::{Device, Result, Shape, Tensor};
use kernels::Key;
use rayon::prelude::*;

/// Keys of the random draws for a batch of images.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// Seed of the run.
    pub seed: u64,
    /// Epoch, counted from 1 in training; 0 in evaluation.
    pub epoch: u64,
    /// Position of each image in its data set, `(N,)`.
    pub examples: &'a [u64],
}

impl Keys<'_> {
    /// Whether they are those of an evaluation, which has the time to look at what it is given.
    pub(crate) fn evaluates(&self) -> bool {
        self.epoch == 0
    }

    /// A tensor of `shape` `(N, ...)` whose row i is what `fill` draws for example i.
    ///
    /// # Errors
    /// When the number of rows is not the number of examples.
    pub fn draw(
        &self,
        purpose: &str,
        restart: u64,
        shape: &Shape,
        device: &Device,
        fill: impl Fn(Key, &mut [f32]) + Sync,
    ) -> Result<Tensor> {
        self.draw_rows(purpose, restart, shape, device, |_, key, out| fill(key, out))
    }

    /// As [`Keys::draw`]; `fill` is also told the row.
    pub(crate) fn draw_rows(
        &self,
        purpose: &str,
        restart: u64,
        shape: &Shape,
        device: &Device,
        fill: impl Fn(usize, Key, &mut [f32]) + Sync,
    ) -> Result<Tensor> {
        let rows = shape.dims().first().copied().unwrap_or(0);
        if rows != self.examples.len() {
            candle::bail!("{rows} images, but random keys for {}", self.examples.len())
        }
        let mut values = vec![0f32; shape.elem_count()];
        let size = (shape.elem_count() / rows.max(1)).max(1);
        values.par_chunks_mut(size).zip(self.examples).enumerate().for_each(|(row, (out, &example))| {
            fill(row, Key { seed: self.seed, epoch: self.epoch, example, restart }.domain(purpose), out);
        });
        Tensor::from_vec(values, shape, device)
    }
}
