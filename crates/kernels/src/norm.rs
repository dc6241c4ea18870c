//! Batch normalisation, with the rectifier behind it.

use crate::cuda;
use crate::host::{check, floats, produce, tensor, view};
use crate::isa::isa;
use crate::memory::Buffer;
use crate::rows::{self, Finish, Normed, Source, Sums};
use candle::{CpuStorage, CustomOp2, Device, Layout, Result, Shape, Tensor, bail};
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

/// `act(gamma * (x - mean) / sqrt(var + eps) + beta)`, act being the rectifier if `relu`, for `x`
/// (..., C), `gamma` and `beta` (C,).
///
/// Differentiable in `x`, `gamma` and `beta`; the rectifier's derivative at 0 is 0. The moments are
/// `Some` with [`Statistics::Batch`] only. One value per channel is not an error: its variance is 0.
///
/// # Errors
/// Not f32 on one device, no values, or shapes that do not fit.
pub fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f32,
    statistics: Statistics<'_>,
    relu: bool,
) -> Result<(Tensor, Option<Moments>)> {
    check(NAME, &[x])?;
    let x = x.contiguous()?;
    if x.device().is_cuda() {
        fitting(x.dims(), gamma, beta, &statistics)?;
        return cuda::batch_norm(&x, gamma, beta, eps, statistics, relu);
    }
    let c = x.dims().last().copied().unwrap_or(0);
    let moments = || Ok(rows::moments(isa(), &view(NAME, &x)?, c));
    let (affine, moments) = Affine::new(x.dims(), gamma, beta, eps, statistics, moments)?;
    let parameters = Tensor::stack(&[gamma, beta], 0)?;
    let y = x.apply_op2(&parameters, BatchNorm(Arc::new(Saved { affine, relu })))?;
    Ok((y, moments))
}

/// The channels of `x`, of this shape; an error unless all else has one number for each.
fn fitting(x: &[usize], gamma: &Tensor, beta: &Tensor, statistics: &Statistics<'_>) -> Result<usize> {
    check(NAME, &[gamma, beta])?;
    let c = x.last().copied().unwrap_or(0);
    if x.is_empty() || x.contains(&0) {
        bail!("{NAME}: expected values (..., C), got {x:?}")
    }
    if gamma.dims() != [c] || beta.dims() != [c] {
        bail!("{NAME}: gamma {:?} and beta {:?} do not fit x {x:?}", gamma.shape(), beta.shape())
    }
    if let Statistics::Running { mean, var } = statistics {
        check(NAME, &[mean, var])?;
        if mean.dims() != [c] || var.dims() != [c] {
            bail!("{NAME}: mean {:?} and variance {:?} do not fit x {x:?}", mean.shape(), var.shape())
        }
    }
    Ok(c)
}

/// Batch norm as one multiplication and one addition per value, and what its derivative needs.
#[derive(Debug)]
pub(crate) struct Affine {
    pub(crate) mean: Vec<f32>,
    /// 1 / sqrt(var + eps)
    pub(crate) inverse: Vec<f32>,
    /// gamma * inverse
    pub(crate) scale: Vec<f32>,
    /// beta - mean * scale
    pub(crate) shift: Vec<f32>,
    /// Whether mean and variance are the batch's, so that gradients flow through them.
    pub(crate) batch: bool,
}

impl Affine {
    /// For `x` of this shape; `batch_moments` gives mean and variance of its channels.
    pub(crate) fn new(
        x: &[usize],
        gamma: &Tensor,
        beta: &Tensor,
        eps: f32,
        statistics: Statistics<'_>,
        batch_moments: impl FnOnce() -> Result<(Vec<f32>, Vec<f32>)>,
    ) -> Result<(Self, Option<Moments>)> {
        let c = fitting(x, gamma, beta, &statistics)?;
        let (mean, var, moments) = match statistics {
            Statistics::Batch => {
                let (mean, var) = batch_moments()?;
                let tensor = |v: &[f32]| Tensor::from_slice(v, c, &Device::Cpu);
                let count = x.iter().product::<usize>() / c;
                let moments = Moments { mean: tensor(&mean)?, var: tensor(&var)?, count };
                (mean, var, Some(moments))
            }
            Statistics::Running { mean, var } => (mean.to_vec1()?, var.to_vec1()?, None),
        };
        let (gamma, beta) = (gamma.to_vec1::<f32>()?, beta.to_vec1::<f32>()?);
        let inverse: Vec<f32> = var.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
        let scale: Vec<f32> = gamma.iter().zip(&inverse).map(|(g, i)| g * i).collect();
        let shift = (0..c).map(|i| beta[i] - mean[i] * scale[i]).collect();
        Ok((Self { mean, inverse, scale, shift, batch: moments.is_some() }, moments))
    }

    /// `x + shift`
    pub(crate) fn shift(shift: Vec<f32>) -> Self {
        let c = shift.len();
        Self { mean: vec![0.0; c], inverse: vec![1.0; c], scale: vec![1.0; c], shift, batch: false }
    }

    /// Whether gradients pass unchanged.
    pub(crate) fn is_shift(&self) -> bool {
        !self.batch && self.scale.iter().all(|s| *s == 1.0)
    }

    pub(crate) fn of<'a>(&'a self, x: &'a [f32], relu: bool) -> Source<'a> {
        Source::Normed(Normed { x, scale: &self.scale, shift: &self.shift, relu })
    }

    /// The three of `dx = k0 g + k1 x + k2` from the sums of g and of g (x - mean) over `count` values
    /// per channel.
    pub(crate) fn factors(&self, count: usize, [sum, product]: &[Vec<f32>; 2]) -> [Vec<f32>; 3] {
        let Self { mean, inverse, scale, batch, .. } = self;
        let c = scale.len();
        if !batch {
            return [scale.clone(), vec![0.0; c], vec![0.0; c]];
        }
        let n = count as f32;
        let k1: Vec<f32> = (0..c).map(|i| -scale[i] * inverse[i] * inverse[i] * product[i] / n).collect();
        let k2 = (0..c).map(|i| -scale[i] * sum[i] / n - k1[i] * mean[i]).collect();
        [scale.clone(), k1, k2]
    }

    /// What the factors mean; `x` is not read where it does not count.
    pub(crate) fn gradient<'a>(&self, g: &'a [f32], x: &'a [f32], k: &'a [Vec<f32>; 3]) -> Source<'a> {
        if self.batch {
            Source::Gradient { g, x, k: [&k[0], &k[1], &k[2]] }
        } else {
            Source::Normed(Normed { x: g, scale: &k[0], shift: &k[2], relu: false })
        }
    }

    /// The gradient of gamma.
    pub(crate) fn gamma_grad(&self, [_, product]: &[Vec<f32>; 2]) -> Vec<f32> {
        product.iter().zip(&self.inverse).map(|(p, i)| p * i).collect()
    }
}

struct Saved {
    affine: Affine,
    relu: bool,
}

struct BatchNorm(Arc<Saved>);

impl CustomOp2 for BatchNorm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = floats(NAME, x, l)?;
        let Saved { affine, relu } = &*self.0;
        Ok(produce(l.shape(), |y| rows::fill(isa(), &affine.of(x, *relu), affine.mean.len(), y, &Finish::default())))
    }

    fn bwd(&self, x: &Tensor, p: &Tensor, y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Saved { affine, relu } = &*self.0;
        let c = affine.mean.len();
        let dy = dy.contiguous()?;
        let (values, y, dy) = (view(NAME, x)?, view(NAME, y)?, view(NAME, &dy)?);
        let keep_where = relu.then_some(Source::Plain(&y));
        let wanted = p.track_op() || affine.batch;
        let sums = wanted.then(|| Sums::against(&values, &affine.mean));
        let finish = Finish { keep_where, sums, ..Finish::default() };
        let mut g = Buffer::new(dy.len());
        rows::fill(isa(), &Source::Plain(&dy), c, &mut g, &finish);
        let sums = finish.sums.map(Sums::products).unwrap_or_default();
        let dp = p
            .track_op()
            .then(|| Tensor::from_vec([affine.gamma_grad(&sums), sums[0].clone()].concat(), (2, c), &Device::Cpu));
        let dx = x.track_op().then(|| {
            let k = affine.factors(values.len() / c, &sums);
            tensor(x.shape(), |dx| rows::fill(isa(), &affine.gradient(&g, &values, &k), c, dx, &Finish::default()))
        });
        Ok((dx.transpose()?, dp.transpose()?))
    }
}
