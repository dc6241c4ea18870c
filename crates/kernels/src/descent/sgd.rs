//! The update of stochastic gradient descent, in place.

use super::Update;
use crate::cuda::Launch;
use crate::host::check;
use candle::{Result, Tensor, bail};

const NAME: &str = "sgd_step";

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
    check(NAME, &[w, v, grad])?;
    if w.shape() != v.shape() || w.shape() != grad.shape() {
        bail!("{NAME}: shapes {:?}, {:?}, {:?} differ", w.shape(), v.shape(), grad.shape())
    }
    let grad = grad.contiguous()?;
    let SgdStep { lr, momentum, weight_decay, nesterov } = step;
    let (lr, momentum, decay) = (lr as f32, momentum as f32, weight_decay as f32);
    // The velocity first: it needs the old weights, and Nesterov's rule can be told from both.
    let kernel = Launch::each("sgd_velocity", v.shape()).float(momentum).float(decay);
    v.inplace_op3(w, &grad, &Update { name: NAME, rule: |v, w, g| momentum * v + (g + decay * w), kernel })?;
    let kernel = Launch::each("sgd_descend", w.shape()).float(lr).float(momentum).float(decay).int(nesterov.into());
    if nesterov {
        let rule = |w, v, g| w - lr * ((g + decay * w) + momentum * v);
        w.inplace_op3(v, &grad, &Update { name: NAME, rule, kernel })
    } else {
        w.inplace_op3(v, &grad, &Update { name: NAME, rule: |w, v, _| w - lr * v, kernel })
    }
}
