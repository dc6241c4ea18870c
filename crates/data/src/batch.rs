//! Examples as tensors.

use candle::{Device, Tensor};

use crate::{Augment, Dataset, Error};

/// Some examples as tensors on a device, ready for a model.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `(N, C, H, W)`, f32 in [0, 1].
    pub images: Tensor,
    /// `(N,)`, u32.
    pub labels: Tensor,
    /// N positions in the original split: the `example` of each one's random keys.
    pub examples: Vec<u64>,
}

impl Batch {
    /// How many examples it holds.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }
}

impl Dataset {
    /// The examples at `positions`, in that order, as they are.
    ///
    /// # Errors
    /// [`Error::Position`] if one is beyond the end, [`Error::Tensor`] if the device refuses.
    pub fn batch(&self, positions: &[usize], device: &Device) -> Result<Batch, Error> {
        self.augmented(positions, Augment::NONE, 0, 0, device)
    }

    /// All examples in order, `size` (at least 1) at a time; the last batch may be short.
    ///
    /// # Errors
    /// Each item as [`Dataset::batch`].
    pub fn batches(&self, size: usize, device: &Device) -> impl Iterator<Item = Result<Batch, Error>> {
        let size = size.max(1);
        (0..self.len()).step_by(size).map(move |start| {
            let positions: Vec<usize> = (start..self.len().min(start + size)).collect();
            self.batch(&positions, device)
        })
    }

    /// The examples at `positions`, in that order, each randomly cropped and flipped.
    ///
    /// An example's crop and flip depend on `(seed, epoch)` and its [`Dataset::index`] only, not on
    /// the rest of the batch.
    ///
    /// # Errors
    /// [`Error::Position`] if one is beyond the end, [`Error::Tensor`] if the device refuses.
    pub fn augmented(
        &self,
        positions: &[usize],
        augment: Augment,
        seed: u64,
        epoch: u64,
        device: &Device,
    ) -> Result<Batch, Error> {
        self.check(positions)?;
        let [channels, height, width] = self.shape();
        let mut images = Vec::with_capacity(positions.len() * channels * height * width);
        for &i in positions {
            let view = augment.draw(seed, epoch, self.index(i));
            view.push(self.pixels(i), self.shape(), &mut images);
        }
        let labels: Vec<u32> = positions.iter().map(|&i| self.label(i)).collect();
        Ok(Batch {
            images: Tensor::from_vec(images, (positions.len(), channels, height, width), device)?,
            labels: Tensor::from_vec(labels, positions.len(), device)?,
            examples: positions.iter().map(|&i| self.index(i)).collect(),
        })
    }
}
