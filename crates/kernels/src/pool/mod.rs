//! Pooling.

mod average;
mod max;

pub use average::global_avg_pool;
pub use max::max_pool2;
