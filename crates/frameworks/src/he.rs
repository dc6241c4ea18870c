//! Hypersphere embedding.

use crate::{Framework, pgd_at, trades::START};
use attacks::Pgd;
use models::{Head, Mode};
use objectives::{Pass, margin_ce};
use std::sync::Arc;

/// Scale of cosines: the default of the official code, and of one version of its command for PGD-AT; another has 10.
const SCALE: f64 = 15.;
/// How much a training example's own cosine is lowered by, in all of these.
const MARGIN: f64 = 0.2;

/// Pang et al. 2020 on PGD-AT: logits are scaled cosines between features and class weights, and training takes
/// a margin off the own one; attacks see no margin, and evaluation mode.
pub fn he(pgd: Pgd) -> Framework {
    Framework {
        name: "HE".into(),
        attack: Arc::new(Pgd { start: START, ..pgd }),
        attack_mode: Mode::Eval,
        head: Head::Cosine { scale: SCALE },
        // The head has scaled them already.
        outer: margin_ce(Pass::Adv, 1., SCALE * MARGIN),
        ..pgd_at(pgd)
    }
}
