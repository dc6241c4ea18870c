//! Cross-entropy that the scale of the logits cannot hide.

use crate::{Objective, Passes, Term, log_softmax, one_hot, select};
use candle::{D, Result, Tensor};
use std::fmt;

/// Keeps the denominator away from zero where all logits are equal.
const TINY: f64 = 1e-12;

/// Cross-entropy of the adversarial logits with the labels after each example's logits are
/// standardised: less their mean, divided by their standard deviation (over the K classes).
///
/// Softmax of large logits saturates, and in 32 bits the gradient of [`crate::ce`] is then exactly zero,
/// which looks like robustness (Carlini and Wagner 2017, "Towards evaluating the robustness of neural
/// networks", section IV); attacks recover when logits are rescaled (Hitaj et al. 2021, "Evaluating the
/// robustness of geometry-aware instance-reweighted adversarial training"). The deviation is a constant
/// to the gradient, so what is ascended is a cross-entropy at a temperature of the example's own.
pub fn scaled_ce() -> Objective {
    ScaledCe.into()
}

struct ScaledCe;

impl Term for ScaledCe {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let logits = &passes.adv()?.logits;
        let centred = logits.broadcast_sub(&logits.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.detach().sqr()?.mean_keepdim(D::Minus1)?.sqrt()? + TINY)?;
        let log = log_softmax(&centred.broadcast_div(&deviation)?)?;
        select(&log, &one_hot(passes.labels(), log.dim(D::Minus1)?)?)?.neg()
    }
}

impl fmt::Display for ScaledCe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scaled-ce")
    }
}
