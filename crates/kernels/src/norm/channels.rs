//! Sums and maps over rows of channels, at the speed of memory.
//!
//! Sums are taken over blocks of [`BLOCK`] rows in 32 bits and from there on in 64, in a number of
//! parts that depends on the shape only.

use crate::isa::Isa;
use crate::memory::Out;
use crate::parallel::{ranges, tasks};
use crate::simd::{Kernel, Simd, dispatch};

/// Rows whose sums are taken in 32 bits; they stay in the first-level cache.
const BLOCK: usize = 64;
/// The most partial sums.
const PARTS: usize = 32;

/// Mean and biased variance of each of `c` channels.
pub(super) fn moments(isa: Isa, x: &[f32], c: usize) -> (Vec<f32>, Vec<f32>) {
    // Sums of differences from some typical value do not cancel when the mean is large.
    let origin = &x[..c];
    let n = (x.len() / c) as f64;
    let [sum, square] = sums(isa, x.len() / c, c, &Sums { x, dy: x, y: None, origin, c, gradient: false });
    let mean = |i: usize| sum[i] / n;
    let var = (0..c).map(|i| (square[i] / n - mean(i) * mean(i)).max(0.0) as f32).collect();
    ((0..c).map(|i| (mean(i) + f64::from(origin[i])) as f32).collect(), var)
}

/// Per channel the sums of `dy` and of `dy * (x - mean)`, where `dy` counts only where `y > 0` if
/// there is a `y`.
pub(super) fn gradient_sums(isa: Isa, x: &[f32], dy: &[f32], y: Option<&[f32]>, mean: &[f32]) -> [Vec<f32>; 2] {
    let c = mean.len();
    sums(isa, x.len() / c, c, &Sums { x, dy, y, origin: mean, c, gradient: true })
        .map(|s| s.into_iter().map(|s| s as f32).collect())
}

/// What is summed: `d` and `d * d` with `d = x - origin`, or, for the gradient, `dy` and `dy * d`.
struct Sums<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    y: Option<&'a [f32]>,
    origin: &'a [f32],
    c: usize,
    gradient: bool,
}

fn sums(isa: Isa, rows: usize, c: usize, what: &Sums<'_>) -> [Vec<f64>; 2] {
    assert!(what.x.len() == rows * c && what.dy.len() == rows * c && what.origin.len() == c);
    assert!(what.y.is_none_or(|y| y.len() == rows * c));
    let blocks = rows.div_ceil(BLOCK);
    let parts = blocks.min(PARTS);
    let mut partial = vec![[vec![0.0f64; c], vec![0.0f64; c]]; parts];
    {
        let slots: Vec<_> = partial.iter_mut().map(std::sync::Mutex::new).collect();
        tasks(parts, rows * c / 4, |part| {
            let mut total = slots[part].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut block = vec![0.0f32; 2 * c];
            for b in blocks * part / parts..blocks * (part + 1) / parts {
                let (first, end) = (b * BLOCK, ((b + 1) * BLOCK).min(rows));
                // SAFETY: all slices have `rows` rows (asserted), the block 2 c floats.
                unsafe { dispatch(isa, &SumBlock { what, first, end, out: block.as_mut_ptr() }) };
                for (total, block) in total.iter_mut().zip(block.chunks_exact(c)) {
                    for (t, &s) in total.iter_mut().zip(block) {
                        *t += f64::from(s);
                    }
                }
            }
        });
    }
    let mut all = [vec![0.0; c], vec![0.0; c]];
    for part in &partial {
        for (all, part) in all.iter_mut().zip(part) {
            for (a, p) in all.iter_mut().zip(part) {
                *a += p;
            }
        }
    }
    all
}

/// Writes both sums over rows `first..end` to `out`.
struct SumBlock<'a> {
    what: &'a Sums<'a>,
    first: usize,
    end: usize,
    out: *mut f32,
}

impl Kernel for SumBlock<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let w = self.what;
        // SAFETY: rows and channels are inside the slices, `out` has 2 c floats.
        unsafe {
            let mut cb = 0;
            while cb + S::LANES <= w.c {
                let origin = s.load(w.origin.as_ptr().add(cb));
                let mut a = [s.zero(); 2];
                let mut b = [s.zero(); 2];
                for r in self.first..self.end {
                    let at = r * w.c + cb;
                    let d = s.sub(s.load(w.x.as_ptr().add(at)), origin);
                    let g = if w.gradient {
                        let g = s.load(w.dy.as_ptr().add(at));
                        w.y.map_or(g, |y| s.where_positive(g, s.load(y.as_ptr().add(at))))
                    } else {
                        d
                    };
                    // Two chains of additions, for their latency.
                    a[r & 1] = s.add(a[r & 1], g);
                    b[r & 1] = s.mul_add(g, d, b[r & 1]);
                }
                s.store(self.out.add(cb), s.add(a[0], a[1]));
                s.store(self.out.add(w.c + cb), s.add(b[0], b[1]));
                cb += S::LANES;
            }
            for i in cb..w.c {
                let (mut a, mut b) = (0.0, 0.0);
                for r in self.first..self.end {
                    let at = r * w.c + i;
                    let d = *w.x.get_unchecked(at) - *w.origin.get_unchecked(i);
                    let mut g = if w.gradient { *w.dy.get_unchecked(at) } else { d };
                    if w.y.is_some_and(|y| *y.get_unchecked(at) <= 0.0) {
                        g = 0.0;
                    }
                    a += g;
                    b += g * d;
                }
                *self.out.add(i) = a;
                *self.out.add(w.c + i) = b;
            }
        }
    }
}

/// `act((x - mean) * scale + shift [+ residual])`
pub(super) struct Normalise<'a> {
    pub(super) x: &'a [f32],
    pub(super) mean: &'a [f32],
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
    pub(super) residual: Option<&'a [f32]>,
    pub(super) relu: bool,
}

/// `k0 dy + k1 (x - mean) + k2`, or `k0 dy` if the statistics were constants.
pub(super) struct InputGrad<'a> {
    pub(super) x: &'a [f32],
    pub(super) dy: &'a [f32],
    pub(super) y: Option<&'a [f32]>,
    pub(super) mean: &'a [f32],
    pub(super) factors: &'a [Vec<f32>; 3],
    pub(super) batch: bool,
}

pub(super) fn normalise(isa: Isa, what: &Normalise<'_>, y: &mut [f32]) {
    let c = what.mean.len();
    assert!(what.x.len() == y.len() && what.scale.len() == c && what.shift.len() == c);
    assert!(what.residual.is_none_or(|r| r.len() == y.len()));
    let out = Out::new(y);
    ranges(what.x.len() / c, BLOCK, what.x.len() / 4, |first, end| {
        // SAFETY: lengths asserted; these rows of y are this task's alone.
        unsafe { dispatch(isa, &NormaliseRows { what, c, first, end, out: out.at(0) }) }
    });
}

pub(super) fn input_grad(isa: Isa, what: &InputGrad<'_>, dx: &mut [f32]) {
    let c = what.mean.len();
    assert!(what.x.len() == dx.len() && what.dy.len() == dx.len() && what.factors.iter().all(|f| f.len() == c));
    assert!(what.y.is_none_or(|y| y.len() == dx.len()));
    let out = Out::new(dx);
    ranges(what.x.len() / c, BLOCK, what.x.len() / 4, |first, end| {
        // SAFETY: lengths asserted; these rows of dx are this task's alone.
        unsafe { dispatch(isa, &InputGradRows { what, c, first, end, out: out.at(0) }) }
    });
}

struct NormaliseRows<'a> {
    what: &'a Normalise<'a>,
    c: usize,
    first: usize,
    end: usize,
    out: *mut f32,
}

impl Kernel for NormaliseRows<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let w = self.what;
        // SAFETY: rows and channels are inside all slices; parts of registers are masked.
        unsafe {
            for cb in (0..self.c).step_by(S::LANES) {
                let n = (self.c - cb).min(S::LANES);
                let load = Load { n };
                let mean = load.at(s, w.mean, cb);
                let scale = load.at(s, w.scale, cb);
                let shift = load.at(s, w.shift, cb);
                for r in self.first..self.end {
                    let at = r * self.c + cb;
                    let mut v = s.mul_add(s.sub(load.at(s, w.x, at), mean), scale, shift);
                    if let Some(residual) = w.residual {
                        v = s.add(v, load.at(s, residual, at));
                    }
                    if w.relu {
                        v = s.max(s.zero(), v);
                    }
                    load.put(s, self.out.add(at), v);
                }
            }
        }
    }
}

struct InputGradRows<'a> {
    what: &'a InputGrad<'a>,
    c: usize,
    first: usize,
    end: usize,
    out: *mut f32,
}

impl Kernel for InputGradRows<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let w = self.what;
        // SAFETY: rows and channels are inside all slices; parts of registers are masked.
        unsafe {
            for cb in (0..self.c).step_by(S::LANES) {
                let n = (self.c - cb).min(S::LANES);
                let load = Load { n };
                let mean = load.at(s, w.mean, cb);
                let k0 = load.at(s, &w.factors[0], cb);
                let k1 = load.at(s, &w.factors[1], cb);
                let k2 = load.at(s, &w.factors[2], cb);
                for r in self.first..self.end {
                    let at = r * self.c + cb;
                    let mut g = load.at(s, w.dy, at);
                    if let Some(y) = w.y {
                        g = s.where_positive(g, load.at(s, y, at));
                    }
                    let v = if w.batch {
                        let d = s.sub(load.at(s, w.x, at), mean);
                        s.mul_add(g, k0, s.mul_add(d, k1, k2))
                    } else {
                        s.mul(g, k0)
                    };
                    load.put(s, self.out.add(at), v);
                }
            }
        }
    }
}

/// Loads and stores of `n` floats.
#[derive(Clone, Copy)]
struct Load {
    n: usize,
}

impl Load {
    /// # Safety
    /// `n` floats from `at` on are inside `from`.
    #[inline(always)]
    unsafe fn at<S: Simd>(self, s: S, from: &[f32], at: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let p = from.as_ptr().add(at);
            if self.n == S::LANES { s.load(p) } else { s.load_part(p, self.n) }
        }
    }
    /// # Safety
    /// `to` is writable for `n` floats.
    #[inline(always)]
    unsafe fn put<S: Simd>(self, s: S, to: *mut f32, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe { if self.n == S::LANES { s.store(to, v) } else { s.store_part(to, v, self.n) } }
    }
}
