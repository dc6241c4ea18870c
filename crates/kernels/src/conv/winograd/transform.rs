//! The linear maps between images and planes.

#![allow(clippy::needless_range_loop)] // loops of constant length over registers

use super::super::window::Staged;
use super::PLANES;
use crate::simd::{Kernel, Simd};

/// How an image is cut into tiles of 4x4 outputs; the last ones may hang over the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    pub(super) oh: usize,
    pub(super) ow: usize,
    /// Rows of tiles in one image.
    pub(super) rows: usize,
    /// Tiles in a row.
    pub(super) columns: usize,
}

/// `B^T d`: six inputs to six planes.
#[inline(always)]
fn input6<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    let (two, four, five) = (s.splat(2.0), s.splat(4.0), s.splat(5.0));
    let a = s.neg_mul_add(four, d[2], d[4]);
    let b = s.neg_mul_add(four, d[1], d[3]);
    let c = s.sub(d[4], d[2]);
    let e = s.mul(two, s.sub(d[3], d[1]));
    [
        s.mul_add(four, d[0], s.neg_mul_add(five, d[2], d[4])),
        s.add(a, b),
        s.sub(a, b),
        s.add(c, e),
        s.sub(c, e),
        s.mul_add(four, d[1], s.neg_mul_add(five, d[3], d[5])),
    ]
}

/// `A^T m`: six planes to four outputs.
#[inline(always)]
fn output4<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    let (two, four, eight) = (s.splat(2.0), s.splat(4.0), s.splat(8.0));
    let (s1, d1) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (s2, d2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [s.add(s.add(m[0], s1), s2), s.mul_add(two, d2, d1), s.mul_add(four, s2, s1), s.add(s.mul_add(eight, d2, d1), m[5])]
}

/// `A y`: four gradients of outputs to six planes.
#[inline(always)]
fn output_grad6<S: Simd>(s: S, y: [S::V; 4]) -> [S::V; 6] {
    let (two, four, eight) = (s.splat(2.0), s.splat(4.0), s.splat(8.0));
    let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
    let even2 = s.mul_add(four, y[2], y[0]);
    let odd2 = s.mul_add(eight, y[3], s.mul(two, y[1]));
    [y[0], s.add(even, odd), s.sub(even, odd), s.add(even2, odd2), s.sub(even2, odd2), y[3]]
}

/// `G g`: three weights to six planes.
#[inline(always)]
pub(super) fn weight6<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 6] {
    let sixth = s.splat(-1.0 / 6.0);
    let even = s.add(g[0], g[2]);
    let even2 = s.mul_add(s.splat(1.0 / 6.0), g[2], s.mul(s.splat(1.0 / 24.0), g[0]));
    let odd2 = s.mul(s.splat(1.0 / 12.0), g[1]);
    [
        s.mul(s.splat(0.25), g[0]),
        s.mul(sixth, s.add(even, g[1])),
        s.mul(sixth, s.sub(even, g[1])),
        s.add(even2, odd2),
        s.sub(even2, odd2),
        g[2],
    ]
}

/// `G^T m`: six planes to the gradients of three weights.
#[inline(always)]
pub(super) fn weight_grad3<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 3] {
    let sixth = s.splat(-1.0 / 6.0);
    let (s1, d1) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (s2, d2) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.mul_add(sixth, s1, s.mul_add(s.splat(1.0 / 24.0), s2, s.mul(s.splat(0.25), m[0]))),
        s.mul_add(sixth, d1, s.mul(s.splat(1.0 / 12.0), d2)),
        s.add(s.mul_add(sixth, s1, s.mul(s.splat(1.0 / 6.0), s2)), m[5]),
    ]
}

/// Planes in memory: tile `t` of a plane is `channels` floats from `t * channels` on, the next
/// plane `stride` floats on.
#[derive(Clone, Copy)]
pub(super) struct Planes {
    pub(super) start: *mut f32,
    pub(super) stride: usize,
    pub(super) channels: usize,
}

/// Maps rows of `columns` input tiles to planes.
pub(super) struct InputToPlanes<'a> {
    pub(super) rows: &'a Staged,
    pub(super) columns: usize,
    pub(super) planes: Planes,
}

impl Kernel for InputToPlanes<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let c = self.planes.channels;
        for (r, &start) in self.rows.starts.iter().enumerate() {
            for tx in 0..self.columns {
                // SAFETY: tiles of 6x6 pixels are readable, the planes have room for them.
                unsafe {
                    let corner = start.add(tx * self.rows.step);
                    let tile = self.planes.start.add((r * self.columns + tx) * c);
                    for cb in (0..c).step_by(S::LANES) {
                        let mut rows = [[s.zero(); 6]; 6];
                        for i in 0..6 {
                            let line = corner.add(i * self.rows.tap_stride + cb);
                            let mut d = [s.zero(); 6];
                            for j in 0..6 {
                                d[j] = s.load(line.add(j * c));
                            }
                            rows[i] = input6(s, d);
                        }
                        let to = tile.add(cb);
                        for j in 0..6 {
                            let column = [rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]];
                            let v = input6(s, column);
                            for i in 0..6 {
                                s.store(to.add((i * 6 + j) * self.planes.stride), v[i]);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Maps planes back to the outputs `y` of tile rows `first..end`.
pub(super) struct PlanesToOutput {
    pub(super) tiles: Tiles,
    pub(super) planes: Planes,
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) y: *mut f32,
}

impl Kernel for PlanesToOutput {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let (t, c) = (self.tiles, self.planes.channels);
        for r in self.first..self.end {
            let (image, ty) = (r / t.rows, r % t.rows);
            for tx in 0..t.columns {
                let tile = (r - self.first) * t.columns + tx;
                let (high, wide) = ((t.oh - ty * 4).min(4), (t.ow - tx * 4).min(4));
                // SAFETY: outputs beyond the edge are not written; the planes hold the tile.
                unsafe {
                    let corner = self.y.add(((image * t.oh + ty * 4) * t.ow + tx * 4) * c);
                    for cb in (0..c).step_by(S::LANES) {
                        let from = self.planes.start.add(tile * c + cb);
                        let mut rows = [[s.zero(); 4]; 6];
                        for i in 0..6 {
                            let mut m = [s.zero(); 6];
                            for j in 0..6 {
                                m[j] = s.load(from.add((i * 6 + j) * self.planes.stride));
                            }
                            rows[i] = output4(s, m);
                        }
                        for j in 0..4 {
                            let column = [rows[0][j], rows[1][j], rows[2][j], rows[3][j], rows[4][j], rows[5][j]];
                            let v = output4(s, column);
                            for i in 0..4 {
                                if i < high && j < wide {
                                    s.store(corner.add((i * t.ow + j) * c + cb), v[i]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Maps the gradients `dy` of the outputs of tile rows `first..end` to planes.
pub(super) struct OutputGradToPlanes {
    pub(super) tiles: Tiles,
    pub(super) dy: *const f32,
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) planes: Planes,
}

impl Kernel for OutputGradToPlanes {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let (t, c) = (self.tiles, self.planes.channels);
        for r in self.first..self.end {
            let (image, ty) = (r / t.rows, r % t.rows);
            for tx in 0..t.columns {
                let tile = (r - self.first) * t.columns + tx;
                let (high, wide) = ((t.oh - ty * 4).min(4), (t.ow - tx * 4).min(4));
                // SAFETY: outputs beyond the edge are not read; the planes have room for the tile.
                unsafe {
                    let corner = self.dy.add(((image * t.oh + ty * 4) * t.ow + tx * 4) * c);
                    for cb in (0..c).step_by(S::LANES) {
                        let mut rows = [[s.zero(); 6]; 4];
                        for i in 0..4 {
                            let mut y = [s.zero(); 4];
                            for j in 0..4 {
                                if i < high && j < wide {
                                    y[j] = s.load(corner.add((i * t.ow + j) * c + cb));
                                }
                            }
                            rows[i] = output_grad6(s, y);
                        }
                        let to = self.planes.start.add(tile * c + cb);
                        for j in 0..6 {
                            let v = output_grad6(s, [rows[0][j], rows[1][j], rows[2][j], rows[3][j]]);
                            for i in 0..6 {
                                s.store(to.add((i * 6 + j) * self.planes.stride), v[i]);
                            }
                        }
                    }
                }
            }
        }
    }
}

const _: () = assert!(PLANES == 6 * 6);
