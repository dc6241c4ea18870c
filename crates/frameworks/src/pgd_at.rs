//! Adversarial training with PGD.

use crate::{Framework, standard};
use attacks::{Ball, Pgd};
use models::Mode;
use objectives::{Pass, ce};
use std::sync::Arc;

/// Madry et al. 2018: steps of eps/4 from a uniform start, batch statistics in the attack.
pub fn pgd_at(ball: Ball, steps: usize) -> Framework {
    Framework {
        name: "PGD-AT".into(),
        attack: Arc::new(Pgd::new(ball, steps)),
        attack_mode: Mode::BatchStats,
        clean_mode: Mode::BatchStats,
        inner: ce(Pass::Adv),
        outer: ce(Pass::Adv),
        ..standard()
    }
}
