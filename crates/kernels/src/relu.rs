//! The rectifier.

use crate::host::{check, floats, produce, tensor, view};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// `max(x, 0)` of any shape. The derivative at 0 is 0, as in PyTorch (candle's own has 1 there).
///
/// # Errors
/// Not f32 on the CPU.
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
    let (y, dy) = (y.contiguous()?, dy.contiguous()?);
    let (y, grad) = (view("relu", &y)?, view("relu", &dy)?);
    let (y, grad): (&[f32], &[f32]) = (&y, &grad);
    tensor(dy.shape(), |dx| {
        let out = Out::new(dx);
        ranges(grad.len(), 1 << 12, grad.len() / 8, |a, b| {
            // SAFETY: all three are equally long; a..b is this task's alone.
            let dx = unsafe { core::slice::from_raw_parts_mut(out.at(a), b - a) };
            for ((dx, &y), &g) in dx.iter_mut().zip(&y[a..b]).zip(&grad[a..b]) {
                *dx = if y > 0.0 { g } else { 0.0 };
            }
        });
    })
}
