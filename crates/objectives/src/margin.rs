//! The margin loss of Carlini and Wagner.

use crate::{Objective, Passes, Term, one_hot, select, select::largest_outside};
use candle::{D, Result, Tensor};
use std::fmt;

/// `max_{k != y} z_k - z_y` of the adversarial logits (Carlini and Wagner 2017): positive once the
/// example is misclassified. It does not saturate, so ascending it with PGD gives the CW-Linf attack.
pub fn margin() -> Objective {
    Margin.into()
}

struct Margin;

impl Term for Margin {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let logits = &passes.adv()?.logits;
        let own = one_hot(passes.labels(), logits.dim(D::Minus1)?)?;
        select(logits, &largest_outside(logits, &own)?)? - select(logits, &own)?
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("margin")
    }
}
