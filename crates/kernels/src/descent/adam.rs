//! The update of Adam, in place.

use super::update;
use crate::cuda::Launch;
use crate::host::check;
use candle::{CpuStorage, CudaStorage, InplaceOp3, Layout, Result, Tensor, bail};

/// The constants of one step of Adam (Kingma and Ba 2015), named as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f64,
    /// What is kept of the mean of past gradients.
    pub beta1: f64,
    /// What is kept of the mean of their squares.
    pub beta2: f64,
    /// Added to the root that is divided by.
    pub eps: f64,
    /// Weight decay, added to the gradient.
    pub weight_decay: f64,
    /// Which step this is, counted from 1: both means begin at 0, and are corrected for it.
    pub step: usize,
}

impl AdamStep {
    /// By how much a weight moves, the root that corrects the squares, and what is added to their root.
    fn descent(&self) -> (f32, f32, f32) {
        let &Self { lr, beta1, beta2, eps, step, .. } = self;
        let missing = |beta: f64| 1. - beta.powf(step as f64);
        ((lr / missing(beta1)) as f32, missing(beta2).sqrt() as f32, eps as f32)
    }

    /// The update of one of the means on a card.
    fn mean(&self, kernel: &'static str, beta: f64, l: &Layout) -> Launch {
        Launch::each(kernel, l.shape()).float(beta as f32).float((1. - beta) as f32).float(self.weight_decay as f32)
    }
}

/// One step on the weights `w`, the mean `m` of their gradients and the mean `v` of their squares, all three
/// changed in place: `g = grad + weight_decay * w; m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g²;
/// w -= lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps)`.
///
/// # Errors
/// Not f32 on one device, different shapes, non-contiguous `w`, `m` or `v`, or tensors that share storage.
pub fn adam_step(w: &Tensor, m: &Tensor, v: &Tensor, grad: &Tensor, step: AdamStep) -> Result<()> {
    check("adam_step", &[w, m, v, grad])?;
    let shapes = [w, m, v, grad].map(Tensor::shape);
    if shapes.iter().any(|shape| *shape != shapes[0]) {
        bail!("adam_step: shapes {shapes:?} differ")
    }
    let grad = grad.contiguous()?;
    // The means first: they need the old weights.
    m.inplace_op3(w, &grad, &Mean(step))?;
    v.inplace_op3(w, &grad, &Square(step))?;
    w.inplace_op3(m, v, &Descend(step))
}

struct Mean(AdamStep);
struct Square(AdamStep);
struct Descend(AdamStep);

impl InplaceOp3 for Mean {
    fn name(&self) -> &'static str {
        "adam_step"
    }

    fn cpu_fwd(
        &self,
        m: &mut CpuStorage,
        lm: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        g: &CpuStorage,
        lg: &Layout,
    ) -> Result<()> {
        let (kept, new, decay) = (self.0.beta1 as f32, (1. - self.0.beta1) as f32, self.0.weight_decay as f32);
        update("adam_step", (m, lm), (w, lw), (g, lg), |m, w, g| kept * m + new * (g + decay * w))
    }

    fn cuda_fwd(
        &self,
        m: &mut CudaStorage,
        lm: &Layout,
        w: &CudaStorage,
        lw: &Layout,
        g: &CudaStorage,
        lg: &Layout,
    ) -> Result<()> {
        let launch = self.0.mean("adam_mean", self.0.beta1, lm);
        launch.update((m, lm), &[(w, lw), (g, lg)])
    }
}

impl InplaceOp3 for Square {
    fn name(&self) -> &'static str {
        "adam_step"
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
        let (kept, new, decay) = (self.0.beta2 as f32, (1. - self.0.beta2) as f32, self.0.weight_decay as f32);
        update("adam_step", (v, lv), (w, lw), (g, lg), |v, w, g| {
            let g = g + decay * w;
            kept * v + new * g * g
        })
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
        let launch = self.0.mean("adam_square", self.0.beta2, lv);
        launch.update((v, lv), &[(w, lw), (g, lg)])
    }
}

impl InplaceOp3 for Descend {
    fn name(&self) -> &'static str {
        "adam_step"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        lw: &Layout,
        m: &CpuStorage,
        lm: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<()> {
        let (size, root, eps) = self.0.descent();
        update("adam_step", (w, lw), (m, lm), (v, lv), |w, m, v| w - size * m / (v.sqrt() / root + eps))
    }

    fn cuda_fwd(
        &self,
        w: &mut CudaStorage,
        lw: &Layout,
        m: &CudaStorage,
        lm: &Layout,
        v: &CudaStorage,
        lv: &Layout,
    ) -> Result<()> {
        let (size, root, eps) = self.0.descent();
        let launch = Launch::each("adam_descend", lw.shape()).float(size).float(root).float(eps);
        launch.update((w, lw), &[(m, lm), (v, lv)])
    }
}
