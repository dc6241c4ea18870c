//! One step of an attack inside a box.

use crate::host::{check, floats, produce};
use crate::memory::Out;
use crate::parallel::ranges;
use candle::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// `clip(centre + clip(adv + step * sign(grad) - centre, -eps, eps), 0, 1)` in this order and in
/// 32 bits, as PyTorch does it; sign(0) = 0. All three of one shape. Records no graph.
///
/// # Errors
/// Not f32 on the CPU, or different shapes.
pub fn linf_step(adv: &Tensor, grad: &Tensor, centre: &Tensor, step: f32, eps: f32) -> Result<Tensor> {
    check("linf_step", &[adv, grad, centre])?;
    if adv.shape() != grad.shape() || adv.shape() != centre.shape() {
        bail!("linf_step: shapes {:?}, {:?}, {:?} differ", adv.shape(), grad.shape(), centre.shape())
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
        let (step, eps) = (self.step, self.eps);
        Ok(produce(la.shape(), |out| {
            let place = Out::new(out);
            ranges(adv.len(), 1 << 12, adv.len() / 2, |a, b| {
                // SAFETY: all are equally long; a..b is this task's alone.
                let out = unsafe { core::slice::from_raw_parts_mut(place.at(a), b - a) };
                for (((out, &x), &g), &c) in out.iter_mut().zip(&adv[a..b]).zip(&grad[a..b]).zip(&centre[a..b]) {
                    let moved = x + step * sign(g);
                    *out = (c + (moved - c).clamp(-eps, eps)).clamp(0.0, 1.0);
                }
            });
        }))
    }
}

#[inline(always)]
fn sign(g: f32) -> f32 {
    f32::from(i8::from(g > 0.0) - i8::from(g < 0.0))
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
}
