//! The gradient of a direct convolution with respect to its weights: for each kernel row, the sum
//! over all positions of the outer product of the window's run with the output's gradient.

use super::Shape;
use super::tile::{self, Panels, Runs};
use super::window::Staged;
use crate::isa::Isa;
use crate::memory::{Buffer, Out, with_scratch};
use crate::parallel::tasks;
use crate::rows::Source;
use crate::simd::{Kernel, Simd, dispatch, lanes};

/// At most this many bytes of partial sums.
const PARTIAL_BYTES: usize = 8 << 20;

impl Shape {
    /// `dw` in PyTorch's layout (O, I, K, K).
    pub(super) fn direct_weight_grad(&self, isa: Isa, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let window = self.window();
        let panels = Panels { columns: self.o, lanes: lanes(isa) };
        let width = panels.padded();
        let run = self.k * self.i;
        let size = self.k * run * width;
        let rows = self.n * self.oh;
        let x = Source::Plain(x);
        if rows == 0 {
            return dw.fill(0.0);
        }
        // The number of partial sums depends on the shape only: same bits for any thread count.
        let parts = (PARTIAL_BYTES / (4 * size)).clamp(1, 16).min(rows);
        let groups = 8usize.div_ceil(parts).min(panels.count());
        let mut sums = Buffer::new(parts * size);
        let out = Out::new(&mut sums);
        let work = rows * self.ow * self.k * run * width / panels.lanes;
        tasks(parts * groups, work, |task| {
            let (part, group) = (task / groups, task % groups);
            let (first, end) = tile::block(rows, part, parts);
            let (from, until) = tile::block(panels.count(), group, groups);
            let per = window.rows_per_task(end - first, 256, 192 << 10);
            // Rows of dy are read in whole registers: copied with zeros where they end earlier.
            let copied = if width == self.o { 0 } else { per * self.ow * width };
            with_scratch(window.scratch(per, &x) + copied, |scratch| {
                for r in (first..end).step_by(per) {
                    let r_end = (r + per).min(end);
                    // SAFETY: the scratch is large enough for both; rows r..r_end exist; panels
                    // from..until of this part are written by this task alone.
                    unsafe {
                        let (dy, dy_copy) = (&dy[r * self.ow * self.o..r_end * self.ow * self.o], scratch);
                        let start = if copied == 0 {
                            dy.as_ptr()
                        } else {
                            widen(dy, self.o, width, dy_copy);
                            dy_copy.cast_const()
                        };
                        let staged = window.stage(isa, &x, r, r_end, scratch.add(copied));
                        let sums = out.at(part * size);
                        let band = Band {
                            shape: self,
                            staged: &staged,
                            dy: start,
                            panels,
                            from,
                            until,
                            sums,
                            fresh: r == first,
                        };
                        dispatch(isa, &band);
                    }
                }
            })
        });
        self.collect(&sums, parts, width, dw);
    }

    /// Adds the partial sums in a fixed order and brings them into PyTorch's layout.
    fn collect(&self, sums: &[f32], parts: usize, width: usize, dw: &mut [f32]) {
        let (i, k) = (self.i, self.k);
        let size = k * k * i * width;
        let out = Out::new(dw);
        // A task takes adjacent output channels, so that both sides move in whole cache lines.
        tasks(self.o.div_ceil(16), parts * size, |block| {
            let columns = block * 16..(block * 16 + 16).min(self.o);
            for row in 0..k * k * i {
                let (tap, channel) = (row / i, row % i);
                let mut total = [0.0f32; 16];
                for part in 0..parts {
                    let line = &sums[part * size + row * width..][columns.clone()];
                    for (t, s) in total.iter_mut().zip(line) {
                        *t += s;
                    }
                }
                for (o, t) in columns.clone().zip(total) {
                    // SAFETY: inside (O, I, K, K); output channel o is this task's alone.
                    unsafe { *out.at((o * i + channel) * k * k + tap) = t };
                }
            }
        });
    }
}

/// Copies rows of `n` floats to rows of `width >= n`, zeros behind.
///
/// # Safety
/// `to` is writable for as many rows of `width` floats as `from` has rows of `n`.
unsafe fn widen(from: &[f32], n: usize, width: usize, to: *mut f32) {
    for (r, row) in from.chunks_exact(n).enumerate() {
        // SAFETY: the caller's promise.
        let to = unsafe { core::slice::from_raw_parts_mut(to.add(r * width), width) };
        to[..n].copy_from_slice(row);
        to[n..].fill(0.0);
    }
}

/// The contribution of some rows of windows to some panels.
struct Band<'a> {
    shape: &'a Shape,
    staged: &'a Staged,
    dy: *const f32,
    panels: Panels,
    from: usize,
    until: usize,
    sums: *mut f32,
    fresh: bool,
}

impl Kernel for Band<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let shape = self.shape;
        let width = self.panels.padded();
        let run = shape.k * shape.i;
        let mut starts = Vec::with_capacity(self.staged.starts.len());
        for (r, &a) in self.staged.starts.iter().enumerate() {
            // SAFETY: dy has a row for every staged row.
            starts.push((a, unsafe { self.dy.add(r * shape.ow * width) }));
        }
        let runs = Runs { starts: &starts, len: shape.ow, a_stride: self.staged.step, d_stride: width };
        for panel in self.from..self.until {
            let registers = self.panels.registers(panel);
            let most = if registers == 2 { S::ROWS_WIDE } else { S::ROWS_NARROW };
            let blocks = run.div_ceil(most);
            for ky in 0..shape.k {
                for b in 0..blocks {
                    let (c0, c1) = tile::block(run, b, blocks);
                    // SAFETY: windows have k runs of `run` floats, tap_stride apart; the sums have
                    // k * run rows of `width`.
                    unsafe {
                        let out = self.sums.add((ky * run + c0) * width + self.panels.start(panel));
                        let shift = (ky * self.staged.tap_stride + c0, self.panels.start(panel));
                        tile::outer(s, &runs, shift, c1 - c0, registers, (out, width, self.fresh));
                    }
                }
            }
        }
    }
}
