//! Adversarial logit pairing.

use crate::{Framework, pgd_at};
use attacks::Ball;
use models::Mode;
use objectives::{Pass, ce, pairing};

/// Weight of the pairing term.
pub(crate) const WEIGHT: f64 = 1.;

/// Kannan et al. 2018: PGD-AT on clean and adversarial images alike, with their logits paired.
pub fn alp(ball: Ball, steps: usize, weight: f64) -> Framework {
    Framework {
        name: "ALP".into(),
        clean_mode: Mode::Train,
        outer: 0.5 * ce(Pass::Clean) + 0.5 * ce(Pass::Adv) + weight * pairing(),
        ..pgd_at(ball, steps)
    }
}
