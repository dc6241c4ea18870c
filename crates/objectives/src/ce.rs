//! Cross-entropy.

use crate::{Objective, Pass, Passes, Term, log_softmax, one_hot, select};
use candle::{D, Result, Tensor};
use std::fmt;

/// Cross-entropy of one pass with the labels, smoothed where the batch says so ([`Passes::smoothing`]).
pub fn ce(pass: Pass) -> Objective {
    Ce { pass, smoothing: None }.into()
}

/// Cross-entropy with smoothed labels: `1 - smoothing` on the label plus `smoothing / K` on every
/// class (Szegedy et al. 2016, PyTorch's convention). It is for objectives of which one cross-entropy alone is
/// smoothed: frameworks smooth the labels of a whole batch, which this one does not look at.
pub fn smoothed_ce(pass: Pass, smoothing: f64) -> Objective {
    Ce { pass, smoothing: Some(smoothing) }.into()
}

struct Ce {
    pass: Pass,
    /// `None`: as the batch has it.
    smoothing: Option<f64>,
}

impl Term for Ce {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let log = log_softmax(&passes.get(self.pass)?.logits)?;
        let own = select(&log, &one_hot(passes.labels(), log.dim(D::Minus1)?)?)?;
        match self.smoothing.unwrap_or_else(|| passes.smoothing()) {
            0. => own.neg(),
            smoothing => (own * -(1. - smoothing))? - (log.mean(D::Minus1)? * smoothing)?,
        }
    }

    fn smooths_labels(&self) -> bool {
        self.smoothing.is_none()
    }
}

impl fmt::Display for Ce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.smoothing {
            None => write!(f, "ce({})", self.pass),
            Some(smoothing) => write!(f, "ce({}, smoothing {smoothing})", self.pass),
        }
    }
}
