//! Picking classes without gather: sums of one-hot products have a deterministic backward on every
//! device, and picking a maximum by its index gives the gradient to one entry even when two tie.

use candle::{D, DType, Result, Tensor};

/// `(N,)` class indices as rows of `(N, classes)` with a single one, of type `f32`.
///
/// # Errors
/// When `labels` is not of an integer type or, on the CPU, an index is not one of a class.
pub fn one_hot(labels: &Tensor, classes: usize) -> Result<Tensor> {
    if !labels.dtype().is_int() {
        candle::bail!("class indices are integers, not {:?}", labels.dtype())
    }
    let labels = labels.to_dtype(DType::U32)?;
    // A row without a one would make a loss silently zero. On a GPU, looking would wait for all that is under way, in
    // every step of an attack; labels there were checked when their data set was read.
    if labels.device().is_cpu()
        && let Some(index) = labels.to_vec1::<u32>()?.into_iter().find(|index| *index as usize >= classes)
    {
        candle::bail!("class {index} is not one of {classes} classes, counted from 0")
    }
    let all = Tensor::arange(0u32, classes as u32, labels.device())?;
    labels.unsqueeze(1)?.broadcast_eq(&all.unsqueeze(0)?)?.to_dtype(DType::F32)
}

/// The entry of each row of `values` `(N, K)` that `mask`, one-hot rows of the same shape, marks; `(N,)`.
///
/// # Errors
/// When the shapes differ.
pub fn select(values: &Tensor, mask: &Tensor) -> Result<Tensor> {
    (values * mask)?.sum(D::Minus1)
}

/// One-hot rows that mark the largest entry of each row of `values` outside `excluded` (one-hot rows).
pub(crate) fn largest_outside(values: &Tensor, excluded: &Tensor) -> Result<Tensor> {
    let classes = values.dim(D::Minus1)?;
    // Far below any score, yet finite: zero times infinity would be no number.
    let masked = (values.detach() - (excluded * 1e30)?)?;
    one_hot(&masked.argmax(D::Minus1)?, classes)
}
