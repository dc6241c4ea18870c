//! Values that are computed while they are read.

use super::Lanes;
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

/// One register's column of a source: its values at a distance from the column's first.
pub(super) trait Read<S: Simd>: Copy {
    /// # Safety
    /// There is a value at this distance.
    unsafe fn at(self, s: S, distance: usize) -> S::V;
}

/// What is done with a column. `run` must be `inline(always)`.
pub(super) trait WithColumn<S: Simd> {
    /// # Safety
    /// The column has all values this reads.
    unsafe fn run<R: Read<S>>(self, column: R);
}

impl Source<'_> {
    /// Hands the column of channels `cb..` that starts `at` floats into the source to `then`.
    ///
    /// # Safety
    /// As `then` reads; there are `lanes.n` channels from `cb` on.
    #[inline(always)]
    pub(super) unsafe fn column<S: Simd>(&self, s: S, lanes: Lanes, at: usize, cb: usize, then: impl WithColumn<S>) {
        // SAFETY: handed on to the caller.
        unsafe {
            let parameter = |p: &[f32]| lanes.load(s, p.as_ptr().add(cb));
            match *self {
                Self::Plain(x) => then.run(PlainColumn { lanes, x: x.as_ptr().add(at + cb) }),
                Self::Normed(Normed { x, scale, shift, relu }) => {
                    let (x, scale, shift) = (x.as_ptr().add(at + cb), parameter(scale), parameter(shift));
                    if relu {
                        then.run(NormedColumn::<S, true> { lanes, x, scale, shift });
                    } else {
                        then.run(NormedColumn::<S, false> { lanes, x, scale, shift });
                    }
                }
                Self::Gradient { g, x, k } => then.run(GradientColumn::<S> {
                    lanes,
                    g: g.as_ptr().add(at + cb),
                    x: x.as_ptr().add(at + cb),
                    k: [parameter(k[0]), parameter(k[1]), parameter(k[2])],
                }),
            }
        }
    }
}

#[derive(Clone, Copy)]
struct PlainColumn {
    lanes: Lanes,
    x: *const f32,
}

impl<S: Simd> Read<S> for PlainColumn {
    #[inline(always)]
    unsafe fn at(self, s: S, distance: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { self.lanes.load(s, self.x.add(distance)) }
    }
}

#[derive(Clone, Copy)]
struct NormedColumn<S: Simd, const RELU: bool> {
    lanes: Lanes,
    x: *const f32,
    scale: S::V,
    shift: S::V,
}

impl<S: Simd, const RELU: bool> Read<S> for NormedColumn<S, RELU> {
    #[inline(always)]
    unsafe fn at(self, s: S, distance: usize) -> S::V {
        // SAFETY: the caller's promise.
        let v = s.mul_add(unsafe { self.lanes.load(s, self.x.add(distance)) }, self.scale, self.shift);
        if RELU { s.max(s.zero(), v) } else { v }
    }
}

#[derive(Clone, Copy)]
struct GradientColumn<S: Simd> {
    lanes: Lanes,
    g: *const f32,
    x: *const f32,
    k: [S::V; 3],
}

impl<S: Simd> Read<S> for GradientColumn<S> {
    #[inline(always)]
    unsafe fn at(self, s: S, distance: usize) -> S::V {
        // SAFETY: the caller's promise.
        let (g, x) = unsafe { (self.lanes.load(s, self.g.add(distance)), self.lanes.load(s, self.x.add(distance))) };
        s.mul_add(g, self.k[0], s.mul_add(x, self.k[1], self.k[2]))
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
        for cb in (0..self.c).step_by(S::LANES) {
            let lanes = Lanes { n: (self.c - cb).min(S::LANES) };
            // SAFETY: whole pixels of c channels on both sides, see `Source::fill`.
            unsafe {
                let store = Store { s, lanes, c: self.c, len: self.len, to: self.to.add(cb) };
                self.source.column(s, lanes, self.at, cb, store);
            }
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

impl<S: Simd> WithColumn<S> for Store<S> {
    #[inline(always)]
    unsafe fn run<R: Read<S>>(self, column: R) {
        for i in (0..self.len).step_by(self.c) {
            // SAFETY: pixels below `len`.
            unsafe { self.lanes.store(self.s, self.to.add(i), column.at(self.s, i)) };
        }
    }
}
