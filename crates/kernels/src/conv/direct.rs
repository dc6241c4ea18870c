//! Convolution as a matrix product that is never written down (implicit GEMM), for every kernel,
//! stride and number of channels.

use super::tile::{self, Panels, Rows, Target};
use super::window::{Staged, Window};
use crate::isa::Isa;
use crate::memory::{Buffer, Out, with_scratch};
use crate::parallel::tasks;
use crate::rows::{Finish, Partial, Source};
use crate::simd::{Kernel, Simd, dispatch, lanes};
use std::ops::Range;

/// Products of windows over (N, `window.h`, `window.w`, `window.c`) with packed weights, written to
/// images of (`h`, `w`, `columns`).
///
/// Window (gy, gx) of part p gives pixel (`p.y0 + gy * step`, `p.x0 + gx * step`).
#[derive(Clone, Debug)]
pub(super) struct Product<'a> {
    pub(super) window: Window,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) step: usize,
    pub(super) columns: usize,
    pub(super) parts: Vec<Part<'a>>,
    /// Output row of window row 0 of the first part, may be negative; the rows of all parts together
    /// are adjacent.
    pub(super) base: isize,
}

/// One kernel inside the windows: `taps.0` by `taps.1`, its corner at `skip`.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) taps: (usize, usize),
    pub(super) skip: (usize, usize),
    /// The windows that have a result.
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    pub(super) y0: isize,
    pub(super) x0: isize,
    /// [`pack`]ed; empty where a kernel has no tap: the results are zeros.
    pub(super) packed: &'a [f32],
}

/// Weights for [`Product`]: for each panel `kh * kw * c` rows of its registers, zeros where a
/// register reaches beyond the last column. `weight(tap row, tap column * c + channel, column)`.
pub(super) fn pack(
    isa: Isa,
    kh: usize,
    run: usize,
    columns: usize,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync + Send,
) -> Buffer {
    let panels = Panels { columns, lanes: lanes(isa) };
    let depth = kh * run;
    let mut packed = Buffer::new(depth * panels.padded());
    let out = Out::new(&mut packed);
    tasks(panels.count(), depth * columns, |p| {
        let start = panels.start(p);
        let width = panels.registers(p) * panels.lanes;
        // SAFETY: panel p owns the floats from depth * start on, depth * width of them.
        let panel = unsafe { core::slice::from_raw_parts_mut(out.at(depth * start), depth * width) };
        if start + width > columns {
            panel.fill(0.0);
        }
        for column in start..(start + width).min(columns) {
            for (row, k) in panel.chunks_exact_mut(width).zip(0..) {
                row[column - start] = weight(k / run, k % run, column);
            }
        }
    });
    packed
}

impl Product<'_> {
    /// Computes `images` images.
    ///
    /// # Safety
    /// `y` is writable for `images` images of (`h`, `w`, `columns`); the parts together write every
    /// pixel once.
    pub(super) unsafe fn run(&self, isa: Isa, images: usize, x: &Source<'_>, y: Out, finish: &Finish<'_>) {
        let win = &self.window;
        let rows = images * win.gh;
        if rows == 0 || win.gw == 0 {
            return;
        }
        assert!(x.len() == images * win.image());
        let panels = Panels { columns: self.columns, lanes: lanes(isa) };
        for part in &self.parts {
            let depth = part.taps.0 * part.taps.1 * win.c;
            assert!(part.packed.len() >= depth * panels.padded());
            assert!(part.skip.0 + part.taps.0 <= win.kh && part.skip.1 + part.taps.1 <= win.kw);
            assert!(part.rows.end <= win.gh && part.cols.end <= win.gw);
        }
        x.assert_channels(win.c);
        finish.assert_fits(images * self.h * self.w * self.columns, self.columns);
        let depth: usize = self.parts.iter().map(|p| p.taps.0 * p.taps.1 * win.c).sum();
        let per = win.rows_per_task(rows, 112, 192 << 10);
        let work = rows * win.gw * depth * self.columns.div_ceil(lanes(isa));
        tasks(rows.div_ceil(per), work, |task| {
            let (first, end) = (task * per, ((task + 1) * per).min(rows));
            let mut partial = Partial::default();
            with_scratch(win.scratch(end - first, x), |scratch| {
                // SAFETY: x covers all images, the scratch has the size `stage` asks for; the pixels
                // of rows first..end are this task's alone.
                unsafe {
                    let staged = win.stage(isa, x, first, end, scratch);
                    for (first, end) in self.runs(first, end) {
                        self.clear(first, end, y);
                    }
                    dispatch(isa, &Band { product: self, first, staged: &staged, y });
                    for (first, end) in self.runs(first, end) {
                        finish.pixels(isa, y.at(0), self.columns, (first, end), &mut partial);
                    }
                }
            });
            finish.gathered(partial);
        });
    }

    /// The adjacent pixels that window rows `first..end` write: one run for each image.
    // Row 0 is written by the first window row, row h - 1 by the last.
    fn runs(&self, first: usize, end: usize) -> impl Iterator<Item = (usize, usize)> {
        let (gh, h, w, step, base) = (self.window.gh, self.h, self.w, self.step as isize, self.base);
        debug_assert!(-step < base && base <= 0 && base + gh as isize * step >= h as isize);
        let place = move |gy: usize| (base + gy as isize * step).clamp(0, h as isize) as usize;
        (first / gh..end.div_ceil(gh)).map(move |image| {
            let (from, until) = (first.max(image * gh) - image * gh, end.min((image + 1) * gh) - image * gh);
            ((image * h + place(from)) * w, (image * h + place(until)) * w)
        })
    }

    /// Zeros, if some part has no taps and therefore writes nothing.
    ///
    /// # Safety
    /// These pixels of y are the caller's alone.
    unsafe fn clear(&self, first: usize, end: usize, y: Out) {
        if self.parts.iter().any(|p| p.packed.is_empty()) {
            // SAFETY: the caller's promise.
            unsafe { y.at(first * self.columns).write_bytes(0, (end - first) * self.columns) };
        }
    }
}

/// Some rows of a product.
struct Band<'a> {
    product: &'a Product<'a>,
    first: usize,
    staged: &'a Staged,
    y: Out,
}

impl Kernel for Band<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let p = self.product;
        let win = &p.window;
        let panels = Panels { columns: p.columns, lanes: S::LANES };
        for part in p.parts.iter().filter(|part| !part.packed.is_empty() && !part.cols.is_empty()) {
            let depth = part.taps.1 * win.c;
            let skip = part.skip.0 * self.staged.tap_stride + part.skip.1 * win.c;
            for panel in 0..panels.count() {
                let registers = panels.registers(panel);
                let start = panels.start(panel);
                let most = if registers == 2 { S::ROWS_WIDE } else { S::ROWS_NARROW };
                let blocks = part.cols.len().div_ceil(most);
                // SAFETY: windows and pixels are inside the images, the panel's weights are there
                // (see `Product::run`).
                unsafe {
                    let packed = part.packed.as_ptr().add(part.taps.0 * depth * start);
                    for (r, windows) in (self.first..).zip(&self.staged.starts) {
                        let (image, gy) = (r / win.gh, r % win.gh);
                        if !part.rows.contains(&gy) {
                            continue;
                        }
                        let line = image * p.h + (part.y0 + (gy * p.step) as isize) as usize;
                        for b in 0..blocks {
                            let (from, to) = tile::block(part.cols.len(), b, blocks);
                            let gx = part.cols.start + from;
                            let left = Rows {
                                start: windows.add(skip + gx * self.staged.step),
                                count: to - from,
                                stride: self.staged.step,
                                taps: part.taps.0,
                                tap_stride: self.staged.tap_stride,
                                depth,
                            };
                            let pixel = line * p.w + (part.x0 + (gx * p.step) as isize) as usize;
                            let out = Target {
                                start: self.y.at(pixel * p.columns + start),
                                stride: p.step * p.columns,
                                columns: p.columns - start,
                            };
                            tile::multiply(s, &left, packed, registers, &out);
                        }
                    }
                }
            }
        }
    }
}
