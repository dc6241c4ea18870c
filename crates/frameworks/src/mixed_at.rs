//! Adversarial training on clean and adversarial images alike.

use crate::{Framework, pgd_at};
use attacks::Pgd;
use models::Mode;
use objectives::{Pass, ce};

/// Goodfellow et al. 2015 with the attack of PGD-AT: half the cross-entropy is that of clean images. A control: a
/// regulariser that needs a clean pass lets PGD-AT see clean images, which may be all it does.
pub fn mixed_at(pgd: Pgd) -> Framework {
    Framework {
        name: "Mixed-AT".into(),
        // Only what PGD-AT's own images move may move running statistics, else the control would differ in them, too.
        clean_mode: Mode::BatchStats,
        outer: 0.5 * ce(Pass::Clean) + 0.5 * ce(Pass::Adv),
        ..pgd_at(pgd)
    }
}
