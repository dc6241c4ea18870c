//! TRADES.

use crate::{Framework, standard};
use attacks::{Pgd, Start};
use models::Mode;
use objectives::{Pass, ce, kl};
use std::sync::Arc;

/// The official code's weight for CIFAR-10.
pub(crate) const BETA: f64 = 6.;
/// Standard deviation of the start: at the clean image itself the divergence has no gradient.
pub(crate) const START: Start = Start::Gaussian(1e-3);

/// Zhang et al. 2019: up the divergence, in evaluation mode.
pub fn trades(pgd: Pgd, beta: f64) -> Framework {
    Framework {
        name: "TRADES".into(),
        attack: Arc::new(Pgd { start: START, ..pgd }),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        inner: kl(),
        outer: ce(Pass::Clean) + beta * kl(),
        ..standard()
    }
}
