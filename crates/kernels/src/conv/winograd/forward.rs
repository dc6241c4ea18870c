//! Convolution through the planes; the input gradient is the same with other weights.

use super::super::tile::{self, Panels, Rows, Target};
use super::transform::{InputToPlanes, Planes, PlanesToOutput};
use super::{PLANES, SKEW, Shape};
use crate::isa::Isa;
use crate::memory::{Buffer, Out, with_scratch};
use crate::parallel::tasks;
use crate::rows::{Finish, Partial, Source};
use crate::simd::{Kernel, Simd, dispatch};

/// Bytes of planes a task may hold: they should stay in the second-level cache.
const TASK_BYTES: usize = 512 << 10;
/// Transformed weights above this size are read as seldom as possible.
const LARGE_WEIGHTS: usize = 6 << 20;
/// Bytes of planes of one round with large weights: they should stay in the last-level cache.
const ROUND_BYTES: usize = 20 << 20;

/// Tile rows whose inputs are staged together: more would leave the cache, fewer copy more lines twice.
const STAGED: usize = 2;

/// Convolves `x` (N, H, W, I) into `y` (N, H', W', O).
pub(in super::super) fn convolve(
    isa: Isa,
    shape: &Shape,
    x: &Source<'_>,
    weights: &[f32],
    y: &mut [f32],
    finish: &Finish<'_>,
) {
    assert_eq!(x.len(), shape.n * shape.h * shape.w * shape.i);
    assert_eq!(y.len(), shape.n * shape.oh * shape.ow * shape.o);
    assert_eq!(weights.len(), shape.transformed());
    x.assert_channels(shape.i);
    finish.assert_fits(y.len(), shape.o);
    let tiles = shape.tiles();
    let rows = shape.n * tiles.rows;
    if rows == 0 {
        return;
    }
    let y = Out::new(y);
    let round = |first, end| Round { isa, shape, x, weights, y, finish, first, end };
    let bytes = 4 * PLANES * tiles.columns * (shape.i + shape.o);
    if 4 * shape.transformed() > LARGE_WEIGHTS {
        let per = rows.div_ceil((rows * bytes).div_ceil(ROUND_BYTES));
        for first in (0..rows).step_by(per) {
            round(first, (first + per).min(rows)).by_planes();
        }
    } else {
        let least = 56usize.div_ceil(tiles.columns);
        let per = (TASK_BYTES / bytes).max(least).min(rows.div_ceil(8)).max(1);
        let work = rows * tiles.columns * PLANES * shape.i * shape.o / 16;
        tasks(rows.div_ceil(per), work, |task| round(task * per, ((task + 1) * per).min(rows)).at_once());
    }
}

/// Tile rows `first..end`, counted over all images.
struct Round<'a> {
    isa: Isa,
    shape: &'a Shape,
    x: &'a Source<'a>,
    weights: &'a [f32],
    y: Out,
    finish: &'a Finish<'a>,
    first: usize,
    end: usize,
}

impl Round<'_> {
    fn count(&self) -> usize {
        (self.end - self.first) * self.shape.tiles().columns
    }
    fn plane(&self, channels: usize) -> usize {
        self.count() * channels + SKEW
    }

    /// All steps on this thread, the planes in its scratch.
    fn at_once(&self) {
        let (i, o) = (self.plane(self.shape.i), self.plane(self.shape.o));
        let staging = self.shape.tile_window().scratch(STAGED, self.x);
        with_scratch(PLANES * (i + o) + staging, |scratch| {
            // SAFETY: the scratch holds both sets of planes and the staged lines; the tile rows are
            // this task's alone.
            unsafe {
                let to = scratch.add(PLANES * i);
                self.input(self.first, self.end, scratch, to.add(PLANES * o));
                for plane in 0..PLANES {
                    self.multiply(plane, scratch, to);
                }
                self.output(self.first, self.end, to);
            }
        })
    }

    /// Each step on all threads. A plane's weights are then read by one thread, once.
    fn by_planes(&self) {
        let (i, o) = (self.plane(self.shape.i), self.plane(self.shape.o));
        let mut planes = Buffer::new(PLANES * (i + o));
        let planes = Out::new(&mut planes);
        let rows = self.end - self.first;
        let pieces = rows.div_ceil(STAGED);
        let piece = |p: usize| (self.first + p * STAGED, (self.first + (p + 1) * STAGED).min(self.end));
        let staging = self.shape.tile_window().scratch(STAGED, self.x);
        let work = self.count() * PLANES * (self.shape.i + self.shape.o);
        // SAFETY: the buffer holds both sets of planes, the scratch the staged lines; tasks write
        // disjoint tile rows or planes.
        unsafe {
            let (from, to) = (planes, Out::from(planes.at(PLANES * i)));
            tasks(pieces, work / 8, |p| {
                with_scratch(staging, |scratch| self.input(piece(p).0, piece(p).1, from.at(0), scratch));
            });
            tasks(PLANES, work * 8, |plane| self.multiply(plane, from.at(0), to.at(0)));
            tasks(pieces, work / 8, |p| self.output(piece(p).0, piece(p).1, to.at(0)));
        }
    }

    /// # Safety
    /// `planes` holds this round's planes of inputs; no other task writes those of these rows.
    /// `staging` is scratch for [`STAGED`] rows of tiles.
    unsafe fn input(&self, first: usize, end: usize, planes: *mut f32, staging: *mut f32) {
        let (window, channels) = (self.shape.tile_window(), self.shape.i);
        let (columns, stride) = (window.gw, self.plane(channels));
        for first in (first..end).step_by(STAGED) {
            // SAFETY: tile row `first` is that many tiles into the round.
            unsafe {
                let rows = &window.stage(self.isa, self.x, first, (first + STAGED).min(end), staging);
                let start = planes.add((first - self.first) * columns * channels);
                let planes = Planes { start, stride, channels };
                dispatch(self.isa, &InputToPlanes { rows, columns, planes });
            }
        }
    }

    /// # Safety
    /// `planes` holds this round's planes of outputs; no other task writes these rows of `y`.
    unsafe fn output(&self, first: usize, end: usize, planes: *mut f32) {
        let tiles = self.shape.tiles();
        let channels = self.shape.o;
        let stride = self.plane(channels);
        let mut partial = Partial::default();
        for row in first..end {
            // The pixels of this row of tiles, over all images.
            let (image, ty) = (row / tiles.rows, row % tiles.rows);
            let pixels = |ty: usize| (image * tiles.oh + (ty * 4).min(tiles.oh)) * tiles.ow;
            // SAFETY: tile row `row` is that many tiles into the round.
            unsafe {
                let start = planes.add((row - self.first) * tiles.columns * channels);
                let planes = Planes { start, stride, channels };
                dispatch(self.isa, &PlanesToOutput { tiles, planes, first: row, end: row + 1, y: self.y.at(0) });
                self.finish.pixels(self.isa, self.y.at(0), channels, (pixels(ty), pixels(ty + 1)), &mut partial);
            }
        }
        self.finish.gathered(partial);
    }

    /// # Safety
    /// `from` and `to` hold this round's planes of inputs and outputs.
    unsafe fn multiply(&self, plane: usize, from: *const f32, to: *mut f32) {
        let (i, o) = (self.shape.i, self.shape.o);
        // SAFETY: planes lie `plane(channels)` apart, those of the weights i * o + SKEW.
        unsafe {
            let product = PlaneProduct {
                rows: self.count(),
                i,
                o,
                left: from.add(plane * self.plane(i)),
                weights: self.weights.as_ptr().add(plane * (i * o + SKEW)),
                out: to.add(plane * self.plane(o)),
            };
            dispatch(self.isa, &product);
        }
    }
}

/// `out (rows, o) = left (rows, i) * weights (i, o)`, the weights in panels.
struct PlaneProduct {
    rows: usize,
    i: usize,
    o: usize,
    left: *const f32,
    weights: *const f32,
    out: *mut f32,
}

impl Kernel for PlaneProduct {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let panels = Panels { columns: self.o, lanes: S::LANES };
        for panel in 0..panels.count() {
            let registers = panels.registers(panel);
            let start = panels.start(panel);
            let most = if registers == 2 { S::ROWS_WIDE } else { S::ROWS_NARROW };
            let blocks = self.rows.div_ceil(most);
            for b in 0..blocks {
                let (from, to) = tile::block(self.rows, b, blocks);
                // SAFETY: rows from..to are inside both matrices, the panel inside the weights.
                unsafe {
                    let left = Rows {
                        start: self.left.add(from * self.i),
                        count: to - from,
                        stride: self.i,
                        taps: 1,
                        tap_stride: 0,
                        depth: self.i,
                    };
                    let out =
                        Target { start: self.out.add(from * self.o + start), stride: self.o, columns: self.o - start };
                    tile::multiply(s, &left, self.weights.add(start * self.i), registers, &out);
                }
            }
        }
    }
}
