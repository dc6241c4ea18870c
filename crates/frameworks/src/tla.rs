//! Triplet loss adversarial training.

use crate::{Framework, pgd_at};
use attacks::Pgd;
use models::Mode;
use objectives::{Negative, Pass, Positive, ce, triplet};

/// The official code's margin and weight.
const MARGIN: f64 = 0.03;
const WEIGHT: f64 = 2.;

/// Mao et al. 2019: PGD-AT, with adversarial features pulled to their own clean image and to their class and
/// pushed from the most similar other one. In the official code clean images pass in training mode, and attacks in
/// evaluation mode.
pub fn tla(pgd: Pgd) -> Framework {
    let pulled_to = |positive| triplet(positive, Negative::Hardest, MARGIN);
    Framework {
        name: "TLA".into(),
        attack_mode: Mode::Eval,
        clean_mode: Mode::Train,
        outer: ce(Pass::Adv) + WEIGHT * (pulled_to(Positive::OwnClean) + pulled_to(Positive::SameClass)),
        ..pgd_at(pgd)
    }
}
