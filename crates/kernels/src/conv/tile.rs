//! The two register tiles every convolution is made of.
//!
//! A *panel* is two registers of adjacent output channels ([`Panels`]); the last one of a matrix is
//! one register wide if that is enough, so that 16 channels do not waste half of the arithmetic.

#![allow(clippy::needless_range_loop)] // loops of constant length over registers

use crate::simd::Simd;

/// How `columns` output channels are cut into panels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels {
    pub(super) columns: usize,
    pub(super) lanes: usize,
}

impl Panels {
    /// Columns with those added that fill the last register.
    pub(super) fn padded(self) -> usize {
        self.columns.next_multiple_of(self.lanes)
    }
    pub(super) fn count(self) -> usize {
        self.columns.div_ceil(2 * self.lanes)
    }
    /// First column of panel `p`.
    pub(super) fn start(self, p: usize) -> usize {
        p * 2 * self.lanes
    }
    /// Registers in panel `p`: 2, or 1.
    pub(super) fn registers(self, p: usize) -> usize {
        ((self.padded() - self.start(p)) / self.lanes).min(2)
    }
}

/// `rows` split into nearly equal blocks of at most `most`: (first, end) of block `i` of `count`.
#[inline(always)]
pub(super) fn block(rows: usize, i: usize, count: usize) -> (usize, usize) {
    (rows * i / count, rows * (i + 1) / count)
}

/// Expands to a match that turns the number of rows into a constant.
macro_rules! with_rows {
    ($rows:expr, $most:expr, $f:ident :: <$($t:ty),*; $nv:literal>($($a:expr),*)) => {
        with_rows!(@ $rows, $most, $f, ($($t),*), $nv, ($($a),*), 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    (@ $rows:expr, $most:expr, $f:ident, $t:tt, $nv:literal, $a:tt, $($n:literal)*) => {
        match $rows {
            $($n if $n <= $most => with_rows!(@call $f, $t, $n, $nv, $a),)*
            _ => debug_assert!(false, "tile of {} rows", $rows),
        }
    };
    (@call $f:ident, ($($t:ty),*), $n:literal, $nv:literal, ($($a:expr),*)) => {
        $f::<$($t,)* $n, $nv>($($a),*)
    };
}

/// The left-hand rows of a product: row `i` is, for each of `taps`, `depth` floats from
/// `start + i * stride + tap * tap_stride` on.
pub(super) struct Rows {
    pub(super) start: *const f32,
    pub(super) count: usize,
    pub(super) stride: usize,
    pub(super) taps: usize,
    pub(super) tap_stride: usize,
    pub(super) depth: usize,
}

/// Where a tile of a product goes: `columns` floats from `start + i * stride` on for row `i`.
pub(super) struct Target {
    pub(super) start: *mut f32,
    pub(super) stride: usize,
    pub(super) columns: usize,
}

/// `out[i][..] = sum over taps and c of rows[i][tap][c] * panel[tap * depth + c][..]`
///
/// # Safety
/// Rows and panel (`taps * depth` rows of `registers` registers) are readable, the target is
/// writable; `rows.count` is at most the instruction set's number for `registers`.
#[inline(always)]
pub(super) unsafe fn multiply<S: Simd>(s: S, rows: &Rows, panel: *const f32, registers: usize, out: &Target) {
    // SAFETY: handed on to the caller.
    unsafe {
        if registers == 2 {
            with_rows!(rows.count, S::ROWS_WIDE, multiply_tile::<S; 2>(s, rows, panel, out))
        } else {
            with_rows!(rows.count, S::ROWS_NARROW, multiply_tile::<S; 1>(s, rows, panel, out))
        }
    }
}

/// # Safety
/// As [`multiply`], with `M` rows and `NV` registers.
#[inline(always)]
unsafe fn multiply_tile<S: Simd, const M: usize, const NV: usize>(s: S, rows: &Rows, panel: *const f32, out: &Target) {
    // SAFETY: all offsets stay inside what the caller promised: tap < taps, c < depth, i < M.
    unsafe {
        let mut acc = [[s.zero(); NV]; M];
        let mut b = panel;
        let stride = rows.stride;
        // Three rows share a pointer (the processor adds one or two strides for free): one for each
        // row would not fit into the general registers, and the compiler then spills the tile too.
        let mut thirds = [rows.start; 5];
        for i in 1..5 {
            thirds[i] = rows.start.wrapping_add(3 * i * stride);
        }
        // One loop over all taps: of a loop inside a loop the compiler keeps the tile in memory.
        let mut left_in_tap = rows.depth;
        for _ in 0..rows.taps * rows.depth {
            let mut right = [s.zero(); NV];
            for v in 0..NV {
                right[v] = s.load(b.add(v * S::LANES));
            }
            for i in 0..M {
                let left = s.splat(*thirds[i / 3].add(i % 3 * stride));
                for v in 0..NV {
                    acc[i][v] = s.mul_add(left, right[v], acc[i][v]);
                }
            }
            b = b.add(NV * S::LANES);
            left_in_tap -= 1;
            let mut on = 1;
            if left_in_tap == 0 {
                on = rows.tap_stride.wrapping_sub(rows.depth).wrapping_add(1);
                left_in_tap = rows.depth;
            }
            for p in &mut thirds {
                *p = p.wrapping_add(on);
            }
        }
        for i in 0..M {
            for v in 0..NV {
                let p = out.start.add(i * out.stride + v * S::LANES);
                let n = out.columns - v * S::LANES;
                if n >= S::LANES {
                    s.store(p, acc[i][v]);
                } else {
                    s.store_part(p, acc[i][v], n);
                }
            }
        }
    }
}

/// Operands of a sum of outer products: for each run `(a, d)` and each of its `len` positions `t`,
/// a column vector from `a + t * a_stride` and a row vector from `d + t * d_stride`.
pub(super) struct Runs<'a> {
    pub(super) starts: &'a [(*const f32, *const f32)],
    pub(super) len: usize,
    pub(super) a_stride: usize,
    pub(super) d_stride: usize,
}

/// `out[i][..] += sum over runs and t of a[t][a_shift + i] * d[t][d_shift ..]` for `i < rows`, whole
/// registers; rows of `out` are `stride` apart. Assigns instead of adding if `fresh`.
///
/// # Safety
/// All that is read and written by this formula is readable and writable; `rows` is at most the
/// instruction set's number for `registers`.
#[inline(always)]
pub(super) unsafe fn outer<S: Simd>(
    s: S,
    runs: &Runs<'_>,
    shift: (usize, usize),
    rows: usize,
    registers: usize,
    out: (*mut f32, usize, bool),
) {
    // SAFETY: handed on to the caller.
    unsafe {
        if registers == 2 {
            with_rows!(rows, S::ROWS_WIDE, outer_tile::<S; 2>(s, runs, shift, out))
        } else {
            with_rows!(rows, S::ROWS_NARROW, outer_tile::<S; 1>(s, runs, shift, out))
        }
    }
}

/// # Safety
/// As [`outer`], with `M` rows and `NV` registers.
#[inline(always)]
unsafe fn outer_tile<S: Simd, const M: usize, const NV: usize>(
    s: S,
    runs: &Runs<'_>,
    (a_shift, d_shift): (usize, usize),
    (out, stride, fresh): (*mut f32, usize, bool),
) {
    // SAFETY: all offsets stay inside what the caller promised: t < len, i < M, v < NV.
    unsafe {
        let mut acc = [[s.zero(); NV]; M];
        for &(a, d) in runs.starts {
            let (mut a, mut d) = (a.add(a_shift), d.add(d_shift));
            for _ in 0..runs.len {
                let mut right = [s.zero(); NV];
                for v in 0..NV {
                    right[v] = s.load(d.add(v * S::LANES));
                }
                for i in 0..M {
                    let left = s.splat(*a.add(i));
                    for v in 0..NV {
                        acc[i][v] = s.mul_add(left, right[v], acc[i][v]);
                    }
                }
                // The last step may point past the end; it is not read.
                a = a.wrapping_add(runs.a_stride);
                d = d.wrapping_add(runs.d_stride);
            }
        }
        for i in 0..M {
            for v in 0..NV {
                let p = out.add(i * stride + v * S::LANES);
                let sum = if fresh { acc[i][v] } else { s.add(s.load(p), acc[i][v]) };
                s.store(p, sum);
            }
        }
    }
}
