//! MART.

use crate::{Framework, standard, trades::START};
use attacks::Pgd;
use models::Mode;
use objectives::{Pass, boosted_ce, ce, weighted_kl};
use std::sync::Arc;

/// The official code's weight for ResNet-18.
pub(crate) const LAMBDA: f64 = 5.;

/// Wang et al. 2020: up the cross-entropy, in evaluation mode.
pub fn mart(pgd: Pgd, lambda: f64) -> Framework {
    Framework {
        name: "MART".into(),
        attack: Arc::new(Pgd { start: START, ..pgd }),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        inner: ce(Pass::Adv),
        outer: boosted_ce() + lambda * weighted_kl(),
        ..standard()
    }
}
