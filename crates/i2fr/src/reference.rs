//! Distances from adversarial features to what stands for the classes.

use candle::{D, DType, Result, Tensor};
use objectives::one_hot;

/// Squared distances from N adversarial features to M references, with who belongs to whom.
pub(crate) struct Distances {
    /// `(N, M)`.
    squared: Tensor,
    /// `(N, M)`: 1 where the reference stands for the example's own class: another sample, or the mean of all.
    own: Tensor,
    /// `(N, M)`: 1 where it stands for another class.
    other: Tensor,
}

impl Distances {
    /// References are the clean samples of the batch, `clean` `(N, D)`.
    pub(crate) fn to_samples(adv: &Tensor, clean: &Tensor, labels: &Tensor, classes: usize) -> Result<Self> {
        let classes = one_hot(labels, classes)?;
        let same = classes.matmul(&classes.t()?)?;
        let itself = Tensor::eye(labels.dim(0)?, DType::F32, labels.device())?;
        Ok(Self {
            squared: kernels::squared_distances(adv, clean)?,
            own: (&same - itself)?,
            other: same.affine(-1., 1.)?,
        })
    }

    /// References are the means of the classes present in the batch.
    pub(crate) fn to_batch_means(adv: &Tensor, clean: &Tensor, labels: &Tensor, classes: usize) -> Result<Self> {
        let (means, present) = class_means(clean, labels, classes)?;
        Self::to_means(adv, &means, &present, labels)
    }

    /// References are `means` `(K, D)` of those classes that `present` `(K,)` marks with 1.
    pub(crate) fn to_means(adv: &Tensor, means: &Tensor, present: &Tensor, labels: &Tensor) -> Result<Self> {
        let own = one_hot(labels, means.dim(0)?)?;
        Ok(Self {
            squared: kernels::squared_distances(adv, means)?,
            own: own.broadcast_mul(present)?,
            other: own.affine(-1., 1.)?.broadcast_mul(present)?,
        })
    }

    /// Mean squared distance to the own class, `(N,)`; 0 for an example without a partner.
    pub(crate) fn to_own_class(&self) -> Result<Tensor> {
        mean_where(&self.squared, &self.own)
    }

    /// Mean of `max(0, margin - distance)` over other classes, `(N,)`; 0 for an example without any.
    pub(crate) fn closeness_to_others(&self, margin: f64) -> Result<Tensor> {
        mean_where(&kernels::relu(&self.squared.affine(-1., margin)?)?, &self.other)
    }
}

/// The mean of each row of `values` over the places that `mask` marks; 0 where it marks none.
fn mean_where(values: &Tensor, mask: &Tensor) -> Result<Tensor> {
    (values * mask)?.sum(D::Minus1)? / mask.sum(D::Minus1)?.maximum(1.)?
}

/// The mean feature of each class, `(K, D)`, and 1 for each class that occurs, `(K,)`.
pub(crate) fn class_means(features: &Tensor, labels: &Tensor, classes: usize) -> Result<(Tensor, Tensor)> {
    let one_hot = one_hot(labels, classes)?;
    let count = one_hot.sum(0)?;
    let sums = one_hot.t()?.contiguous()?.matmul(features)?;
    let means = sums.broadcast_div(&count.maximum(1.)?.unsqueeze(1)?)?;
    Ok((means, count.minimum(1.)?))
}
