//! Rows of channels: values that are computed while they are read, and what is done to values right
//! after they were written, while they are in the cache.
//!
//! A convolution reads its input through a [`Source`] and ends with a [`Finish`]. So batch norm and
//! rectifier, forward and backward, cost no pass over memory of their own.

mod finish;
mod pass;
mod source;

pub(crate) use finish::{Finish, Partial, Sums};
pub(crate) use pass::{fill, finish, moments};
pub(crate) use source::{Normed, Source};

use crate::simd::Simd;

/// Loads and stores of the first `n` floats of a register; channels beyond the last are masked.
#[derive(Clone, Copy)]
pub(crate) struct Lanes {
    pub(crate) n: usize,
}

impl Lanes {
    /// # Safety
    /// `from` is readable for `n` floats.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd>(self, s: S, from: *const f32) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { if self.n == S::LANES { s.load(from) } else { s.load_part(from, self.n) } }
    }
    /// # Safety
    /// `to` is writable for `n` floats.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(self, s: S, to: *mut f32, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe { if self.n == S::LANES { s.store(to, v) } else { s.store_part(to, v, self.n) } }
    }
}
