//! Feature scattering.

use crate::{Framework, pgd_at};
use attacks::{Ball, Pgd};
use models::Mode;
use objectives::{Pass, spread_ce, transport};

/// How much of a label's weight the official code gives to other classes.
const SPREAD: f64 = 0.5;

/// Zhang and Wang 2019: one step of eps from a uniform start, in evaluation mode, up the cost of transporting the
/// batch's clean logits to its adversarial ones; no label is asked. Trained on heavily smoothed labels.
pub fn feature_scattering(ball: Ball) -> Framework {
    Framework {
        name: "Feature Scattering".into(),
        attack_mode: Mode::Eval,
        inner: transport(),
        outer: spread_ce(Pass::Adv, SPREAD),
        ..pgd_at(Pgd { step: ball.eps, ..Pgd::new(ball, 1) })
    }
}
