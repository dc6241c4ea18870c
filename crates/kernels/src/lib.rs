//! Operators candle lacks or is slow at: channels-last convolution, batch norm, pooling, seedable random numbers.
//!
//! Inside a network an activation has the shape (N, H, W, C). Every operator is a candle custom
//! operation with its own derivative: [`enter`] makes activations from images, [`flatten`] or
//! [`global_avg_pool`] leave. A residual network is written against [`Flow`] and run by [`Fused`] as
//! *one* operation, which saves most passes over memory; [`performance`] says where time goes.
//!
//! All are for 32-bit floats, give the same bits for any number of threads, and answer a wrong shape,
//! type or device with an error that names them. With the feature `cuda` they are also for NVIDIA
//! GPUs ([`cuda::status`]); the fused network is for the CPU only.
//!
//! | variable | effect |
//! |---|---|
//! | `I2FR_ISA=avx512\|avx2\|portable` | instruction set, if the CPU has it; otherwise the best it has |
//! | `I2FR_CONV=direct` | no Winograd, for comparisons with other implementations: it moves the last bits |
//!
//! This is the only crate of the workspace with `unsafe` code.

mod bias;
mod conv;
pub mod cuda;
mod descent;
mod distance;
mod edge;
mod flow;
mod host;
mod isa;
mod linf;
mod memory;
mod norm;
mod parallel;
mod peak;
mod pool;
mod random;
mod relu;
mod rows;
mod shortcut;
mod simd;
mod softmax;
mod threads;

#[doc = include_str!("../PERFORMANCE.md")]
pub mod performance {}

pub use bias::bias;
#[doc(hidden)]
pub use conv::ConvPasses;
pub use conv::{Conv2d, Packing, conv2d};
pub use cuda::{Precision, gpu, gpu_name, out_of_memory, precision, set_precision};
pub use descent::{AdamStep, SgdStep, adam_step, sgd_step};
pub use distance::squared_distances;
pub use edge::{enter, flatten};
pub use flow::{Flow, Fused, Stepwise, Value};
pub use isa::{Isa, isa};
pub use linf::linf_step;
pub use norm::{Moments, Statistics, batch_norm};
#[doc(hidden)]
pub use peak::register_arithmetic;
pub use pool::{global_avg_pool, max_pool2};
pub use random::{Key, fill_normal, fill_uniform};
pub use relu::{add_relu, relu};
pub use shortcut::shortcut_a;
pub use softmax::log_softmax;
pub use threads::quiet_candle_threads;
