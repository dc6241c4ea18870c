//! Cross-entropy.

use crate::{Objective, Pass, Passes, Term, log_softmax, one_hot, select};
use candle::{D, Result, Tensor};
use std::fmt;

/// Cross-entropy of one pass with the labels.
pub fn ce(pass: Pass) -> Objective {
    Ce { pass, smoothing: 0. }.into()
}

/// Cross-entropy with smoothed labels: `1 - smoothing` on the label plus `smoothing / K` on every
/// class (Szegedy et al. 2016, PyTorch's convention).
pub fn smoothed_ce(pass: Pass, smoothing: f64) -> Objective {
    Ce { pass, smoothing }.into()
}

struct Ce {
    pass: Pass,
    smoothing: f64,
}

impl Term for Ce {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let log = log_softmax(&passes.get(self.pass)?.logits)?;
        let own = select(&log, &one_hot(passes.labels(), log.dim(D::Minus1)?)?)?;
        if self.smoothing == 0. {
            return own.neg();
        }
        (own * -(1. - self.smoothing))? - (log.mean(D::Minus1)? * self.smoothing)?
    }
}

impl fmt::Display for Ce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.smoothing {
            0. => write!(f, "ce({})", self.pass),
            s => write!(f, "ce({}, smoothing {s})", self.pass),
        }
    }
}
