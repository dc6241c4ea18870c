//! Adversarial logit pairing.

use crate::{Framework, pgd_at, trades::START};
use attacks::Pgd;
use models::Mode;
use objectives::{Pass, ce, pairing};
use std::sync::Arc;

/// Weight of the pairing term.
pub(crate) const WEIGHT: f64 = 1.;

/// Kannan et al. 2018: PGD-AT on clean and adversarial images alike, with their logits paired; it attacks as the
/// implementation of Pang et al. 2020 does, in evaluation mode from close to the clean image.
pub fn alp(pgd: Pgd, weight: f64) -> Framework {
    Framework {
        name: "ALP".into(),
        attack: Arc::new(Pgd { start: START, ..pgd }),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        outer: 0.5 * ce(Pass::Clean) + 0.5 * ce(Pass::Adv) + weight * pairing(),
        ..pgd_at(pgd)
    }
}
