//! Threat models: norm balls around an image, intersected with `[0, 1]`.

use candle::{D, DType, Result, Tensor};
use kernels::Key;
use std::{fmt, str::FromStr};

/// The norm that measures a perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Norm {
    /// The largest absolute change of a pixel.
    Linf,
    /// The Euclidean length of the change.
    L2,
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linf => "linf",
            Self::L2 => "l2",
        })
    }
}

impl FromStr for Norm {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        match s.to_lowercase().as_str() {
            "linf" => Ok(Self::Linf),
            "l2" => Ok(Self::L2),
            _ => Err(format!("unknown norm `{s}`; known: linf, l2")),
        }
    }
}

/// All images within `eps` of an image, pixels in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ball {
    /// How distance is measured.
    pub norm: Norm,
    /// Radius in pixel units.
    pub eps: f64,
}

/// A radius no ball can have.
#[derive(Debug, thiserror::Error)]
#[error("eps must be a finite number of pixel units, at least 0 and at most 1e6 (such as 8/255), not {0:?}")]
pub struct BadRadius(f64);

/// Guards a division by a norm, as in the reference code.
const TINY: f64 = 1e-10;

impl Ball {
    /// A ball of radius `eps`.
    ///
    /// # Errors
    /// When `eps` is negative, or so large that 32-bit floats around it are far apart.
    pub fn new(norm: Norm, eps: f64) -> std::result::Result<Self, BadRadius> {
        if (0. ..=1e6).contains(&eps) { Ok(Self { norm, eps }) } else { Err(BadRadius(eps)) }
    }

    /// The l-infinity ball of `levels` 8-bit grey levels: 8 is the field's 8/255.
    pub fn grey_levels(levels: f64) -> Self {
        Self { norm: Norm::Linf, eps: levels / 255. }
    }

    /// The point of the ball around `centre` nearest to `x` (in the norm's usual sense).
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn project(&self, x: &Tensor, centre: &Tensor) -> Result<Tensor> {
        let delta = (x - centre)?;
        let inside = match self.norm {
            // On a GPU, what is no number becomes a bound here: gradients are looked at before (`check_gradient`).
            Norm::Linf => delta.clamp(-self.eps as f32, self.eps as f32)?,
            Norm::L2 => {
                let scale = (norms(&delta)?.maximum(TINY)?.recip()? * self.eps)?.minimum(1.)?;
                delta.broadcast_mul(&scale)?
            }
        };
        (centre + inside)?.clamp(0f32, 1f32)
    }

    /// The move of unit size that raises a function with gradient `grad` the most; none where the
    /// gradient is zero.
    pub(crate) fn direction(&self, grad: &Tensor) -> Result<Tensor> {
        match self.norm {
            Norm::Linf => grad.sign(),
            Norm::L2 => {
                // By the largest entry first: a saturated network's gradients are so small that their
                // squares vanish, and an attack that then stands still would call it robust.
                let largest = grad.abs()?.flatten_from(1)?.max_keepdim(D::Minus1)?.reshape((grad.dim(0)?, 1, 1, 1))?;
                let unit = grad.broadcast_div(&largest.maximum(f64::from(f32::MIN_POSITIVE))?)?;
                unit.broadcast_div(&norms(&unit)?.maximum(TINY)?)
            }
        }
    }

    /// Moves `x` by `length` in the direction of steepest ascent, then back into the ball. However small the gradient is: in
    /// l2 torchattacks divides by its norm plus 1e-10, so that images of which a network is very sure hardly move.
    ///
    /// # Errors
    /// When the shapes differ.
    pub fn ascend(&self, x: &Tensor, grad: &Tensor, centre: &Tensor, length: f64) -> Result<Tensor> {
        match self.norm {
            Norm::Linf => kernels::linf_step(x, grad, centre, length as f32, self.eps as f32),
            Norm::L2 => self.project(&(x + (self.direction(grad)? * length)?)?, centre),
        }
    }

    /// Fills `out` with a random move as long as the radius.
    pub(crate) fn surface(&self, key: Key, out: &mut [f32]) {
        let size = match self.norm {
            Norm::Linf => {
                kernels::fill_uniform(key, -1., 1., out);
                out.iter().fold(0f32, |max, v| max.max(v.abs()))
            }
            Norm::L2 => {
                kernels::fill_normal(key, 1., out);
                out.iter().map(|v| v * v).sum::<f32>().sqrt()
            }
        };
        let scale = self.eps as f32 / size.max(f32::MIN_POSITIVE);
        out.iter_mut().for_each(|v| *v *= scale);
    }

    /// Checks that every image of `x` lies in the ball around its `centre` (to 1e-6 of the radius, or of 1) and in `[0, 1]`.
    ///
    /// # Errors
    /// When one does not, or holds a value that is no number: then an attack has a bug.
    pub fn check(&self, x: &Tensor, centre: &Tensor) -> Result<()> {
        let delta = (x - centre)?;
        let far = match self.norm {
            Norm::Linf => delta.abs()?,
            Norm::L2 => norms(&delta)?,
        };
        let far = far.max_all()?.to_scalar::<f32>()?;
        // A sum turns any value that is not finite into a sum that is not.
        let (low, high, sum) = (x.min_all()?, x.max_all()?, x.sum_all()?);
        let (low, high, sum) = (low.to_scalar::<f32>()?, high.to_scalar::<f32>()?, sum.to_scalar::<f32>()?);
        if sum.is_finite() && far <= (self.eps + 1e-6 * self.eps.max(1.)) as f32 && low >= 0. && high <= 1. {
            return Ok(());
        }
        candle::bail!("an attack broke its threat model {self}: distance {far}, pixels from {low} to {high}, sum {sum}")
    }
}

impl fmt::Display for Ball {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels = self.eps * 255.;
        match self.norm {
            Norm::Linf if (levels - levels.round()).abs() < 1e-9 => write!(f, "linf {}/255", levels.round()),
            norm => write!(f, "{norm} {}", self.eps),
        }
    }
}

/// The Euclidean norm of each image, `(N, 1, 1, 1)`; summed in 64 bits, as one after the other thousands of 32-bit squares
/// lose more than a check of the radius allows.
fn norms(x: &Tensor) -> Result<Tensor> {
    let n = x.dim(0)?;
    let squares = x.reshape((n, ()))?.to_dtype(DType::F64)?.sqr()?;
    squares.sum_keepdim(D::Minus1)?.sqrt()?.to_dtype(x.dtype())?.reshape((n, 1, 1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle::Device;

    #[test]
    fn a_direction_does_not_depend_on_the_size_of_the_gradient() -> Result<()> {
        let grad = Tensor::new(&[3f32, -4., 0., 0.], &Device::Cpu)?.reshape((1, 1, 1, 4))?;
        for (norm, expected) in [(Norm::Linf, [1., -1., 0., 0.]), (Norm::L2, [0.6, -0.8, 0., 0.])] {
            let ball = Ball { norm, eps: 0.2 };
            for scale in [1e-35, 1e-20, 1e-8, 1., 1e8, 1e30] {
                let found: Vec<f32> = ball.direction(&(&grad * scale)?)?.flatten_all()?.to_vec1()?;
                assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{norm}, {scale}: {found:?}");
            }
            assert_eq!(ball.direction(&grad.zeros_like()?)?.sqr()?.sum_all()?.to_scalar::<f32>()?, 0.);
        }
        Ok(())
    }

    #[test]
    fn neither_does_how_far_a_step_goes() -> Result<()> {
        let grad = Tensor::new(&[3f32, -4., 0., 0.], &Device::Cpu)?.reshape((1, 1, 1, 4))?;
        let centre = Tensor::full(0.5f32, (1, 1, 1, 4), &Device::Cpu)?;
        for (norm, expected) in [(Norm::Linf, [0.6, 0.4, 0.5, 0.5]), (Norm::L2, [0.56, 0.42, 0.5, 0.5])] {
            for scale in [1e-14, 1e-10, 1., 1e10] {
                let moved = Ball { norm, eps: 0.2 }.ascend(&centre, &(&grad * scale)?, &centre, 0.1)?;
                let found: Vec<f32> = moved.flatten_all()?.to_vec1()?;
                assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{norm}, {scale}: {found:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn what_was_projected_passes_the_check() -> Result<()> {
        for norm in [Norm::Linf, Norm::L2] {
            for eps in [0.5, 1., 2.] {
                let ball = Ball::new(norm, eps).map_err(candle::Error::wrap)?;
                let mut noise = vec![0f32; 40 * 3072];
                kernels::fill_normal(Key { seed: 1, epoch: 0, example: 0, restart: 0 }, 1., &mut noise);
                let noise = Tensor::from_vec(noise, (40, 3, 32, 32), &Device::Cpu)?;
                let centre = Tensor::full(0.5f32, (40, 3, 32, 32), &Device::Cpu)?;
                ball.check(&ball.project(&(&centre + noise)?, &centre)?, &centre)?;
            }
        }
        Ok(())
    }
}
