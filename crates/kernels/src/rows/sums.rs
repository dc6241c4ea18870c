//! Sums over each channel, the same for any number of threads.

#![allow(clippy::needless_range_loop)] // loops of constant length over registers

use super::{Columns, Lanes, by_columns};
use crate::isa::Isa;
use crate::simd::{Kernel, Simd, dispatch};
use std::sync::{Mutex, PoisonError};

/// Pixels whose sums are taken in 32 bits, from there on in 64.
const BLOCK: usize = 64;

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

    /// See [`Finish::assert_fits`](super::Finish::assert_fits).
    pub(super) fn assert_fits(&self, len: usize, c: usize) {
        if let Against::Other { x, mean } = self.against {
            assert!(x.len() == len && mean.len() == c);
        }
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
        // Rounding may leave less than nothing; what is no number stays none.
        let variance = |square: f64| if square < 0.0 { 0.0 } else { square };
        all.into_iter().map(|(n, mean, square)| (mean as f32, variance(square / n) as f32)).unzip()
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
        // SAFETY: pixels and channels are inside x and y, there are 2 c sums.
        unsafe { by_columns(s, self.c, self) }
    }
}

impl<S: Simd> Columns<S> for &SumBlock {
    #[inline(always)]
    unsafe fn run<const N: usize>(self, s: S, lanes: Lanes, cb: usize) {
        let c = self.c;
        // Two chains of additions for each register, for their latency.
        let mut chains = [[[s.zero(); N]; 2]; 2];
        // SAFETY: the caller's promise.
        unsafe {
            let origin = lanes.load_all::<S, N>(s, self.origin.add(cb));
            let mut at = self.start * c + cb;
            for _ in 0..(self.end - self.start) / 2 {
                self.pixel(s, lanes, at, &origin, &mut chains[0]);
                self.pixel(s, lanes, at + c, &origin, &mut chains[1]);
                at += 2 * c;
            }
            if (self.end - self.start) % 2 == 1 {
                self.pixel(s, lanes, at, &origin, &mut chains[0]);
            }
            for which in 0..2 {
                for n in 0..N {
                    let mut out = [0.0f32; 16];
                    s.store(out.as_mut_ptr(), s.add(chains[0][which][n], chains[1][which][n]));
                    for (lane, v) in out.iter().enumerate().take(lanes.n) {
                        *self.sums.add(which * c + cb + n * S::LANES + lane) += f64::from(*v);
                    }
                }
            }
        }
    }
}

impl SumBlock {
    /// Adds the values `at` to both sums.
    ///
    /// # Safety
    /// The values exist.
    #[inline(always)]
    unsafe fn pixel<S: Simd, const N: usize>(
        &self,
        s: S,
        lanes: Lanes,
        at: usize,
        origin: &[S::V; N],
        [sum, product]: &mut [[S::V; N]; 2],
    ) {
        // SAFETY: the caller's promise.
        let (x, y) = unsafe { (lanes.load_all::<S, N>(s, self.x.add(at)), lanes.load_all::<S, N>(s, self.y.add(at))) };
        for n in 0..N {
            let d = s.sub(x[n], origin[n]);
            let v = if self.gradient { y[n] } else { d };
            sum[n] = s.add(sum[n], v);
            product[n] = s.mul_add(v, d, product[n]);
        }
    }
}
