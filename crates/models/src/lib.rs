//! Classifiers that expose their features, and their checkpoints.
//!
//! A [`Net`] owns one set of weights and lends two views of it: [`Net::live`], whose weights are
//! differentiated (training), and [`Net::frozen`], whose weights are constants (attacks and
//! evaluation). Both are a [`Model`]: pixels in `[0, 1]` go in, features and logits come out of
//! one pass; the normalisation is the network's first operation, so radii stay in pixel units.

mod arch;
pub mod checkpoint;
mod head;
mod layers;
mod mnist;
mod net;
mod parameters;
mod preact;
mod resnet;
mod tiny;

pub use arch::{Arch, Normalization, UnknownArch};
pub use head::{Head, UnknownHead};
pub use layers::normalized;
pub use net::{Mismatch, Net, View};
pub use parameters::{Parameter, Parameters};

use candle::{Result, Tensor};

/// What one forward pass reveals.
#[derive(Clone, Debug)]
pub struct Output {
    /// Penultimate activations, the input of the last linear layer, `(N, D)`.
    pub features: Tensor,
    /// Class scores, `(N, K)`.
    pub logits: Tensor,
}

/// How batch normalisation behaves during a pass.
///
/// Which one is used while crafting adversarial examples is a choice of each framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Batch statistics; running statistics are updated. Only a live view allows it.
    Train,
    /// Batch statistics; running statistics stay as they are.
    BatchStats,
    /// Running statistics.
    Eval,
}

/// An image classifier.
pub trait Model: Send + Sync {
    /// Runs the network on `images`, `(N, C, H, W)` with pixels in `[0, 1]`.
    ///
    /// # Errors
    /// When the shape does not fit the network, or the mode does not fit the view.
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Output>;
}
