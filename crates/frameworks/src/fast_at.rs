//! Fast adversarial training.

use crate::{Framework, pgd_at};
use attacks::{Ball, Pgd};

/// Wong et al. 2020: one step of 1.25 eps from a uniform start.
pub fn fast_at(ball: Ball) -> Framework {
    Framework { name: "Fast-AT".into(), ..pgd_at(Pgd { step: 1.25 * ball.eps, ..Pgd::new(ball, 1) }) }
}
