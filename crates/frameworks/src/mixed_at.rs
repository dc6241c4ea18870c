//! Adversarial training on clean and adversarial images alike.

use crate::{Framework, pgd_at};
use attacks::Pgd;
use objectives::{Pass, ce};

/// Goodfellow et al. 2015 with the attack of PGD-AT: half the cross-entropy is that of clean images. A control: a
/// regulariser that needs a clean pass lets PGD-AT see clean images, which may be all it does.
pub fn mixed_at(pgd: Pgd) -> Framework {
    Framework { name: "Mixed-AT".into(), outer: 0.5 * ce(Pass::Clean) + 0.5 * ce(Pass::Adv), ..pgd_at(pgd) }
}
