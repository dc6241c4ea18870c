//! The margin loss with a confidence beyond which nothing is gained.
//!
//! No attack of this workspace ascends it ([`crate::margin()`] gives no example up): it is for repeating evaluations
//! that others made with these losses.

use crate::{Objective, Passes, Term, one_hot, select, select::largest_outside};
use candle::{D, Result, Tensor};
use std::fmt;

/// `max(0, max_{k != y} z_k - z_y + confidence)`: zero once the true class leads by `confidence`
/// (advertorch's CW loss, with 50). Ascending it, an attack gives such examples up.
pub fn hinged_margin(confidence: f64) -> Objective {
    HingedMargin { confidence, of_lead: false }.into()
}

/// `-max(0, confidence - (max_{k != y} z_k - z_y))`: Feature Scattering's CW loss, which
/// stops gaining once the example is misclassified by `confidence`.
pub fn hinged_lead(confidence: f64) -> Objective {
    HingedMargin { confidence, of_lead: true }.into()
}

struct HingedMargin {
    confidence: f64,
    of_lead: bool,
}

impl Term for HingedMargin {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let logits = &passes.adv()?.logits;
        let own = one_hot(passes.labels(), logits.dim(D::Minus1)?)?;
        let margin = (select(logits, &largest_outside(logits, &own)?)? - select(logits, &own)?)?;
        if self.of_lead {
            kernels::relu(&margin.affine(-1., self.confidence)?)?.neg()
        } else {
            kernels::relu(&(margin + self.confidence)?)
        }
    }
}

impl fmt::Display for HingedMargin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", if self.of_lead { "hinged-lead" } else { "hinged-margin" }, self.confidence)
    }
}
