//! Fast adversarial training.

use crate::{Framework, pgd_at};
use attacks::{Ball, Pgd, Start};
use std::sync::Arc;

/// Wong et al. 2020: one step of 1.25 eps from a uniform start.
pub fn fast_at(ball: Ball) -> Framework {
    let attack = Pgd { start: Start::Uniform, step: 1.25 * ball.eps, ..Pgd::new(ball, 1) };
    Framework { name: "Fast-AT".into(), attack: Arc::new(attack), ..pgd_at(ball, 1) }
}
