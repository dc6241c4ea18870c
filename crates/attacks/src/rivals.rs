//! Which classes an example may become.

use crate::Victim;
use candle::{DType, Result, Tensor};

/// For each example the classes other than its label, the most likely first: `(N, K - 1)`, `u32`.
pub(crate) fn rivals(victim: Victim<'_>, images: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let logits = victim.model.forward(&images.detach(), victim.mode)?.logits.detach();
    let (n, classes) = logits.dims2()?;
    let order = logits.contiguous()?.arg_sort_last_dim(false)?.to_vec2::<u32>()?;
    let labels = labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    let others = order.into_iter().zip(labels).flat_map(|(row, own)| row.into_iter().filter(move |k| *k != own));
    Tensor::from_iter(others, images.device())?.reshape((n, classes - 1))
}
