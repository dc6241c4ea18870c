//! Friendly adversarial training.

use crate::{Framework, pgd_at};
use attacks::{EarlyStopped, Pgd};
use models::Mode;
use std::sync::Arc;

/// Standard deviation of the noise of every step in the official code.
const NOISE: f64 = 1e-3;

/// Zhang et al. 2020: PGD-AT on examples that go no further than they must to be misclassified. Of 120 epochs the
/// official code trains the first 50 on examples that stop at once, those to 90 on ones that take one more step, and
/// the rest on ones that take two; here the same shares of all `epochs`, the first two rounded down to whole epochs. It
/// attacks in evaluation mode.
pub fn friendly_at(pgd: Pgd, epochs: usize) -> Framework {
    let after = |share: usize| (epochs * share / 120) as u64;
    let patience = vec![(after(50), 1), (after(90), 2)];
    Framework {
        name: "Friendly-AT".into(),
        attack: Arc::new(EarlyStopped { pgd, patience, noise: NOISE }),
        attack_mode: Mode::Eval,
        ..pgd_at(pgd)
    }
}
