//! The regulariser of adversarial logit pairing.

use crate::{Objective, Passes, Term};
use candle::{D, Result, Tensor};
use std::fmt;

/// Mean squared difference of clean and adversarial logits, Kannan et al. 2018, averaged over classes.
pub fn pairing() -> Objective {
    Pairing.into()
}

struct Pairing;

impl Term for Pairing {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        (&passes.adv()?.logits - &passes.clean()?.logits)?.sqr()?.mean(D::Minus1)
    }
}

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pairing")
    }
}
