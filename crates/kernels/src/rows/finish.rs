//! What is done to values right after they were written.

use super::source::{Read, WithColumn};
use super::{Lanes, Source};
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};
use std::sync::{Mutex, PoisonError};

/// Pixels whose sums are taken in 32 bits, from there on in 64.
const BLOCK: usize = 64;
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

/// Which sums over each channel of the values v.
pub(crate) struct Sums<'a> {
    against: Against<'a>,
    parts: Mutex<Vec<Partial>>,
}

enum Against<'a> {
    /// Of v and v^2, for mean and variance.
    Itself,
    /// Of v and v (x - mean).
    Other { x: &'a [f32], mean: &'a [f32] },
}

/// The sums over adjacent pixels that one task has seen.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    first: usize,
    pixels: usize,
    /// Sums of differences from some typical value do not cancel when the mean is large.
    origin: Vec<f32>,
    /// Both sums, one after the other.
    sums: Vec<f64>,
}

impl<'a> Sums<'a> {
    /// For [`Sums::moments`].
    pub(crate) fn of_values() -> Self {
        Self { against: Against::Itself, parts: Mutex::default() }
    }

    /// For [`Sums::products`]: `x` has as many values as are summed, `mean` one per channel.
    pub(crate) fn against(x: &'a [f32], mean: &'a [f32]) -> Self {
        Self { against: Against::Other { x, mean }, parts: Mutex::default() }
    }

    /// Adds pixels `first..end` of `y` to one task's sums.
    ///
    /// # Safety
    /// These pixels of `c` channels exist in `y` and in what is summed against.
    pub(crate) unsafe fn take(
        &self,
        isa: Isa,
        y: *const f32,
        c: usize,
        (first, end): (usize, usize),
        partial: &mut Partial,
    ) {
        let (x, gradient) = match self.against {
            Against::Itself => (y, false),
            Against::Other { x, .. } => (x.as_ptr(), true),
        };
        for start in (first..end).step_by(BLOCK) {
            let end = (start + BLOCK).min(end);
            // SAFETY: the caller's promise; origin and sums are made for c channels.
            unsafe {
                if partial.pixels == 0 {
                    let origin = match self.against {
                        Against::Itself => core::slice::from_raw_parts(y.add(start * c), c),
                        Against::Other { mean, .. } => mean,
                    };
                    *partial = Partial { first: start, pixels: 0, origin: origin.to_vec(), sums: vec![0.0; 2 * c] };
                }
                partial.pixels += end - start;
                let (origin, sums) = (partial.origin.as_ptr(), partial.sums.as_mut_ptr());
                dispatch(isa, &SumBlock { x, y, gradient, c, start, end, origin, sums });
            }
        }
    }

    /// Hands in what a task has gathered.
    pub(crate) fn gathered(&self, partial: Partial) {
        if partial.pixels > 0 {
            self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(partial);
        }
    }

    /// The partial sums in the order of their pixels: which task was done first does not matter.
    fn parts(self) -> Vec<Partial> {
        let mut parts = self.parts.into_inner().unwrap_or_else(PoisonError::into_inner);
        parts.sort_unstable_by_key(|p| p.first);
        parts
    }

    /// Mean and biased variance of each channel (Chan et al.'s rule for joining parts).
    pub(crate) fn moments(self) -> (Vec<f32>, Vec<f32>) {
        let mut parts = self.parts().into_iter();
        let Some(first) = parts.next() else { return Default::default() };
        let c = first.origin.len();
        let of = |p: &Partial, i: usize| {
            let n = p.pixels as f64;
            let mean = p.sums[i] / n;
            (n, f64::from(p.origin[i]) + mean, p.sums[c + i] - p.sums[i] * mean)
        };
        let mut all: Vec<_> = (0..c).map(|i| of(&first, i)).collect();
        for part in parts {
            for (i, (n, mean, square)) in all.iter_mut().enumerate() {
                let (more, its_mean, its_square) = of(&part, i);
                let (delta, total) = (its_mean - *mean, *n + more);
                *mean += delta * more / total;
                *square += its_square + delta * delta * *n * more / total;
                *n = total;
            }
        }
        all.into_iter().map(|(n, mean, square)| (mean as f32, (square / n).max(0.0) as f32)).unzip()
    }

    /// The sums of v and of v (x - mean).
    pub(crate) fn products(self) -> [Vec<f32>; 2] {
        let parts = self.parts();
        let Some(first) = parts.first() else { return Default::default() };
        let mut all = vec![0.0f64; first.sums.len()];
        for part in &parts {
            all.iter_mut().zip(&part.sums).for_each(|(a, p)| *a += p);
        }
        let (sum, product) = all.split_at(all.len() / 2);
        [sum, product].map(|s| s.iter().map(|&s| s as f32).collect())
    }
}

impl Finish<'_> {
    /// Panics unless every part is for `len` values of `c` channels: what the unchecked reads rely on.
    pub(crate) fn assert_fits(&self, len: usize, c: usize) {
        for source in [&self.add, &self.keep_where].into_iter().flatten() {
            source.assert_channels(c);
            assert_eq!(source.len(), len);
        }
        if let Some(Sums { against: Against::Other { x, mean }, .. }) = &self.sums {
            assert!(x.len() == len && mean.len() == c);
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
        let piece = (CACHED / c).clamp(1, BLOCK);
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
        let f = self.finish;
        let at = self.start * self.c;
        for cb in (0..self.c).step_by(S::LANES) {
            let lanes = Lanes { n: (self.c - cb).min(S::LANES) };
            // SAFETY: pixels and channels are inside y and the sources, see `Finish::pixels`.
            unsafe {
                let to = self.y.add(at + cb);
                let len = (self.end - self.start) * self.c;
                let each = Each { s, lanes, c: self.c, len, to };
                match (&f.add, f.relu) {
                    (Some(add), true) => add.column(s, lanes, at, cb, Add::<S, true>(each)),
                    (Some(add), false) => add.column(s, lanes, at, cb, Add::<S, false>(each)),
                    (None, true) => each.map(|_, v| s.max(s.zero(), v)),
                    (None, false) => {}
                }
                if let Some(keep_where) = &f.keep_where {
                    keep_where.column(s, lanes, at, cb, Keep(each));
                }
            }
        }
    }
}

/// One register's column of the values to be changed.
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
    unsafe fn map(self, f: impl Fn(usize, S::V) -> S::V) {
        for i in (0..self.len).step_by(self.c) {
            // SAFETY: pixels below `len`.
            unsafe {
                let v = self.lanes.load(self.s, self.to.add(i));
                self.lanes.store(self.s, self.to.add(i), f(i, v));
            }
        }
    }
}

struct Add<S, const RELU: bool>(Each<S>);

impl<S: Simd, const RELU: bool> WithColumn<S> for Add<S, RELU> {
    #[inline(always)]
    unsafe fn run<R: Read<S>>(self, column: R) {
        let s = self.0.s;
        // SAFETY: the column is as long as what is changed.
        unsafe {
            self.0.map(|i, v| {
                let v = s.add(v, column.at(s, i));
                if RELU { s.max(s.zero(), v) } else { v }
            });
        }
    }
}

struct Keep<S>(Each<S>);

impl<S: Simd> WithColumn<S> for Keep<S> {
    #[inline(always)]
    unsafe fn run<R: Read<S>>(self, column: R) {
        let s = self.0.s;
        // SAFETY: the column is as long as what is changed.
        unsafe { self.0.map(|i, v| s.where_positive(v, column.at(s, i))) }
    }
}

/// Adds the sums over pixels `start..end`: of `y` and `y (x - origin)`, or of `d` and `d^2` with
/// `d = y - origin`.
struct SumBlock {
    x: *const f32,
    y: *const f32,
    gradient: bool,
    c: usize,
    start: usize,
    end: usize,
    origin: *const f32,
    sums: *mut f64,
}

impl Kernel for SumBlock {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let c = self.c;
        for cb in (0..c).step_by(S::LANES) {
            let lanes = Lanes { n: (c - cb).min(S::LANES) };
            // Two chains of additions, for their latency.
            let mut a = [s.zero(); 2];
            let mut b = [s.zero(); 2];
            let mut out = [[0.0f32; 16]; 2];
            // SAFETY: pixels and channels are inside x and y, there are 2 c sums.
            unsafe {
                let origin = lanes.load(s, self.origin.add(cb));
                for (r, chain) in (self.start..self.end).zip([0, 1].into_iter().cycle()) {
                    let d = s.sub(lanes.load(s, self.x.add(r * c + cb)), origin);
                    let v = if self.gradient { lanes.load(s, self.y.add(r * c + cb)) } else { d };
                    a[chain] = s.add(a[chain], v);
                    b[chain] = s.mul_add(v, d, b[chain]);
                }
                s.store(out[0].as_mut_ptr(), s.add(a[0], a[1]));
                s.store(out[1].as_mut_ptr(), s.add(b[0], b[1]));
                for (which, out) in out.iter().enumerate() {
                    for (lane, v) in out.iter().enumerate().take(lanes.n) {
                        *self.sums.add(which * c + cb + lane) += f64::from(*v);
                    }
                }
            }
        }
    }
}
