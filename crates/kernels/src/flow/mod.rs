//! The body of a network, said once and run in two ways.
//!
//! A network is written against [`Flow`]. [`Stepwise`] runs it operator by operator under candle's
//! autograd. [`Fused`] runs the same lines as one operation with its own derivative: batch norm and
//! rectifiers are done while convolutions read and write, gradients meet without copies, and buffers
//! are used again. Both give the same numbers up to rounding.

mod fused;
mod stepwise;

pub use fused::{Fused, Value};
pub use stepwise::Stepwise;

use crate::{Conv2d, Moments, Packing, Statistics};
use candle::{Result, Tensor};

/// The operators of a network on channels-last activations (N, H, W, C).
///
/// A weight given as a tracked tensor gets a gradient. Every operator answers shapes that do not fit
/// with an error that names them.
pub trait Flow {
    /// An activation.
    type Value: Clone;

    /// [`conv2d`](crate::conv2d), plus `add` of the result's shape.
    ///
    /// # Errors
    /// See above.
    fn conv(
        &self,
        x: &Self::Value,
        weight: &Tensor,
        geometry: Conv2d,
        packing: &Packing,
        add: Option<&Self::Value>,
    ) -> Result<Self::Value>;

    /// [`batch_norm`](crate::batch_norm), not of an activation that is batch norm's itself.
    ///
    /// # Errors
    /// See above.
    fn batch_norm(
        &self,
        x: &Self::Value,
        gamma: &Tensor,
        beta: &Tensor,
        eps: f32,
        statistics: Statistics<'_>,
        relu: bool,
    ) -> Result<(Self::Value, Option<Moments>)>;

    /// [`bias`](crate::bias), not of an activation that is batch norm's or bias's itself.
    ///
    /// # Errors
    /// See above.
    fn bias(&self, x: &Self::Value, b: &Tensor, relu: bool) -> Result<Self::Value>;

    /// `max(a + b, 0)`
    ///
    /// # Errors
    /// See above.
    fn add_relu(&self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value>;

    /// [`shortcut_a`](crate::shortcut_a)
    ///
    /// # Errors
    /// See above.
    fn shortcut_a(&self, x: &Self::Value, stride: usize, channels: usize) -> Result<Self::Value>;

    /// The network's features: [`global_avg_pool`](crate::global_avg_pool) of the last activation.
    /// One thread at a time may differentiate them.
    ///
    /// # Errors
    /// See above.
    fn features(self, x: &Self::Value) -> Result<Tensor>;
}
