//! Batch normalisation, with the rectifier and the residual sum of a ResNet block fused in.

mod channels;

use crate::host::{check, floats, produce, tensor, view};
use crate::isa::{Isa, isa};
use candle::{CpuStorage, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor, bail};
use channels::{InputGrad, Normalise};
use std::sync::Arc;

const NAME: &str = "batch_norm";

/// Which mean and variance normalise.
#[derive(Clone, Copy, Debug)]
pub enum Statistics<'a> {
    /// Those of the batch itself; the gradient flows through them.
    Batch,
    /// Given ones, constants for the gradient.
    Running {
        /// (C,)
        mean: &'a Tensor,
        /// (C,)
        var: &'a Tensor,
    },
}

/// What a batch told about its channels, for the caller's running statistics.
#[derive(Clone, Debug)]
pub struct Moments {
    /// (C,)
    pub mean: Tensor,
    /// (C,), divided by `count`, not by `count - 1`.
    pub var: Tensor,
    /// Values per channel.
    pub count: usize,
}

/// `act(gamma * (x - mean) / sqrt(var + eps) + beta [+ residual])`, act being the rectifier if
/// `relu`, for `x` (..., C), `gamma` and `beta` (C,), `residual` of `x`'s shape.
///
/// Differentiable in `x`, `gamma`, `beta` and `residual`; the rectifier's derivative at 0 is 0. The
/// moments are `Some` with [`Statistics::Batch`] only. One value per channel is not an error: its
/// variance is 0.
///
/// # Errors
/// Not f32 on the CPU, no values, or shapes that do not fit.
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f32,
    statistics: Statistics<'_>,
    relu: bool,
    residual: Option<&Tensor>,
) -> Result<(Tensor, Option<Moments>)> {
    check(NAME, &[x, gamma, beta])?;
    let c = match x.dims().last() {
        Some(&c) if x.elem_count() > 0 => c,
        _ => bail!("{NAME}: expected values (..., C), got {:?}", x.shape()),
    };
    if gamma.dims() != [c] || beta.dims() != [c] {
        bail!("{NAME}: gamma {:?} and beta {:?} do not fit x {:?}", gamma.shape(), beta.shape(), x.shape())
    }
    let x = x.contiguous()?;
    let isa = isa();
    let (mean, var, moments) = match statistics {
        Statistics::Batch => {
            let (mean, var) = channels::moments(isa, &view(NAME, &x)?, c);
            let tensor = |v: &[f32]| Tensor::from_slice(v, c, &Device::Cpu);
            let moments = Moments { mean: tensor(&mean)?, var: tensor(&var)?, count: x.elem_count() / c };
            (mean, var, Some(moments))
        }
        Statistics::Running { mean, var } => {
            check(NAME, &[mean, var])?;
            if mean.dims() != [c] || var.dims() != [c] {
                bail!("{NAME}: mean {:?} and variance {:?} do not fit x {:?}", mean.shape(), var.shape(), x.shape())
            }
            (mean.to_vec1()?, var.to_vec1()?, None)
        }
    };
    let inverse = var.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
    let op = BatchNorm(Arc::new(Saved { c, mean, inverse, batch: moments.is_some(), relu, isa }));
    // Two parameters in one tensor, because an operation of candle's has at most three arguments.
    let parameters = Tensor::stack(&[gamma, beta], 0)?;
    let y = match residual {
        None => x.apply_op2(&parameters, op)?,
        Some(r) => {
            check(NAME, &[r])?;
            if r.shape() != x.shape() {
                bail!("{NAME}: residual {:?} does not fit x {:?}", r.shape(), x.shape())
            }
            x.apply_op3(&parameters, &r.contiguous()?, op)?
        }
    };
    Ok((y, moments))
}

struct Saved {
    c: usize,
    mean: Vec<f32>,
    /// 1 / sqrt(var + eps)
    inverse: Vec<f32>,
    batch: bool,
    relu: bool,
    isa: Isa,
}

struct BatchNorm(Arc<Saved>);

impl BatchNorm {
    fn forward(&self, x: &[f32], parameters: &[f32], residual: Option<&[f32]>, y: &mut [f32]) {
        let s = &self.0;
        let (gamma, beta) = parameters.split_at(s.c);
        let scale: Vec<f32> = gamma.iter().zip(&s.inverse).map(|(g, i)| g * i).collect();
        channels::normalise(
            s.isa,
            &Normalise { x, mean: &s.mean, scale: &scale, shift: beta, residual, relu: s.relu },
            y,
        );
    }

    /// Gradients of x, parameters and residual; each only if asked for.
    fn backward(
        &self,
        args: [&Tensor; 2],
        residual: Option<&Tensor>,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let s = &self.0;
        let [x, parameters] = args;
        let (want_x, want_p) = (x.track_op(), parameters.track_op());
        let want_r = residual.is_some_and(Tensor::track_op);
        // With the rectifier the residual's gradient is the masked one; without it is dy itself.
        let dr = match (want_r, s.relu) {
            (false, _) => None,
            (true, false) => Some(dy.clone()),
            (true, true) => Some(crate::relu::mask(y, dy)?),
        };
        // Its masked values need no second mask.
        let (dy, masked) = match &dr {
            Some(dr) => (dr.clone(), true),
            None => (dy.clone(), !s.relu),
        };
        let dy = dy.contiguous()?;
        let (values, dy, p) = (view(NAME, x)?, view(NAME, &dy)?, view(NAME, parameters)?);
        let y = view(NAME, y)?;
        let y = (!masked).then_some(&*y);
        let sums = if want_p || (want_x && s.batch) {
            channels::gradient_sums(s.isa, &values, &dy, y, &s.mean)
        } else {
            [vec![0.0; s.c], vec![0.0; s.c]]
        };
        let dp = want_p.then(|| {
            tensor((2, s.c), |dp| {
                let (dgamma, dbeta) = dp.split_at_mut(s.c);
                dbeta.copy_from_slice(&sums[0]);
                for ((d, sum), inverse) in dgamma.iter_mut().zip(&sums[1]).zip(&s.inverse) {
                    *d = sum * inverse;
                }
            })
        });
        let dx = want_x.then(|| {
            tensor(x.shape(), |dx| {
                let factors = &self.factors(values.len() / s.c, &p[..s.c], &sums);
                let grad = InputGrad { x: &values, dy: &dy, y, mean: &s.mean, factors, batch: s.batch };
                channels::input_grad(s.isa, &grad, dx);
            })
        });
        let (dx, dp) = (dx.transpose()?, dp.transpose()?);
        Ok([dx, dp, dr])
    }

    /// The three of `dx = k0 dy + k1 (x - mean) + k2`.
    fn factors(&self, rows: usize, gamma: &[f32], [sum, product]: &[Vec<f32>; 2]) -> [Vec<f32>; 3] {
        let s = &self.0;
        let k0: Vec<f32> = gamma.iter().zip(&s.inverse).map(|(g, i)| g * i).collect();
        let n = rows as f32;
        let k1 = (0..s.c).map(|c| -k0[c] * s.inverse[c] * s.inverse[c] * product[c] / n).collect();
        let k2 = (0..s.c).map(|c| -k0[c] * sum[c] / n).collect();
        [k0, k1, k2]
    }
}

impl CustomOp2 for BatchNorm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, p: &CpuStorage, lp: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, p) = (floats(NAME, x, lx)?, floats(NAME, p, lp)?);
        Ok(produce(lx.shape(), |y| self.forward(x, p, None, y)))
    }

    fn bwd(&self, x: &Tensor, p: &Tensor, y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [dx, dp, _] = self.backward([x, p], None, y, dy)?;
        Ok((dx, dp))
    }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        p: &CpuStorage,
        lp: &Layout,
        r: &CpuStorage,
        lr: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, p, r) = (floats(NAME, x, lx)?, floats(NAME, p, lp)?, floats(NAME, r, lr)?);
        Ok(produce(lx.shape(), |y| self.forward(x, p, Some(r), y)))
    }

    fn bwd(
        &self,
        x: &Tensor,
        p: &Tensor,
        r: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dp, dr] = self.backward([x, p], Some(r), y, dy)?;
        Ok((dx, dp, dr))
    }
}
