//! I2FR: intra- and inter-class feature regularisation, the paper's contribution, as an [`Objective`].
//!
//! The paper is known to us by its abstract only, so the formulas below are **our reading** of it
//! (`paper/deviations.md` lists every choice). Let z'_i be the feature of adversarial image i, z_j the
//! clean features of the batch, d(a, b) = ||a - b||^2, and features optionally divided by their norm:
//!
//! ```text
//! intra_clean = d(z'_i, z_i)
//! intra_class = mean over j != i with y_j = y_i of d(z'_i, z_j)              (0 without such j)
//! inter       = mean over j with y_j != y_i of max(0, margin - d(z'_i, z_j)) (0 without such j)
//! I2FR_i      = w_c intra_clean + w_s intra_class + w_x inter
//! ```
//!
//! With [`Reference::BatchMeans`] or [`Reference::RunningMeans`] the class mean c_k takes the place of
//! the samples: `intra_class = d(z'_i, c_{y_i})`, `inter` averages over the other classes that have a mean.
//!
//! Adding it to what an attack ascends and to what training descends is `framework.regularized(...)`;
//! adding it to one of them only is the ablation.

mod means;
mod reference;
mod term;

pub use term::{I2fr, Reference};

#[cfg(doc)]
use objectives::Objective;
