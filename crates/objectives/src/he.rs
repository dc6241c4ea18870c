//! Hypersphere embedding, Pang et al. 2020: a classifier whose scores are [`cosines`] between its
//! features and the rows of its last weight, without bias.
//!
//! Its term takes the logits of a pass to be such cosines (or these times their scale, and then `scale` is 1
//! here). [`scaled_kl`] is the TRADES variant. Pairing cosines, `pairing()`, is the ALP variant; of scaled logits it is
//! larger by the square of their scale. Gradients pass through the normalisation of the weight (the official code
//! normalises it in place).
//!
//! [`cosines`]: crate::cosines
//! [`scaled_kl`]: crate::scaled_kl

use crate::{Objective, Pass, Passes, Term, log_softmax, one_hot, select};
use candle::{D, Result, Tensor};
use std::fmt;

/// Cross-entropy of `scale * (cos - margin * onehot)`. The official code's defaults are scale 15 and
/// margin 0.2, and its attacks ascend the same loss with margin 0.
pub fn margin_ce(pass: Pass, scale: f64, margin: f64) -> Objective {
    MarginCe { pass, scale, margin }.into()
}

struct MarginCe {
    pass: Pass,
    scale: f64,
    margin: f64,
}

impl Term for MarginCe {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let cosines = &passes.get(self.pass)?.logits;
        let own = one_hot(passes.labels(), cosines.dim(D::Minus1)?)?;
        let scores = ((cosines - (&own * self.margin)?)? * self.scale)?;
        select(&log_softmax(&scores)?, &own)?.neg()
    }
}

impl fmt::Display for MarginCe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "margin-ce({}, scale {}, margin {})", self.pass, self.scale, self.margin)
    }
}
