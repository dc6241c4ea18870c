//! Values that are computed while they are read.

#![allow(clippy::needless_range_loop)] // loops of constant length over registers

use super::{Columns, Lanes, by_columns};
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};

/// Pixels of some number of channels; the parameters are one number per channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// Values in memory.
    Plain(&'a [f32]),
    /// Batch norm, and perhaps rectifier, of values in memory.
    Normed(Normed<'a>),
    /// The gradient batch norm passes on: `k0 g + k1 x + k2`.
    Gradient { g: &'a [f32], x: &'a [f32], k: [&'a [f32]; 3] },
}

/// `act(scale * x + shift)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Normed<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) scale: &'a [f32],
    pub(crate) shift: &'a [f32],
    pub(crate) relu: bool,
}

impl Source<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Plain(x) | Self::Normed(Normed { x, .. }) | Self::Gradient { x, .. } => x.len(),
        }
    }

    /// Panics unless this is whole pixels of `c` channels with a parameter for each: what the
    /// unchecked reads rely on.
    pub(crate) fn assert_channels(&self, c: usize) {
        assert!(self.len().is_multiple_of(c));
        match self {
            Self::Plain(_) => {}
            Self::Normed(n) => assert!(n.scale.len() == c && n.shift.len() == c),
            Self::Gradient { g, x, k } => assert!(g.len() == x.len() && k.iter().all(|k| k.len() == c)),
        }
    }

    /// Writes the values `at..at + len` (whole pixels) to `to`.
    ///
    /// # Safety
    /// The values exist, there is a parameter for each of `c` channels, `to` is writable.
    pub(crate) unsafe fn fill(&self, isa: Isa, c: usize, at: usize, len: usize, to: *mut f32) {
        // SAFETY: handed on to the caller.
        unsafe {
            match self {
                Self::Plain(x) => to.copy_from_nonoverlapping(x.as_ptr().add(at), len),
                _ => dispatch(isa, &Fill { source: self, c, at, len, to }),
            }
        }
    }
}

/// Some adjacent registers' columns of a source: values at a distance from the column's first.
pub(super) trait Read<S: Simd, const N: usize>: Copy {
    /// # Safety
    /// There is a value at this distance.
    unsafe fn at(self, s: S, distance: usize) -> [S::V; N];
}

/// What is done with columns. `run` must be `inline(always)`.
pub(super) trait WithColumns<S: Simd, const N: usize> {
    /// # Safety
    /// The columns have all values this reads.
    unsafe fn run<R: Read<S, N>>(self, columns: R);
}

impl Source<'_> {
    /// Hands the `N` columns of channels `cb..` that start `at` floats into the source to `then`.
    ///
    /// # Safety
    /// As `then` reads; there are `N` registers of `lanes.n` channels from `cb` on.
    #[inline(always)]
    pub(super) unsafe fn columns<S: Simd, const N: usize>(
        &self,
        s: S,
        lanes: Lanes,
        at: usize,
        cb: usize,
        then: impl WithColumns<S, N>,
    ) {
        // SAFETY: handed on to the caller.
        unsafe {
            let parameters = |p: &[f32]| lanes.load_all::<S, N>(s, p.as_ptr().add(cb));
            match *self {
                Self::Plain(x) => then.run(PlainColumns { lanes, x: x.as_ptr().add(at + cb) }),
                Self::Normed(Normed { x, scale, shift, relu }) => {
                    let (x, scale, shift) = (x.as_ptr().add(at + cb), parameters(scale), parameters(shift));
                    if relu {
                        then.run(NormedColumns::<S, N, true> { lanes, x, scale, shift });
                    } else {
                        then.run(NormedColumns::<S, N, false> { lanes, x, scale, shift });
                    }
                }
                Self::Gradient { g, x, k } => then.run(GradientColumns::<S, N> {
                    lanes,
                    g: g.as_ptr().add(at + cb),
                    x: x.as_ptr().add(at + cb),
                    k: [parameters(k[0]), parameters(k[1]), parameters(k[2])],
                }),
            }
        }
    }
}

#[derive(Clone, Copy)]
struct PlainColumns {
    lanes: Lanes,
    x: *const f32,
}

impl<S: Simd, const N: usize> Read<S, N> for PlainColumns {
    #[inline(always)]
    unsafe fn at(self, s: S, distance: usize) -> [S::V; N] {
        // SAFETY: the caller's promise.
        unsafe { self.lanes.load_all(s, self.x.add(distance)) }
    }
}

#[derive(Clone, Copy)]
struct NormedColumns<S: Simd, const N: usize, const RELU: bool> {
    lanes: Lanes,
    x: *const f32,
    scale: [S::V; N],
    shift: [S::V; N],
}

impl<S: Simd, const N: usize, const RELU: bool> Read<S, N> for NormedColumns<S, N, RELU> {
    #[inline(always)]
    unsafe fn at(self, s: S, distance: usize) -> [S::V; N] {
        // SAFETY: the caller's promise.
        let mut v = unsafe { self.lanes.load_all::<S, N>(s, self.x.add(distance)) };
        for i in 0..N {
            v[i] = s.mul_add(v[i], self.scale[i], self.shift[i]);
            if RELU {
                v[i] = s.max(s.zero(), v[i]);
            }
        }
        v
    }
}

#[derive(Clone, Copy)]
struct GradientColumns<S: Simd, const N: usize> {
    lanes: Lanes,
    g: *const f32,
    x: *const f32,
    k: [[S::V; N]; 3],
}

impl<S: Simd, const N: usize> Read<S, N> for GradientColumns<S, N> {
    #[inline(always)]
    unsafe fn at(self, s: S, distance: usize) -> [S::V; N] {
        // SAFETY: the caller's promise.
        let (mut g, x) = unsafe {
            let x = self.lanes.load_all::<S, N>(s, self.x.add(distance));
            (self.lanes.load_all::<S, N>(s, self.g.add(distance)), x)
        };
        for i in 0..N {
            g[i] = s.mul_add(g[i], self.k[0][i], s.mul_add(x[i], self.k[1][i], self.k[2][i]));
        }
        g
    }
}

struct Fill<'a> {
    source: &'a Source<'a>,
    c: usize,
    at: usize,
    len: usize,
    to: *mut f32,
}

impl Kernel for Fill<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        // SAFETY: whole pixels of c channels on both sides, see `Source::fill`.
        unsafe { by_columns(s, self.c, self) }
    }
}

impl<S: Simd> Columns<S> for &Fill<'_> {
    #[inline(always)]
    unsafe fn run<const N: usize>(self, s: S, lanes: Lanes, cb: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let store = Store { s, lanes, c: self.c, len: self.len, to: self.to.add(cb) };
            self.source.columns::<S, N>(s, lanes, self.at, cb, store);
        }
    }
}

struct Store<S> {
    s: S,
    lanes: Lanes,
    c: usize,
    len: usize,
    to: *mut f32,
}

impl<S: Simd, const N: usize> WithColumns<S, N> for Store<S> {
    #[inline(always)]
    unsafe fn run<R: Read<S, N>>(self, columns: R) {
        for i in (0..self.len).step_by(self.c) {
            // SAFETY: pixels below `len`.
            unsafe { self.lanes.store_all(self.s, self.to.add(i), columns.at(self.s, i)) };
        }
    }
}
