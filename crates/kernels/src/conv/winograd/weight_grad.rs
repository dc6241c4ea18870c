//! The gradient of the weights through the planes: per plane, the sum over tiles of the outer
//! product of the transformed input and the transformed gradient of the output.

#![allow(clippy::needless_range_loop)] // loops of constant length over registers

use super::super::tile::{self, Panels, Runs};
use super::transform::{InputToPlanes, OutputGradToPlanes, Planes, weight_grad3};
use super::{PLANES, SKEW, Shape};
use crate::isa::Isa;
use crate::memory::{Buffer, Out, with_scratch};
use crate::parallel::tasks;
use crate::rows::Source;
use crate::simd::{Kernel, Simd, dispatch, lanes};

/// Planes of weights up to this size are summed per task, larger ones by all threads together.
const SMALL_WEIGHTS: usize = 1 << 20;
/// Bytes of planes a task may hold: they should stay in the second-level cache.
const TASK_BYTES: usize = 512 << 10;
/// Bytes of planes in one round of all threads: they should stay in the last-level cache.
const ROUND_BYTES: usize = 16 << 20;

/// `dw` in PyTorch's layout (O, I, 3, 3).
pub(in super::super) fn weight_grad(isa: Isa, shape: &Shape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    assert_eq!(x.len(), shape.n * shape.h * shape.w * shape.i);
    assert_eq!(dy.len(), shape.n * shape.oh * shape.ow * shape.o);
    assert_eq!(dw.len(), shape.o * shape.i * 9);
    let tiles = shape.tiles();
    let rows = shape.n * tiles.rows;
    if rows == 0 {
        return dw.fill(0.0);
    }
    let bytes = 4 * PLANES * tiles.columns * (shape.i + shape.o);
    let size = shape.transformed();
    let small = 4 * size <= SMALL_WEIGHTS;
    // Parts and rounds depend on the shape only, so the order of every sum does too.
    let parts = if small { rows.min(16) } else { 1 };
    let mut sums = Buffer::new(parts * size);
    let out = Out::new(&mut sums);
    if small {
        let work = rows * tiles.columns * PLANES * shape.i * shape.o / 16;
        tasks(parts, work, |part| {
            let (first, end) = tile::block(rows, part, parts);
            let per = (TASK_BYTES / bytes).clamp(1, end - first);
            for r in (first..end).step_by(per) {
                // SAFETY: the part's sums are this task's alone.
                let sums = unsafe { out.at(part * size) };
                Round { isa, shape, x, dy, first: r, end: (r + per).min(end), sums, fresh: r == first }.at_once();
            }
        });
    } else {
        // Rounds of equal size: each reads and writes all sums.
        let per = rows.div_ceil((rows * bytes).div_ceil(ROUND_BYTES));
        for r in (0..rows).step_by(per) {
            // SAFETY: the start of the buffer.
            let sums = unsafe { out.at(0) };
            Round { isa, shape, x, dy, first: r, end: (r + per).min(rows), sums, fresh: r == 0 }.by_planes();
        }
    }
    let (lanes, dw) = (lanes(isa), Out::new(dw));
    tasks(shape.o / lanes, parts * size, |register| {
        let sums = sums.as_ptr();
        // SAFETY: a task writes the gradients of its register's output channels only.
        unsafe { dispatch(isa, &PlanesToWeightGrad { shape, sums, parts, register, dw: dw.at(0) }) }
    });
}

/// Tile rows `first..end`, counted over all images, to be added to `sums` (assigned if `fresh`).
struct Round<'a> {
    isa: Isa,
    shape: &'a Shape,
    x: &'a [f32],
    dy: &'a [f32],
    first: usize,
    end: usize,
    sums: *mut f32,
    fresh: bool,
}

// SAFETY: the only member that is not shareable by itself is `sums`, of which tasks write disjoint
// planes.
unsafe impl Sync for Round<'_> {}

impl Round<'_> {
    fn count(&self) -> usize {
        (self.end - self.first) * self.shape.tiles().columns
    }
    fn plane(&self, channels: usize) -> usize {
        self.count() * channels + SKEW
    }

    fn at_once(&self) {
        let (i, o) = (self.plane(self.shape.i), self.plane(self.shape.o));
        with_scratch(PLANES * (i + o) + self.staging(), |scratch| {
            // SAFETY: the scratch holds both sets of planes and the staged lines.
            unsafe {
                let grads = scratch.add(PLANES * i);
                let staging = grads.add(PLANES * o);
                for r in self.first..self.end {
                    self.transform(r, scratch, grads, staging);
                }
                for plane in 0..PLANES {
                    self.multiply(plane, scratch, grads);
                }
            }
        })
    }

    fn by_planes(&self) {
        let (i, o) = (self.plane(self.shape.i), self.plane(self.shape.o));
        let mut planes = Buffer::new(PLANES * (i + o));
        let planes = Out::new(&mut planes);
        let work = self.count() * PLANES * (self.shape.i + self.shape.o);
        // SAFETY: the buffer holds both sets of planes, the scratch the staged lines; tasks write
        // disjoint tile rows or planes.
        unsafe {
            let grads = Out::from(planes.at(PLANES * i));
            tasks(self.end - self.first, work / 8, |r| {
                with_scratch(self.staging(), |staging| {
                    self.transform(self.first + r, planes.at(0), grads.at(0), staging);
                })
            });
            tasks(PLANES, work * 8, |plane| self.multiply(plane, planes.at(0), grads.at(0)));
        }
    }

    /// Floats of scratch for one row of input tiles.
    fn staging(&self) -> usize {
        self.shape.tile_window().scratch(1, &Source::Plain(self.x))
    }

    /// # Safety
    /// The first two pointers hold this round's planes, the third [`Self::staging`]; no other task
    /// writes the planes of tile row `row`.
    unsafe fn transform(&self, row: usize, inputs: *mut f32, grads: *mut f32, staging: *mut f32) {
        let (tiles, window) = (self.shape.tiles(), self.shape.tile_window());
        let (i, o) = (self.shape.i, self.shape.o);
        let done = (row - self.first) * tiles.columns;
        // SAFETY: the tile row is `done` tiles into the round.
        unsafe {
            let rows = &window.stage(self.isa, &Source::Plain(self.x), row, row + 1, staging);
            let planes = Planes { start: inputs.add(done * i), stride: self.plane(i), channels: i };
            dispatch(self.isa, &InputToPlanes { rows, columns: tiles.columns, planes });
            let planes = Planes { start: grads.add(done * o), stride: self.plane(o), channels: o };
            let dy = self.dy.as_ptr();
            dispatch(self.isa, &OutputGradToPlanes { tiles, dy, first: row, end: row + 1, planes });
        }
    }

    /// # Safety
    /// Both pointers hold this round's planes; no other task writes this plane of the sums.
    unsafe fn multiply(&self, plane: usize, inputs: *const f32, grads: *const f32) {
        let (i, o) = (self.shape.i, self.shape.o);
        // SAFETY: planes lie `plane(channels)` apart, those of the sums i * o + SKEW.
        unsafe {
            let product = PlaneOuter {
                len: self.count(),
                i,
                o,
                inputs: inputs.add(plane * self.plane(i)),
                grads: grads.add(plane * self.plane(o)),
                sums: self.sums.add(plane * (i * o + SKEW)),
                fresh: self.fresh,
            };
            dispatch(self.isa, &product);
        }
    }
}

/// `sums (i, o) += inputs (len, i)^T * grads (len, o)`
struct PlaneOuter {
    len: usize,
    i: usize,
    o: usize,
    inputs: *const f32,
    grads: *const f32,
    sums: *mut f32,
    fresh: bool,
}

impl Kernel for PlaneOuter {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let panels = Panels { columns: self.o, lanes: S::LANES };
        let starts = [(self.inputs, self.grads)];
        let runs = Runs { starts: &starts, len: self.len, a_stride: self.i, d_stride: self.o };
        for panel in 0..panels.count() {
            let registers = panels.registers(panel);
            let start = panels.start(panel);
            let most = if registers == 2 { S::ROWS_WIDE } else { S::ROWS_NARROW };
            let blocks = self.i.div_ceil(most);
            for b in 0..blocks {
                let (c0, c1) = tile::block(self.i, b, blocks);
                // SAFETY: rows c0..c1 and the panel's columns are inside the sums.
                unsafe {
                    let out = self.sums.add(c0 * self.o + start);
                    tile::outer(s, &runs, (c0, start), c1 - c0, registers, (out, self.o, self.fresh));
                }
            }
        }
    }
}

/// Adds the parts and maps their planes to gradients of weights, for one register of outputs.
struct PlanesToWeightGrad<'a> {
    shape: &'a Shape,
    sums: *const f32,
    parts: usize,
    register: usize,
    dw: *mut f32,
}

impl Kernel for PlanesToWeightGrad<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let (i, o) = (self.shape.i, self.shape.o);
        let column = self.register * S::LANES;
        for row in 0..i {
            // SAFETY: row and column are inside every plane, and inside the weights.
            unsafe {
                let mut lines = [[s.zero(); 3]; 6];
                for a in 0..6 {
                    let mut m = [s.zero(); 6];
                    for b in 0..6 {
                        let from = self.sums.add((a * 6 + b) * (i * o + SKEW) + row * o + column);
                        for part in 0..self.parts {
                            m[b] = s.add(m[b], s.load(from.add(part * self.shape.transformed())));
                        }
                    }
                    lines[a] = weight_grad3(s, m);
                }
                let mut taps = [0.0f32; 9 * 16];
                for b in 0..3 {
                    let line = [lines[0][b], lines[1][b], lines[2][b], lines[3][b], lines[4][b], lines[5][b]];
                    let v = weight_grad3(s, line);
                    for a in 0..3 {
                        s.store(taps.as_mut_ptr().add((a * 3 + b) * S::LANES), v[a]);
                    }
                }
                for lane in 0..S::LANES {
                    let kernel = self.dw.add(((column + lane) * i + row) * 9);
                    for t in 0..9 {
                        *kernel.add(t) = taps[t * S::LANES + lane];
                    }
                }
            }
        }
    }
}
