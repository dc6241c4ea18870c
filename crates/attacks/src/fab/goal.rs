//! What one run of FAB is after, and what the network says of its points.

use super::plane::dual_length;
use crate::{
    Norm, Victim,
    candidate::{check_gradient, misclassified},
};
use candle::{D, DType, Result, Tensor, Var};
use objectives::one_hot;

/// The examples one run attacks together, each with the classes it may become.
pub(super) struct Goal<'a> {
    /// Clean images, `(N, C, H, W)`.
    pub images: &'a Tensor,
    /// The same, image by image.
    pub pixels: Vec<f32>,
    /// `(N,)`, `u32`.
    pub labels: Vec<u32>,
    /// For each class an example may become: 1 there and -1 at its label, `(N, K)`.
    contrasts: Vec<Tensor>,
}

/// Guards a division by a gradient's size, as in the official code.
const TINY: f64 = 1e-12;

impl<'a> Goal<'a> {
    /// `labels` is `(N,)` and `aims` `(N, M)`; each is less than `classes`, and no aim is the label.
    pub fn new(images: &'a Tensor, labels: &Tensor, aims: &Tensor, classes: usize) -> Result<Self> {
        let own = one_hot(labels, classes)?;
        let contrast = |aim: usize| one_hot(&aims.narrow(1, aim, 1)?.squeeze(1)?, classes)? - &own;
        let contrasts = (0..aims.dim(1)?).map(contrast).collect::<Result<_>>()?;
        let labels: Vec<u32> = labels.to_dtype(DType::U32)?.to_vec1()?;
        Ok(Self { images, pixels: images.flatten_all()?.to_vec1()?, labels, contrasts })
    }

    pub fn tensor(&self, pixels: Vec<f32>) -> Result<Tensor> {
        Tensor::from_vec(pixels, self.images.shape(), self.images.device())
    }

    /// The class's logit less the label's at `x`, `(N,)`, and its gradient in every pixel; of the classes
    /// an example may become, the one for which that is zero the nearest, were it linear.
    pub fn linearised(&self, victim: Victim<'_>, norm: Norm, x: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        let var = Var::from_tensor(&self.tensor(x.to_vec())?)?;
        let logits = victim.model.forward(&var, victim.mode)?.logits;
        let size = (x.len() / self.labels.len()).max(1);
        let mut nearest = vec![f64::NAN; self.labels.len()];
        let (mut gaps, mut grads) = (vec![0f32; self.labels.len()], vec![0f32; x.len()]);
        for contrast in &self.contrasts {
            let gap = (&logits * contrast)?.sum(D::Minus1)?;
            let Some(grad) = gap.sum_all()?.backward()?.remove(&var) else {
                candle::bail!("the network's logits do not depend on its images")
            };
            check_gradient(&grad, false)?;
            let (gap, grad) = (gap.to_vec1::<f32>()?, grad.flatten_all()?.to_vec1::<f32>()?);
            for (row, (gap, grad)) in gap.into_iter().zip(grad.chunks(size)).enumerate() {
                let far = f64::from(gap.abs()) / (dual_length(norm, grad) + TINY);
                if nearest[row].is_nan() || far < nearest[row] {
                    nearest[row] = far;
                    gaps[row] = gap;
                    grads[row * size..][..size].copy_from_slice(grad);
                }
            }
        }
        Ok((gaps, grads))
    }

    /// Where the network does not say at `x` what the label says.
    pub fn wrong(&self, victim: Victim<'_>, x: &[f32]) -> Result<Vec<bool>> {
        let logits = victim.model.forward(&self.tensor(x.to_vec())?, victim.mode)?.logits;
        let labels = Tensor::new(self.labels.as_slice(), logits.device())?;
        Ok(misclassified(&logits, &labels)?.to_vec1::<u8>()?.into_iter().map(|wrong| wrong != 0).collect())
    }
}
