//! Geometry of rows that several comparators share.

use candle::{D, Result, Tensor};

/// Rows of `(N, F)` divided by `max(||row||, 1e-12)`.
///
/// # Errors
/// When `rows` has no axes.
pub fn normalized(rows: &Tensor) -> Result<Tensor> {
    // The floor sits under the root: a zero row then has a finite gradient instead of 0/0.
    rows.broadcast_div(&rows.sqr()?.sum_keepdim(D::Minus1)?.maximum(1e-24)?.sqrt()?)
}

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
