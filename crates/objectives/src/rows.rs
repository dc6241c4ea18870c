//! Geometry of rows that several comparators share.

use candle::{Result, Tensor};
use models::normalized;

/// Cosines between all rows of `a` `(N, D)` and `b` `(M, D)`, `(N, M)`.
///
/// # Errors
/// When the rows differ in length.
pub fn cosines(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    normalized(a)?.matmul(&normalized(b)?.t()?)
}

/// `|x|` with derivative 0 at 0, where candle has 1: features after a relu are equal there, both 0.
pub(crate) fn absolute(x: &Tensor) -> Result<Tensor> {
    x * x.detach().sign()?
}

/// `(N, N)`: 1 where row and column have the same label.
pub(crate) fn same_label(labels: &Tensor) -> Result<Tensor> {
    labels.unsqueeze(1)?.broadcast_eq(&labels.unsqueeze(0)?)?.to_dtype(candle::DType::F32)
}
