//! Adversarial attacks and robust evaluation.
//!
//! An attack is a threat model ([`Ball`]), an ascent rule and a start; what it ascends is an
//! [`Objective`] that the caller passes in. So FGSM, PGD, momentum PGD and CW are presets of one
//! [`Pgd`], and every framework and regulariser reuses it. [`Apgd`] chooses its own step lengths.
//! [`ApgdT`], [`Fab`] and [`Square`] bring their own objectives; with [`Apgd`] they are [`AutoAttack`].
//! [`MatchFeatures`], [`Transfer`] and [`Noise`] test for gradient masking.

mod apgd;
mod apgd_t;
mod autoattack;
mod ball;
mod candidate;
mod early_stopped;
mod evaluation;
mod fab;
mod keys;
mod match_features;
mod name;
mod noise;
mod pgd;
mod rivals;
mod square;
mod suite;
mod survivors;
mod transfer;

pub use apgd::Apgd;
pub use apgd_t::ApgdT;
pub use autoattack::AutoAttack;
pub use ball::{BadRadius, Ball, Norm};
pub use early_stopped::EarlyStopped;
pub use evaluation::{Correct, Evaluation, Progress};
pub use fab::Fab;
pub use keys::Keys;
pub use match_features::MatchFeatures;
pub use noise::Noise;
pub use pgd::{Pgd, Start};
pub use square::Square;
pub use suite::{Probe, UnknownAttack, revision};
pub use transfer::Transfer;

use candle::{Result, Tensor};
use models::{Mode, Model};
use objectives::{Clean, Objective, Stage};
use std::fmt;

/// What an attack may touch.
#[derive(Clone, Copy)]
pub struct Victim<'a> {
    /// A frozen view, so that only pixels are differentiated.
    pub model: &'a dyn Model,
    /// Batch-norm mode while crafting.
    pub mode: Mode,
    /// The quantity the attack ascends.
    pub objective: &'a Objective,
}

impl<'a> Victim<'a> {
    /// What the attack compares its images with; the clean pass is made when a term first asks for it.
    pub(crate) fn clean(&self, images: &'a Tensor, labels: &'a Tensor) -> Clean<'a> {
        Clean::new(self.model, self.mode, images, labels, Stage::Generation)
    }
}

/// Maps images to adversarial images inside a threat model.
pub trait Attack: fmt::Display + Send + Sync {
    /// Perturbs `images` `(N, C, H, W)` in `[0, 1]` with `labels` `(N,)`; `keys` has one entry an
    /// image. The result carries no gradient.
    ///
    /// # Errors
    /// When the network fails, or the objective does not depend on its input. What takes steps also says in an evaluation
    /// (epoch 0 of `keys`) when images are not in `[0, 1]`; who judges, when a label is no class of the network
    /// ([`crate::Evaluation`], [`AutoAttack`] and its parts).
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor>;
}

/// No attack: images as they are, for natural training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity;

impl Attack for Identity {
    fn perturb(&self, _: Victim<'_>, images: &Tensor, _: &Tensor, _: &Keys<'_>) -> Result<Tensor> {
        Ok(images.clone())
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none")
    }
}
