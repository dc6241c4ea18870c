//! The operators from outside: against golden values, against plain loops in 64 bits, and their own
//! algebra.

mod convolution;
#[cfg(feature = "cuda")]
mod cuda;
mod flow;
mod near;
mod normalisation;
mod parity;
mod simple;
