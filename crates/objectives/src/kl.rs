//! The regulariser of TRADES.

use crate::{Objective, Passes, Term, log_softmax};
use candle::{D, Result, Tensor};
use std::fmt;

/// `KL(softmax(clean) || softmax(adv))`, Zhang et al. 2019; gradients flow into both sides.
pub fn kl() -> Objective {
    scaled_kl(1.)
}

/// `KL(softmax(scale * clean) || softmax(scale * adv))`: of cosines, the TRADES variant of hypersphere embedding, which
/// takes off no margin. It is for networks whose head does not scale its cosines, as the frameworks' does.
pub fn scaled_kl(scale: f64) -> Objective {
    Kl { scale }.into()
}

struct Kl {
    scale: f64,
}

impl Term for Kl {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let log = |logits: &Tensor| match self.scale {
            1. => log_softmax(logits),
            scale => log_softmax(&(logits * scale)?),
        };
        let (clean, adv) = (log(&passes.clean()?.logits)?, log(&passes.adv()?.logits)?);
        (clean.exp()? * (clean - adv)?)?.sum(D::Minus1)
    }
}

impl fmt::Display for Kl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scale {
            1. => f.write_str("kl"),
            scale => write!(f, "kl(scale {scale})"),
        }
    }
}
