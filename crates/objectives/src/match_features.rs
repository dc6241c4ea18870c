//! Features drawn to another class.

use crate::{Objective, Passes, Term, normalized};
use candle::{D, Result, Tensor};
use std::{fmt, sync::Arc};

/// Minus the squared distance between each example's adversarial feature and the center of its target
/// class, both divided by their lengths (or by 1e-12 if that is more): 0 at the center's direction, -4
/// opposite to it. Ascending it draws features to the target.
///
/// `centers` is `(K, D)`, one row a class; `targets` is `(N,)`, `u32`, the class each example should
/// become.
pub fn match_features(centers: Tensor, targets: Tensor) -> Objective {
    MatchFeatures { centers, targets }.into()
}

struct MatchFeatures {
    centers: Tensor,
    targets: Tensor,
}

impl Term for MatchFeatures {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let features = normalized(&passes.adv()?.features)?;
        let wanted = normalized(&self.centers.detach().contiguous()?.index_select(&self.targets.contiguous()?, 0)?)?;
        (features - wanted)?.sqr()?.sum(D::Minus1)?.neg()
    }

    fn rows(&self, at: &Tensor) -> Result<Option<Arc<dyn Term>>> {
        let targets = self.targets.contiguous()?.index_select(at, 0)?;
        Ok(Some(Arc::new(Self { targets, centers: self.centers.clone() })))
    }
}

impl fmt::Display for MatchFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("match-features")
    }
}
