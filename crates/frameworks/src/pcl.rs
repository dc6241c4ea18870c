//! Prototype conformity.

use crate::{Framework, pgd_at};
use attacks::{Pgd, Start};
use models::Mode;
use objectives::{Centers, Pass, ce, contrastive, proximity};
use std::sync::Arc;

/// The official code's weight in adversarial training.
const CONTRASTIVE: f64 = 1e-5;
const BOTH: [Pass; 2] = [Pass::Clean, Pass::Adv];

/// Mustafa et al. 2019, adversarially trained: clean and adversarial features close to a learnt centre of their
/// class and far from those of others; attacks begin at the clean image, in evaluation mode. (The official code starts
/// from a network trained with cross-entropy, and has centres for two layers; here there are centres of the
/// penultimate features, from the first step on.)
pub fn pcl(pgd: Pgd, seed: u64) -> Framework {
    let (near, far) = (Centers::drawn(seed), Centers::drawn(seed));
    Framework {
        name: "PCL".into(),
        attack: Arc::new(Pgd { start: Start::Image, ..pgd }),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        outer: 0.5 * ce(Pass::Clean)
            + 0.5 * ce(Pass::Adv)
            + proximity(&near, &BOTH)
            + -CONTRASTIVE * contrastive(&far, &BOTH),
        ..pgd_at(pgd)
    }
}
