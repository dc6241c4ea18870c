//! Rows of channels: values that are computed while they are read, and what is done to values right
//! after they were written, while they are in the cache.
//!
//! A convolution reads its input through a [`Source`] and ends with a [`Finish`]. So batch norm and
//! rectifier, forward and backward, cost no pass over memory of their own.

mod finish;
mod pass;
mod source;
mod sums;

pub(crate) use finish::Finish;
pub(crate) use pass::{fill, finish, moments};
pub(crate) use source::{Normed, Source};
pub(crate) use sums::{Partial, Sums};

use crate::simd::Simd;

/// Loads and stores of the first `n` floats of a register; channels beyond the last are masked.
#[derive(Clone, Copy)]
pub(crate) struct Lanes {
    pub(crate) n: usize,
}

impl Lanes {
    /// # Safety
    /// `from` is readable for `N` registers of `n` floats.
    #[inline(always)]
    pub(crate) unsafe fn load_all<S: Simd, const N: usize>(self, s: S, from: *const f32) -> [S::V; N] {
        let mut v = [s.zero(); N];
        for (i, v) in v.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *v = unsafe {
                let from = from.add(i * S::LANES);
                if self.n == S::LANES { s.load(from) } else { s.load_part(from, self.n) }
            };
        }
        v
    }
    /// # Safety
    /// `to` is writable for `N` registers of `n` floats.
    #[inline(always)]
    pub(crate) unsafe fn store_all<S: Simd, const N: usize>(self, s: S, to: *mut f32, v: [S::V; N]) {
        for (i, v) in v.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let to = to.add(i * S::LANES);
                if self.n == S::LANES { s.store(to, v) } else { s.store_part(to, v, self.n) }
            }
        }
    }
}

/// Work on `N` adjacent registers of channels, over all pixels. `run` must be `inline(always)`.
trait Columns<S: Simd>: Copy {
    /// # Safety
    /// There are `N` registers of `lanes.n` channels from `cb` on.
    unsafe fn run<const N: usize>(self, s: S, lanes: Lanes, cb: usize);
}

/// Four registers at a time, so that memory is read in long pieces while parameters stay in registers.
///
/// # Safety
/// As `work` reads and writes `c` channels.
#[inline(always)]
unsafe fn by_columns<S: Simd>(s: S, c: usize, work: impl Columns<S>) {
    let mut cb = 0;
    // SAFETY: below c channels.
    unsafe {
        while cb + 4 * S::LANES <= c {
            work.run::<4>(s, Lanes { n: S::LANES }, cb);
            cb += 4 * S::LANES;
        }
        while cb + S::LANES <= c {
            work.run::<1>(s, Lanes { n: S::LANES }, cb);
            cb += S::LANES;
        }
        if cb < c {
            work.run::<1>(s, Lanes { n: c - cb }, cb);
        }
    }
}
