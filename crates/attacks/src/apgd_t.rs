//! Auto-PGD towards one class after another.

use crate::{Apgd, Attack, Ball, Keys, Victim};
use candle::{Result, Tensor};
use objectives::targeted_dlr;
use std::fmt;

/// APGD-T (Croce and Hein 2020): Auto-PGD on the targeted DLR loss, towards the most likely wrong
/// class of the clean image first, then the next likely; only at examples that are not broken yet.
///
/// Ignores the victim's objective. Needs four classes. Examples it does not break come back as they
/// were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApgdT {
    /// Auto-PGD for one target.
    pub apgd: Apgd,
    /// Number of target classes; all but the label if there are fewer.
    pub targets: usize,
}

impl ApgdT {
    /// As in AutoAttack: 9 targets, one random start each.
    pub fn new(ball: Ball, steps: usize) -> Self {
        Self { apgd: Apgd::new(ball, steps), targets: 9 }
    }
}

impl Attack for ApgdT {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        self.apgd.towards_each(self.targets, targeted_dlr, victim, images, labels, keys)
    }
}

impl fmt::Display for ApgdT {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.apgd.write_targeted(f, "apgd-t", self.targets)
    }
}
