//! The rectifier.

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

/// `max(x, 0)` of any shape. The derivative at 0 is 0, as in PyTorch (candle's own has 1 there).
///
/// # Errors
/// Not f32 on one device.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    check("relu", &[x])?;
    x.contiguous()?.apply_op1(Relu)
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats("relu", x, l)?;
        Ok(produce(l.shape(), |y| {
            let out = Out::new(y);
            ranges(x.len(), 1 << 12, x.len() / 8, |a, b| {
                // SAFETY: y is as long as x; a..b is this task's alone.
                let y = unsafe { core::slice::from_raw_parts_mut(out.at(a), b - a) };
                for (y, &x) in y.iter_mut().zip(&x[a..b]) {
                    *y = rectify(x);
                }
            });
        }))
    }

    fn cuda_fwd(&self, x: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        Launch::each("relu", l.shape()).run(&[(x, l)])
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        if !x.track_op() {
            return Ok(None);
        }
        Ok(Some(mask(y, dy)?))
    }
}

/// NaN stays NaN: a broken network must not look like a silent one.
#[inline(always)]
pub(crate) fn rectify(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// `dy` where `y > 0`, else 0.
pub(crate) fn mask(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    y.contiguous()?.apply_op2_no_bwd(&dy.contiguous()?, &Mask)
}

struct Mask;

impl CustomOp2 for Mask {
    fn name(&self) -> &'static str {
        "relu's gradient"
    }

    fn cpu_fwd(&self, y: &CpuStorage, ly: &Layout, dy: &CpuStorage, ld: &Layout) -> Result<(CpuStorage, Shape)> {
        let (y, grad) = (floats("relu", y, ly)?, floats("relu", dy, ld)?);
        Ok(produce(ld.shape(), |dx| {
            let out = Out::new(dx);
            ranges(grad.len(), 1 << 12, grad.len() / 8, |a, b| {
                // SAFETY: all three are equally long; a..b is this task's alone.
                let dx = unsafe { core::slice::from_raw_parts_mut(out.at(a), b - a) };
                for ((dx, &y), &g) in dx.iter_mut().zip(&y[a..b]).zip(&grad[a..b]) {
                    *dx = if y > 0.0 { g } else { 0.0 };
                }
            });
        }))
    }

    fn cuda_fwd(&self, y: &CudaStorage, ly: &Layout, dy: &CudaStorage, ld: &Layout) -> Result<(CudaStorage, Shape)> {
        Launch::each("mask", ld.shape()).run(&[(y, ly), (dy, ld)])
    }
}
