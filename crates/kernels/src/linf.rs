//! One step of an attack inside a box.

use crate::cuda::Launch;
use crate::host::{check, floats, produce};
use crate::isa::isa;
use crate::memory::Out;
use crate::parallel::ranges;
use crate::simd::{Kernel, Simd, dispatch};
use candle::{CpuStorage, CudaStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `clip(centre + clip(adv + step * sign(grad) - centre, -eps, eps), 0, 1)` in this order and in
/// 32 bits, as PyTorch does it; sign(0) = 0. Where `grad` is no number the pixel becomes none: one that stayed where it is
/// would look like a pixel that no attack moves. All three of one shape. Records no graph.
///
/// # Errors
/// Not f32 on one device, different shapes, or a radius below 0.
pub fn linf_step(adv: &Tensor, grad: &Tensor, centre: &Tensor, step: f32, eps: f32) -> Result<Tensor> {
    check("linf_step", &[adv, grad, centre])?;
    if adv.shape() != grad.shape() || adv.shape() != centre.shape() {
        bail!("linf_step: shapes {:?}, {:?}, {:?} differ", adv.shape(), grad.shape(), centre.shape())
    }
    if eps.is_nan() || eps < 0.0 {
        bail!("linf_step: a radius of {eps}")
    }
    adv.contiguous()?.apply_op3_no_bwd(&grad.contiguous()?, &centre.contiguous()?, &Step { step, eps })
}

struct Step {
    step: f32,
    eps: f32,
}

impl CustomOp3 for Step {
    fn name(&self) -> &'static str {
        "linf_step"
    }

    fn cpu_fwd(
        &self,
        adv: &CpuStorage,
        la: &Layout,
        grad: &CpuStorage,
        lg: &Layout,
        centre: &CpuStorage,
        lc: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let adv = floats("linf_step", adv, la)?;
        let grad = floats("linf_step", grad, lg)?;
        let centre = floats("linf_step", centre, lc)?;
        Ok(produce(la.shape(), |out| {
            let place = Out::new(out);
            ranges(adv.len(), 1 << 12, adv.len() / 8, |a, b| {
                // SAFETY: all are equally long; a..b is this task's alone.
                unsafe {
                    let out = core::slice::from_raw_parts_mut(place.at(a), b - a);
                    let piece = Piece { adv: &adv[a..b], grad: &grad[a..b], centre: &centre[a..b], step: self, out };
                    dispatch(isa(), &piece);
                }
            });
        }))
    }

    fn cuda_fwd(
        &self,
        adv: &CudaStorage,
        la: &Layout,
        grad: &CudaStorage,
        lg: &Layout,
        centre: &CudaStorage,
        lc: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let launch = Launch::each("linf_step", la.shape()).float(self.step).float(self.eps);
        launch.run(&[(adv, la), (grad, lg), (centre, lc)])
    }
}

/// Some of the pixels.
struct Piece<'a> {
    adv: &'a [f32],
    grad: &'a [f32],
    centre: &'a [f32],
    step: &'a Step,
    out: *mut [f32],
}

impl Kernel for Piece<'_> {
    // Plain arithmetic: the compiler finds the vectors, given the instructions.
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, _: S) {
        let Step { step, eps } = *self.step;
        // SAFETY: the caller's promise.
        let out = unsafe { &mut *self.out };
        for (((out, &x), &g), &c) in out.iter_mut().zip(self.adv).zip(self.grad).zip(self.centre) {
            // What is neither above nor below 0 is 0 or no number.
            let up = if g > 0.0 { step } else { g };
            let moved = x + if g < 0.0 { -step } else { up };
            *out = (c + (moved - c).clamp(-eps, eps)).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle::Device;

    #[test]
    fn stays_in_the_ball_and_in_the_box() -> Result<()> {
        let t = |v: &[f32]| Tensor::new(v, &Device::Cpu);
        let out = linf_step(
            &t(&[0.5, 0.5, 0.99, 0.0])?,
            &t(&[1.0, 0.0, 3.0, -2.0])?,
            &t(&[0.4, 0.5, 0.95, 0.0])?,
            0.25,
            0.125,
        )?;
        assert_eq!(out.to_vec1::<f32>()?, [0.525, 0.5, 1.0, 0.0]);
        Ok(())
    }

    #[test]
    fn a_gradient_that_is_no_number_shows() -> Result<()> {
        let x = Tensor::new(&[0.5f32; 3], &Device::Cpu)?;
        let grad = Tensor::new(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY], &Device::Cpu)?;
        let out = linf_step(&x, &grad, &x, 0.25, 0.125)?.to_vec1::<f32>()?;
        assert!(out[0].is_nan() && out[1..] == [0.625, 0.375], "{out:?}");
        Ok(())
    }
}
