//! What is done to values right after they were written.

#![allow(clippy::needless_range_loop)] // loops of constant length over registers

use super::source::{Read, WithColumns};
use super::{Columns, Lanes, Partial, Source, Sums, by_columns};
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};

/// Floats taken at a time: they stay in the first-level cache.
const CACHED: usize = 4096;

/// In this order: something is added, negative values become 0, values are kept only where another
/// source is positive, sums over each channel are taken.
#[derive(Default)]
pub(crate) struct Finish<'a> {
    pub(crate) add: Option<Source<'a>>,
    pub(crate) relu: bool,
    pub(crate) keep_where: Option<Source<'a>>,
    pub(crate) sums: Option<Sums<'a>>,
}

impl Finish<'_> {
    /// Panics unless every part is for `len` values of `c` channels: what the unchecked reads rely on.
    pub(crate) fn assert_fits(&self, len: usize, c: usize) {
        for source in [&self.add, &self.keep_where].into_iter().flatten() {
            source.assert_channels(c);
            assert_eq!(source.len(), len);
        }
        if let Some(sums) = &self.sums {
            sums.assert_fits(len, c);
        }
    }

    /// Finishes pixels `first..end` of `c` channels of `y`. `partial` gathers the sums of one task,
    /// whose calls go on where the one before ended.
    ///
    /// # Safety
    /// [`Self::assert_fits`] holds for `y`, and these pixels of `y` are the caller's alone.
    pub(crate) unsafe fn pixels(
        &self,
        isa: Isa,
        y: *mut f32,
        c: usize,
        (first, end): (usize, usize),
        partial: &mut Partial,
    ) {
        let changes = self.add.is_some() || self.relu || self.keep_where.is_some();
        if !changes && self.sums.is_none() {
            return;
        }
        let piece = (CACHED / c).max(1);
        for start in (first..end).step_by(piece) {
            let end = (start + piece).min(end);
            // SAFETY: the caller's promise.
            unsafe {
                if changes {
                    dispatch(isa, &Change { finish: self, y, c, start, end });
                }
                if let Some(sums) = &self.sums {
                    sums.take(isa, y, c, (start, end), partial);
                }
            }
        }
    }

    /// Hands in what a task has gathered.
    pub(crate) fn gathered(&self, partial: Partial) {
        if let Some(sums) = &self.sums {
            sums.gathered(partial);
        }
    }
}

/// Everything but the sums, for pixels `start..end`.
struct Change<'a> {
    finish: &'a Finish<'a>,
    y: *mut f32,
    c: usize,
    start: usize,
    end: usize,
}

impl Kernel for Change<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        // SAFETY: pixels and channels are inside y and the sources, see `Finish::pixels`.
        unsafe { by_columns(s, self.c, self) }
    }
}

impl<S: Simd> Columns<S> for &Change<'_> {
    #[inline(always)]
    unsafe fn run<const N: usize>(self, s: S, lanes: Lanes, cb: usize) {
        let f = self.finish;
        let at = self.start * self.c;
        // SAFETY: the caller's promise.
        unsafe {
            let len = (self.end - self.start) * self.c;
            let each = Each { s, lanes, c: self.c, len, to: self.y.add(at + cb) };
            match (&f.add, f.relu) {
                (Some(add), true) => add.columns::<S, N>(s, lanes, at, cb, Add::<S, true>(each)),
                (Some(add), false) => add.columns::<S, N>(s, lanes, at, cb, Add::<S, false>(each)),
                (None, true) => each.map::<N>(|_, mut v| {
                    for v in &mut v {
                        *v = s.max(s.zero(), *v);
                    }
                    v
                }),
                (None, false) => {}
            }
            if let Some(keep_where) = &f.keep_where {
                keep_where.columns::<S, N>(s, lanes, at, cb, Keep(each));
            }
        }
    }
}

/// Columns of the values to be changed.
#[derive(Clone, Copy)]
struct Each<S> {
    s: S,
    lanes: Lanes,
    c: usize,
    len: usize,
    to: *mut f32,
}

impl<S: Simd> Each<S> {
    /// # Safety
    /// All pixels are readable and writable.
    #[inline(always)]
    unsafe fn map<const N: usize>(self, f: impl Fn(usize, [S::V; N]) -> [S::V; N]) {
        for i in (0..self.len).step_by(self.c) {
            // SAFETY: pixels below `len`.
            unsafe {
                let v = self.lanes.load_all(self.s, self.to.add(i));
                self.lanes.store_all(self.s, self.to.add(i), f(i, v));
            }
        }
    }
}

struct Add<S, const RELU: bool>(Each<S>);

impl<S: Simd, const N: usize, const RELU: bool> WithColumns<S, N> for Add<S, RELU> {
    #[inline(always)]
    unsafe fn run<R: Read<S, N>>(self, columns: R) {
        let s = self.0.s;
        // SAFETY: the columns are as long as what is changed.
        unsafe {
            self.0.map::<N>(|i, mut v| {
                let other = columns.at(s, i);
                for n in 0..N {
                    v[n] = s.add(v[n], other[n]);
                    if RELU {
                        v[n] = s.max(s.zero(), v[n]);
                    }
                }
                v
            });
        }
    }
}

struct Keep<S>(Each<S>);

impl<S: Simd, const N: usize> WithColumns<S, N> for Keep<S> {
    #[inline(always)]
    unsafe fn run<R: Read<S, N>>(self, columns: R) {
        let s = self.0.s;
        // SAFETY: the columns are as long as what is changed.
        unsafe {
            self.0.map::<N>(|i, mut v| {
                let other = columns.at(s, i);
                for n in 0..N {
                    v[n] = s.where_positive(v[n], other[n]);
                }
                v
            });
        }
    }
}
