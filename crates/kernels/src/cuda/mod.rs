//! The operators on NVIDIA GPUs.
//!
//! An operator of this crate is one candle operation with two forward passes; here is what the second one calls. A
//! `Launch` is one run of one kernel of `kernels/`; convolutions go to cuDNN. Without the feature `cuda` no tensor
//! can be on a GPU, and what would reach one is refused (`absent`).

#[cfg(not(feature = "cuda"))]
mod absent;
mod conv;
#[cfg(feature = "cuda")]
mod cudnn;
mod exhausted;
mod gpu;
mod launch;
mod norm;
mod precision;
#[cfg(feature = "cuda")]
mod present;
mod sums;

#[doc = include_str!("../../CUDA.md")]
pub mod status {}

#[cfg(not(feature = "cuda"))]
use absent as device;
pub(crate) use conv::conv2d;
pub use exhausted::out_of_memory;
pub use gpu::{gpu, gpu_name};
pub(crate) use launch::Launch;
pub(crate) use norm::batch_norm;
pub use precision::{Precision, precision, set_precision};
#[cfg(feature = "cuda")]
use present as device;
pub(crate) use sums::column_sums;
