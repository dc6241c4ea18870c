//! The update of stochastic gradient descent, in place.

use super::update;
use crate::cuda::Launch;
use crate::host::check;
use candle::{CpuStorage, CudaStorage, InplaceOp3, Layout, Result, Tensor, bail};

/// The constants of one step of SGD, named as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// What is kept of the last step's velocity.
    pub momentum: f64,
    /// Weight decay, added to the gradient.
    pub weight_decay: f64,
    /// Whether to look ahead by one velocity.
    pub nesterov: bool,
}

/// One step on the weights `w` and their velocity `v`, both changed in place:
/// `g = grad + weight_decay * w; v = momentum * v + g; w -= lr * v`, or with Nesterov
/// `w -= lr * (g + momentum * v)`. `v` is zero before the first step.
///
/// # Errors
/// Not f32 on one device, different shapes, non-contiguous `w` or `v`, or tensors that share storage.
pub fn sgd_step(w: &Tensor, v: &Tensor, grad: &Tensor, step: SgdStep) -> Result<()> {
    check("sgd_step", &[w, v, grad])?;
    if w.shape() != v.shape() || w.shape() != grad.shape() {
        bail!("sgd_step: shapes {:?}, {:?}, {:?} differ", w.shape(), v.shape(), grad.shape())
    }
    let grad = grad.contiguous()?;
    // The velocity first: it needs the old weights, and Nesterov's rule can be told from both.
    v.inplace_op3(w, &grad, &Velocity(step))?;
    w.inplace_op3(v, &grad, &Descend(step))
}

struct Velocity(SgdStep);
struct Descend(SgdStep);

impl InplaceOp3 for Velocity {
    fn name(&self) -> &'static str {
        "sgd_step"
    }

    fn cpu_fwd(
        &self,
        v: &mut CpuStorage,
        lv: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        g: &CpuStorage,
        lg: &Layout,
    ) -> Result<()> {
        let (momentum, decay) = (self.0.momentum as f32, self.0.weight_decay as f32);
        update("sgd_step", (v, lv), (w, lw), (g, lg), |v, w, g| momentum * v + (g + decay * w))
    }

    fn cuda_fwd(
        &self,
        v: &mut CudaStorage,
        lv: &Layout,
        w: &CudaStorage,
        lw: &Layout,
        g: &CudaStorage,
        lg: &Layout,
    ) -> Result<()> {
        let SgdStep { momentum, weight_decay, .. } = self.0;
        let launch = Launch::each("sgd_velocity", lv.shape()).float(momentum as f32).float(weight_decay as f32);
        launch.update((v, lv), &[(w, lw), (g, lg)])
    }
}

impl InplaceOp3 for Descend {
    fn name(&self) -> &'static str {
        "sgd_step"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        lw: &Layout,
        v: &CpuStorage,
        lv: &Layout,
        g: &CpuStorage,
        lg: &Layout,
    ) -> Result<()> {
        let SgdStep { lr, momentum, weight_decay, nesterov } = self.0;
        let (lr, momentum, decay) = (lr as f32, momentum as f32, weight_decay as f32);
        if nesterov {
            update("sgd_step", (w, lw), (v, lv), (g, lg), |w, v, g| w - lr * ((g + decay * w) + momentum * v))
        } else {
            update("sgd_step", (w, lw), (v, lv), (g, lg), |w, v, _| w - lr * v)
        }
    }

    fn cuda_fwd(
        &self,
        w: &mut CudaStorage,
        lw: &Layout,
        v: &CudaStorage,
        lv: &Layout,
        g: &CudaStorage,
        lg: &Layout,
    ) -> Result<()> {
        let SgdStep { lr, momentum, weight_decay, nesterov } = self.0;
        let launch = Launch::each("sgd_descend", lw.shape()).float(lr as f32).float(momentum as f32);
        let launch = launch.float(weight_decay as f32).int(nesterov.into());
        launch.update((w, lw), &[(v, lv), (g, lg)])
    }
}
