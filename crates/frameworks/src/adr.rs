//! Adversarial divergence reduction.

use crate::{Framework, pgd_at};
use attacks::Pgd;
use models::Mode;
use objectives::{Pass, adr as divergence, ce};

/// Bui et al. 2020, their ADR-PGD: PGD-AT on clean and adversarial images, with five terms that keep the
/// two close in features and predictions, each of weight 1 as in the official code, which attacks in evaluation mode.
pub fn adr(pgd: Pgd) -> Framework {
    Framework {
        name: "ADR".into(),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        outer: ce(Pass::Clean) + ce(Pass::Adv) + divergence(),
        ..pgd_at(pgd)
    }
}
