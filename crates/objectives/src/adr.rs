//! Adversarial divergence reduction, Bui et al. 2020, in the form of the authors' PyTorch code.
//!
//! Clean features and logits are constants in every term: only the adversarial side moves towards
//! them. Global terms compare each adversarial example with all clean ones of the batch.

use crate::{
    Objective, Passes, Term, log_softmax,
    rows::{absolute, same_label},
};
use candle::{D, Result, Tensor};
use candle_nn::ops::softmax;
use std::fmt;

/// The official code's label scale: a pair of different classes weighs `1 - 1 / SCALE`, slightly
/// below zero, so it is pushed apart a hundred times weaker than a pair of one class is pulled together.
const SCALE: f64 = 0.99;

/// `mean_k |z_k - z'_k|` between an adversarial feature z' and its own clean one.
pub fn local_compactness() -> Objective {
    Adr::LocalCompactness.into()
}

/// The mean of `w_ij mean_k |z_jk - z'_ik|` over all clean examples j, `w = 1` for the same class.
pub fn global_compactness() -> Objective {
    Adr::GlobalCompactness.into()
}

/// Cross-entropy of the adversarial prediction with the clean one.
pub fn local_smoothness() -> Objective {
    Adr::LocalSmoothness.into()
}

/// The mean of `w_ij` times the cross-entropy with clean prediction j, `w` as in [`global_compactness`].
pub fn global_smoothness() -> Objective {
    Adr::GlobalSmoothness.into()
}

/// Entropy of the adversarial prediction.
pub fn confidence() -> Objective {
    Adr::Confidence.into()
}

/// All five terms with weight 1; the official code adds them to `ce(clean) + ce(adv)` (ADR-PGD) or
/// to `ce(clean) + kl` (ADR-TRADES).
pub fn adr() -> Objective {
    local_compactness() + local_smoothness() + global_compactness() + global_smoothness() + confidence()
}

enum Adr {
    LocalCompactness,
    GlobalCompactness,
    LocalSmoothness,
    GlobalSmoothness,
    Confidence,
}

/// The mean over clean examples (columns) of `divergence` `(N, N)`, weighted by class.
fn weighted_mean(divergence: &Tensor, labels: &Tensor) -> Result<Tensor> {
    // The official code divides by the largest label distance of the batch, so a batch of one class is
    // no number there; here all its pairs weigh 1.
    let weights = same_label(labels)?.affine(1. / SCALE, 1. - 1. / SCALE)?;
    (divergence * weights)?.mean(D::Minus1)
}

impl Term for Adr {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let adv = passes.adv()?;
        match self {
            Self::LocalCompactness => absolute(&(&adv.features - passes.clean()?.features.detach())?)?.mean(D::Minus1),
            Self::GlobalCompactness => {
                let clean = passes.clean()?.features.detach().unsqueeze(0)?;
                let differences = adv.features.unsqueeze(1)?.broadcast_sub(&clean)?;
                weighted_mean(&absolute(&differences)?.mean(D::Minus1)?, passes.labels())
            }
            Self::LocalSmoothness => {
                let p = softmax(&passes.clean()?.logits.detach(), D::Minus1)?;
                (p * log_softmax(&adv.logits)?)?.sum(D::Minus1)?.neg()
            }
            Self::GlobalSmoothness => {
                let p = softmax(&passes.clean()?.logits.detach(), D::Minus1)?;
                weighted_mean(&log_softmax(&adv.logits)?.matmul(&p.t()?)?.neg()?, passes.labels())
            }
            Self::Confidence => {
                let log = log_softmax(&adv.logits)?;
                (log.exp()? * log)?.sum(D::Minus1)?.neg()
            }
        }
    }
}

impl fmt::Display for Adr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LocalCompactness => "local-compactness",
            Self::GlobalCompactness => "global-compactness",
            Self::LocalSmoothness => "local-smoothness",
            Self::GlobalSmoothness => "global-smoothness",
            Self::Confidence => "confidence",
        })
    }
}
