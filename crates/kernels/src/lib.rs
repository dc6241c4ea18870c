//! Operators candle lacks or is slow at: channels-last convolution, batch norm, pooling, seedable random numbers.
//!
//! Inside a network an activation is a tensor of shape (N, H, W, C): [`enter`] makes one from
//! images, [`flatten`] or [`global_avg_pool`] leave. Every operator is a candle custom operation
//! with its own derivative. All are for 32-bit floats on the CPU, give the same bits for any number
//! of threads, and answer a wrong shape, type or device with an error that names them.
//!
//! This is the only crate of the workspace with `unsafe` code.

mod bias;
mod conv;
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
mod sgd;
mod shortcut;
mod simd;
mod threads;

pub use bias::bias;
#[doc(hidden)]
pub use conv::ConvPasses;
pub use conv::{Conv2d, Packing, conv2d};
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
pub use relu::relu;
pub use sgd::{SgdStep, sgd_step};
pub use shortcut::shortcut_a;
pub use threads::quiet_candle_threads;
