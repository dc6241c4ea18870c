//! The logarithm of softmax.

use crate::cuda::Launch;
use crate::host::check;
use candle::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor, bail};

const NAME: &str = "log_softmax";

/// `log softmax` of each row of `logits` (N, K), in natural logarithms.
///
/// On the CPU this is a chain of candle's operations; on a GPU, where starting each of them would take longer than
/// running it, one kernel there and one back.
///
/// # Errors
/// Not f32 on one device, or not a matrix.
pub fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    check(NAME, &[logits])?;
    logits.dims2()?;
    if logits.device().is_cuda() {
        return logits.contiguous()?.apply_op1(LogSoftmax);
    }
    // The row maximum only guards against overflow: its gradient cancels, so it is left out.
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// A warp of the GPU for each row of this shape.
fn by_row(function: &'static str, shape: &Shape) -> Result<Launch> {
    let (rows, classes) = shape.dims2()?;
    Ok(Launch::threads(function, shape, rows * 32).int(classes))
}

struct LogSoftmax;

impl CustomOp1 for LogSoftmax {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("{NAME}: made for a GPU, given a tensor on the CPU")
    }

    fn cuda_fwd(&self, x: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        by_row(NAME, l.shape())?.run(&[(x, l)])
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        x.track_op().then(|| y.apply_op2_no_bwd(&dy.contiguous()?, &Gradient)).transpose()
    }
}

/// `dy - softmax * sum(dy)`
struct Gradient;

impl CustomOp2 for Gradient {
    fn name(&self) -> &'static str {
        "log_softmax's gradient"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("{NAME}: made for a GPU, given tensors on the CPU")
    }

    fn cuda_fwd(&self, y: &CudaStorage, ly: &Layout, dy: &CudaStorage, ld: &Layout) -> Result<(CudaStorage, Shape)> {
        by_row("log_softmax_grad", ld.shape())?.run(&[(y, ly), (dy, ld)])
    }
}
