//! Batch normalisation, with the rectifier behind it.

use super::Launch;
use super::sums::{FOLD_THREADS, Parts};
use crate::{Moments, Statistics};
use candle::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Storage, Tensor, bail};

const NAME: &str = "batch_norm";

/// [`crate::batch_norm`] of contiguous `x` on a GPU; shapes are checked.
pub(crate) fn batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    eps: f32,
    statistics: Statistics<'_>,
    relu: bool,
) -> Result<(Tensor, Option<Moments>)> {
    let c = gamma.elem_count();
    let parts = Parts::of(x.elem_count() / c, c);
    let (moments, told) = match statistics {
        Statistics::Batch => {
            let first = parts.first("moments_parts", 2).on(&[x])?;
            let second = Launch::blocks("moments_fold", (2, c), c, FOLD_THREADS);
            let moments = second.ints([parts.count, c, parts.rows, parts.per]).on(&[&first])?;
            let told = Moments { mean: moments.get(0)?, var: moments.get(1)?, count: parts.rows };
            (moments, Some(told))
        }
        Statistics::Running { mean, var } => (Tensor::stack(&[mean, var], 0)?.detach(), None),
    };
    let parameters = Tensor::stack(&[gamma, beta], 0)?;
    let y = x.apply_op2(&parameters, BatchNorm { parts, moments, batch: told.is_some(), eps, relu })?;
    Ok((y, told))
}

struct BatchNorm {
    parts: Parts,
    /// (2, C): mean and variance.
    moments: Tensor,
    /// Whether they are the batch's, so that gradients flow through them.
    batch: bool,
    eps: f32,
    relu: bool,
}

impl CustomOp2 for BatchNorm {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, l: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        bail!("{NAME}: made for a GPU, given {:?} on the CPU", l.shape())
    }

    fn cuda_fwd(&self, x: &CudaStorage, lx: &Layout, p: &CudaStorage, lp: &Layout) -> Result<(CudaStorage, Shape)> {
        let (moments, lm) = self.moments.storage_and_layout();
        let Storage::Cuda(moments) = &*moments else { bail!("{NAME}: moments that are on no GPU") };
        let launch = Launch::each(NAME, lx.shape()).int(self.parts.c).float(self.eps).int(self.relu.into());
        launch.run(&[(x, lx), (p, lp), (moments, lm)])
    }

    fn bwd(&self, x: &Tensor, p: &Tensor, y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Self { parts, moments, batch, eps, relu } = self;
        let dy = &dy.contiguous()?;
        let sums = if *batch || p.track_op() {
            let first = parts.first("norm_parts", 2).int((*relu).into()).on(&[x, y, dy, moments])?;
            parts.fold(&first, 2)?
        } else {
            // Not read then.
            moments.clone()
        };
        let dx = || {
            let launch = Launch::each("norm_input_grad", x.shape()).ints([parts.c, parts.rows]);
            let launch = launch.float(*eps).ints([(*relu).into(), (*batch).into()]);
            launch.on(&[x, y, dy, p, moments, &sums])
        };
        let dp = || Launch::each("norm_parameter_grad", p.shape()).int(parts.c).float(*eps).on(&[moments, &sums]);
        Ok((x.track_op().then(dx).transpose()?, p.track_op().then(dp).transpose()?))
    }
}
