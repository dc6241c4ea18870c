//! The regulariser of TRADES.

use crate::{Objective, Passes, Term, log_softmax};
use candle::{D, Result, Tensor};
use std::fmt;

/// `KL(softmax(clean) || softmax(adv))`, Zhang et al. 2019; gradients flow into both sides.
pub fn kl() -> Objective {
    Kl.into()
}

struct Kl;

impl Term for Kl {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let clean = log_softmax(&passes.clean()?.logits)?;
        let adv = log_softmax(&passes.adv()?.logits)?;
        (clean.exp()? * (clean - adv)?)?.sum(D::Minus1)
    }
}

impl fmt::Display for Kl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kl")
    }
}
