//! Auto-PGD that draws features to one class after another.

use crate::{Apgd, Attack, Ball, Keys, Victim};
use candle::{Result, Tensor};
use objectives::match_features;
use std::fmt;

/// Attacks the features instead of the logits: Auto-PGD on [`match_features`], towards the center of the
/// most likely wrong class of the clean image first, then of the next likely; only at examples that are
/// not broken yet.
///
/// Meant for networks trained to shape their features, whose logits may give less of a gradient.
/// Ignores the victim's objective. Examples it does not break come back as they were.
#[derive(Clone, Debug)]
pub struct MatchFeatures {
    /// Auto-PGD for one target.
    pub apgd: Apgd,
    /// Number of target classes; all but the label if there are fewer.
    pub targets: usize,
    /// Where the features of each class lie, such as their means, `(K, D)`; only directions count.
    pub centers: Tensor,
}

impl MatchFeatures {
    /// 9 targets, one random start of `steps` each, until an example is broken.
    pub fn new(ball: Ball, steps: usize, centers: Tensor) -> Self {
        Self { apgd: Apgd { first: true, ..Apgd::new(ball, steps) }, targets: 9, centers }
    }
}

impl Attack for MatchFeatures {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let towards = |target| match_features(self.centers.clone(), target);
        self.apgd.towards_each(self.targets, towards, victim, images, labels, keys)
    }
}

impl fmt::Display for MatchFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.apgd.write_targeted(f, "match-features", self.targets)
    }
}
