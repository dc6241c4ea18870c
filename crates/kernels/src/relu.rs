//! The rectifier.

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

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

/// `max(a + b, 0)` of two tensors of one shape, with the derivative of [`relu`].
///
/// # Errors
/// Not f32 on one device, or two shapes.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check("add_relu", &[a, b])?;
    if a.shape() != b.shape() {
        bail!("add_relu: shapes {:?} and {:?} differ", a.shape(), b.shape())
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, AddRelu)
}

struct AddRelu;

impl CustomOp2 for AddRelu {
    fn name(&self) -> &'static str {
        "add_relu"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        pointwise(self.name(), (a, la), (b, lb), |a, b| rectify(a + b))
    }

    fn cuda_fwd(&self, a: &CudaStorage, la: &Layout, b: &CudaStorage, lb: &Layout) -> Result<(CudaStorage, Shape)> {
        Launch::each(self.name(), la.shape()).run(&[(a, la), (b, lb)])
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let both = mask(y, dy)?;
        Ok((a.track_op().then(|| both.clone()), b.track_op().then_some(both)))
    }
}

/// NaN stays NaN: a broken network must not look like a silent one.
#[inline(always)]
pub(crate) fn rectify(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// `dy`, but 0 where `y <= 0`. Not where `y` is no number: the gradient of a broken network must not look like that of a
/// silent one.
pub(crate) fn mask(y: &Tensor, dy: &Tensor) -> Result<Tensor> {
    y.contiguous()?.apply_op2_no_bwd(&dy.contiguous()?, &Mask)
}

struct Mask;

impl CustomOp2 for Mask {
    fn name(&self) -> &'static str {
        "relu's gradient"
    }

    fn cpu_fwd(&self, y: &CpuStorage, ly: &Layout, dy: &CpuStorage, ld: &Layout) -> Result<(CpuStorage, Shape)> {
        pointwise(self.name(), (y, ly), (dy, ld), |y, dy| if y <= 0.0 { 0.0 } else { dy })
    }

    fn cuda_fwd(&self, y: &CudaStorage, ly: &Layout, dy: &CudaStorage, ld: &Layout) -> Result<(CudaStorage, Shape)> {
        Launch::each("mask", ld.shape()).run(&[(y, ly), (dy, ld)])
    }
}

/// `f` of each two floats of one shape.
fn pointwise(
    of: &str,
    (a, la): (&CpuStorage, &Layout),
    (b, lb): (&CpuStorage, &Layout),
    f: impl Fn(f32, f32) -> f32 + Sync + Send,
) -> Result<(CpuStorage, Shape)> {
    let (a, b) = (floats(of, a, la)?, floats(of, b, lb)?);
    Ok(produce(la.shape(), |y| {
        let out = Out::new(y);
        ranges(a.len(), 1 << 12, a.len() / 8, |from, to| {
            // SAFETY: all three are equally long; from..to is this task's alone.
            let y = unsafe { core::slice::from_raw_parts_mut(out.at(from), to - from) };
            for ((y, &a), &b) in y.iter_mut().zip(&a[from..to]).zip(&b[from..to]) {
                *y = f(a, b);
            }
        });
    }))
}
