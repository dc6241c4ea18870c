//! Hypersphere embedding.

use crate::{Framework, pgd_at};
use attacks::Ball;
use models::Head;
use objectives::{Pass, margin_ce};

/// The official code's scale of cosines, and how much a training example's own cosine is lowered by.
const SCALE: f64 = 15.;
const MARGIN: f64 = 0.2;

/// Pang et al. 2020 on PGD-AT: logits are scaled cosines between features and class weights, and training takes
/// a margin off the own one; attacks see no margin.
pub fn he(ball: Ball, steps: usize) -> Framework {
    Framework {
        name: "HE".into(),
        head: Head::Cosine { scale: SCALE },
        // The head has scaled them already.
        outer: margin_ce(Pass::Adv, 1., SCALE * MARGIN),
        ..pgd_at(ball, steps)
    }
}
