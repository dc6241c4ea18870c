//! Fast adversarial training.

use crate::{Framework, pgd_at};
use attacks::{Ball, Pgd, Start};

/// Wong et al. 2020: one step of 1.25 eps from a uniform start.
///
/// On `grey` images, as in their script for MNIST, the start is not put back into `[0, 1]`, to which that length is tuned:
/// otherwise the step ends at the bound wherever pixels are black or white, and networks become less robust.
pub fn fast_at(ball: Ball, grey: bool) -> Framework {
    let start = if grey { Start::Unclipped } else { Start::Uniform };
    Framework { name: "Fast-AT".into(), ..pgd_at(Pgd { step: 1.25 * ball.eps, start, ..Pgd::new(ball, 1) }) }
}
