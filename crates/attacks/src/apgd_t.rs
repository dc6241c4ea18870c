//! Auto-PGD towards one class after another.

use crate::{Apgd, Attack, Ball, Keys, Victim, name::more, rivals::rivals, survivors::Survivors};
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
        let images = &images.detach();
        let mut survivors = Survivors::new(victim, images, labels, keys)?;
        let rivals = rivals(victim, images, labels)?;
        for target in 0..self.targets.min(rivals.dim(1)?) {
            let aim = rivals.narrow(1, target, 1)?.squeeze(1)?.contiguous()?;
            survivors.try_each(|images, labels, keys, at| {
                let objective = &targeted_dlr(aim.index_select(at, 0)?);
                // Each target has its own random starts.
                let first = target as u64 * self.apgd.restarts as u64;
                self.apgd.search(Victim { objective, ..victim }, images, labels, keys, first)
            })?;
        }
        Ok(survivors.found())
    }
}

impl fmt::Display for ApgdT {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Apgd { ball, steps, restarts, passes, .. } = self.apgd;
        write!(f, "apgd-t-{steps} ({ball}, {} targets", self.targets)?;
        more(f, restarts, "restarts")?;
        more(f, passes, "passes")?;
        f.write_str(")")
    }
}
