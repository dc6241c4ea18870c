//! Feature scattering, Zhang and Wang 2019: examples that move the batch as a whole, and the loss
//! they are trained on.

use crate::{Objective, Pass, Passes, Term, log_softmax, one_hot, rows::cosines, select};
use candle::{D, Result, Tensor};
use std::fmt;

/// Strength of the entropy in the official code.
const EPSILON: f64 = 0.01;
/// Most Sinkhorn iterations in the official code.
const ITERATIONS: usize = 100;
/// Iterations stop once the dual variable of the clean side moves by less in total.
const THRESHOLD: f32 = 0.1;
/// Added inside the logarithm of a log-sum-exp by the official code. It is not small against sums
/// that underflow, so it is part of the method's values.
const TINY: f64 = 1e-6;

/// Cost of transporting the clean logits of the batch to the adversarial ones, [`cosine_costs`] under
/// the [`transport_plan`]. An attack ascends it, without looking at labels.
///
/// An adversarial example's loss is the cost of all mass that arrives at it, times the size of the
/// batch: the mean is then the transport cost. Examples depend on one another by design.
pub fn transport() -> Objective {
    Transport.into()
}

/// Cross-entropy with a target of `1 - share` for the true class and `share / (K - 1)` for every other
/// one. (The official code trains on the adversarial pass with a share of 0.5; PyTorch's smoothing
/// spreads over all K classes.)
pub fn spread_ce(pass: Pass, share: f64) -> Objective {
    SpreadCe { pass, share }.into()
}

/// `max(0, 1 - cos)` between all rows of `from` `(N, D)` and `to` `(M, D)`, `(N, M)`.
///
/// # Errors
/// When the rows differ in length.
pub fn cosine_costs(from: &Tensor, to: &Tensor) -> Result<Tensor> {
    kernels::relu(&cosines(from, to)?.affine(-1., 1.)?)
}

/// The entropic transport plan between uniform weights on the rows and on the columns of `costs`
/// `(N, M)`: Sinkhorn iterations on logarithms, with the stopping rule of the official code.
/// Gradients flow through all iterations.
///
/// # Errors
/// When `costs` is no matrix.
pub fn transport_plan(costs: &Tensor) -> Result<Tensor> {
    let (n, m) = costs.dims2()?;
    let mut u = costs.narrow(1, 0, 1)?.zeros_like()?;
    let mut v = costs.narrow(0, 0, 1)?.zeros_like()?;
    let exponents = |u: &Tensor, v: &Tensor| (u.broadcast_add(v)? - costs)? / EPSILON;
    // What must be added to a dual variable for its marginal to become uniform over `count`.
    let correction = |exponents: Tensor, dim: usize, count: usize| {
        let log_sum = (exponents.exp()?.sum_keepdim(dim)? + TINY)?.log()?;
        log_sum.affine(-EPSILON, -EPSILON * (count as f64).ln())
    };
    for _ in 0..ITERATIONS {
        let step = correction(exponents(&u, &v)?, 1, n)?;
        u = (u + &step)?;
        v = (&v + correction(exponents(&u, &v)?, 0, m)?)?;
        if step.detach().abs()?.sum_all()?.to_scalar::<f32>()? < THRESHOLD {
            break;
        }
    }
    exponents(&u, &v)?.exp()
}

struct Transport;

impl Term for Transport {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let costs = cosine_costs(&passes.clean()?.logits, &passes.adv()?.logits)?;
        let examples = costs.dim(1)? as f64;
        (transport_plan(&costs)? * costs)?.sum(0)? * examples
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("transport")
    }
}

struct SpreadCe {
    pass: Pass,
    share: f64,
}

impl Term for SpreadCe {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let log = log_softmax(&passes.get(self.pass)?.logits)?;
        let classes = log.dim(D::Minus1)?;
        let other = self.share / (classes - 1).max(1) as f64;
        let target = one_hot(passes.labels(), classes)?.affine(1. - self.share - other, other)?;
        select(&log, &target)?.neg()
    }
}

impl fmt::Display for SpreadCe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ce({}, {} on other classes)", self.pass, self.share)
    }
}
