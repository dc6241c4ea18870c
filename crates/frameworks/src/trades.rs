//! TRADES.

use crate::{Framework, standard};
use attacks::{Ball, Pgd, Start};
use models::Mode;
use objectives::{Pass, ce, kl};
use std::sync::Arc;

/// The official code's weight for CIFAR-10.
pub(crate) const BETA: f64 = 6.;
/// Standard deviation of the start: at the clean image itself the divergence has no gradient.
pub(crate) const START: Start = Start::Gaussian(1e-3);

/// Zhang et al. 2019: steps of eps/4 up the divergence, in evaluation mode.
pub fn trades(ball: Ball, steps: usize, beta: f64) -> Framework {
    Framework {
        name: "TRADES".into(),
        attack: Arc::new(Pgd { start: START, ..Pgd::new(ball, steps) }),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        inner: kl(),
        outer: ce(Pass::Clean) + beta * kl(),
        ..standard()
    }
}
