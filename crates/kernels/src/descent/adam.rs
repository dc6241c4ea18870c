//! The update of Adam, in place.

use super::Update;
use crate::cuda::Launch;
use crate::host::check;
use candle::{Result, Tensor, bail};

const NAME: &str = "adam_step";

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

/// One step on the weights `w`, the mean `m` of their gradients and the mean `v` of their squares, all three
/// changed in place: `g = grad + weight_decay * w; m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g²;
/// w -= lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps)`.
///
/// # Errors
/// Not f32 on one device, different shapes, non-contiguous `w`, `m` or `v`, or tensors that share storage.
pub fn adam_step(w: &Tensor, m: &Tensor, v: &Tensor, grad: &Tensor, step: AdamStep) -> Result<()> {
    check(NAME, &[w, m, v, grad])?;
    let shapes = [w, m, v, grad].map(Tensor::shape);
    if shapes.iter().any(|shape| *shape != shapes[0]) {
        bail!("{NAME}: shapes {shapes:?} differ")
    }
    let grad = grad.contiguous()?;
    let AdamStep { lr, beta1, beta2, eps, weight_decay, step } = step;
    let (eps, decay) = (eps as f32, weight_decay as f32);
    // The means first: they need the old weights.
    let (kept, new) = (beta1 as f32, (1. - beta1) as f32);
    let kernel = Launch::each("adam_mean", m.shape()).float(kept).float(new).float(decay);
    m.inplace_op3(w, &grad, &Update { name: NAME, rule: |m, w, g| kept * m + new * (g + decay * w), kernel })?;
    let (kept, new) = (beta2 as f32, (1. - beta2) as f32);
    let kernel = Launch::each("adam_square", v.shape()).float(kept).float(new).float(decay);
    let rule = |v, w, g| {
        let g = g + decay * w;
        kept * v + new * g * g
    };
    v.inplace_op3(w, &grad, &Update { name: NAME, rule, kernel })?;
    // What the means lack, as they began at 0.
    let missing = |beta: f64| 1. - beta.powf(step as f64);
    let (size, root) = ((lr / missing(beta1)) as f32, missing(beta2).sqrt() as f32);
    let kernel = Launch::each("adam_descend", w.shape()).float(size).float(root).float(eps);
    let rule = |w, m, v: f32| w - size * m / (v.sqrt() / root + eps);
    w.inplace_op3(m, v, &Update { name: NAME, rule, kernel })
}
