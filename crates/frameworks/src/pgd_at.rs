//! Adversarial training with PGD.

use crate::{Framework, standard};
use attacks::Pgd;
use models::Mode;
use objectives::{Pass, ce};
use std::sync::Arc;

/// Madry et al. 2018: from a uniform start, batch statistics in the attack.
pub fn pgd_at(pgd: Pgd) -> Framework {
    Framework {
        name: "PGD-AT".into(),
        attack: Arc::new(pgd),
        attack_mode: Mode::BatchStats,
        clean_mode: Mode::BatchStats,
        inner: ce(Pass::Adv),
        outer: ce(Pass::Adv),
        ..standard()
    }
}
