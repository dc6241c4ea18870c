//! Convolution as a matrix product that is never written down (implicit GEMM), for every kernel,
//! stride and number of channels.

use super::tile::{self, Panels, Rows, Target};
use super::window::{Staged, Window};
use crate::isa::Isa;
use crate::memory::{Out, with_scratch};
use crate::parallel::tasks;
use crate::simd::{Kernel, Simd, dispatch, lanes};

/// The product of all windows with packed weights, written to positions of a larger image:
/// window (gy, gx) goes to pixel (`y0 + gy * step`, `x0 + gx * step`) of a (`h`, `w`, columns) image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    pub(super) window: Window,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) y0: usize,
    pub(super) x0: usize,
    pub(super) step: usize,
    pub(super) columns: usize,
}

/// Weights for [`Product`]: for each panel `kh * kw * c` rows of its registers, zeros where a
/// register reaches beyond the last column. `weight(tap row, tap column * c + channel, column)`.
pub(super) fn pack(
    isa: Isa,
    kh: usize,
    run: usize,
    columns: usize,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync + Send,
) -> Vec<f32> {
    let panels = Panels { columns, lanes: lanes(isa) };
    let depth = kh * run;
    let mut packed = vec![0.0; depth * panels.padded()];
    let out = Out::new(&mut packed);
    tasks(panels.count(), depth * columns, |p| {
        let start = panels.start(p);
        let width = panels.registers(p) * panels.lanes;
        // SAFETY: panel p owns the floats from depth * start on, depth * width of them.
        let panel = unsafe { core::slice::from_raw_parts_mut(out.at(depth * start), depth * width) };
        for column in start..(start + width).min(columns) {
            for (row, k) in panel.chunks_exact_mut(width).zip(0..) {
                row[column - start] = weight(k / run, k % run, column);
            }
        }
    });
    packed
}

impl Product {
    /// Computes `images` images.
    ///
    /// # Safety
    /// `x` holds `images` images of the window's shape, `packed` the weights of [`pack`] for this
    /// instruction set, `y` is writable for `images` images of (`h`, `w`, columns), of which only
    /// the positions named by the product are written.
    pub(super) unsafe fn run(&self, isa: Isa, images: usize, x: &[f32], packed: &[f32], y: Out) {
        let win = &self.window;
        let rows = images * win.gh;
        if rows == 0 || win.gw == 0 {
            return;
        }
        let depth = win.kh * win.kw * win.c;
        assert!(x.len() == images * win.image() && packed.len() >= depth * self.columns);
        let per = win.rows_per_task(rows, 112, 192 << 10);
        let work = rows * win.gw * depth * self.columns.div_ceil(lanes(isa));
        tasks(rows.div_ceil(per), work, |task| {
            let (first, end) = (task * per, ((task + 1) * per).min(rows));
            with_scratch(win.scratch(end - first), |scratch| {
                // SAFETY: x covers all images, the scratch has the size `stage` asks for; rows
                // first..end are this task's alone.
                unsafe {
                    let staged = win.stage(x.as_ptr(), first, end, scratch);
                    dispatch(isa, &Band { product: self, first, staged: &staged, packed: packed.as_ptr(), y });
                }
            })
        });
    }
}

/// Some rows of a product.
struct Band<'a> {
    product: &'a Product,
    first: usize,
    staged: &'a Staged,
    packed: *const f32,
    y: Out,
}

impl Kernel for Band<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let p = self.product;
        let win = &p.window;
        let panels = Panels { columns: p.columns, lanes: S::LANES };
        let depth = win.kw * win.c;
        for panel in 0..panels.count() {
            let registers = panels.registers(panel);
            let start = panels.start(panel);
            let most = if registers == 2 { S::ROWS_WIDE } else { S::ROWS_NARROW };
            let blocks = win.gw.div_ceil(most);
            // SAFETY: windows and pixels are inside the images, the panel's weights are there (see
            // `Product::run`).
            unsafe {
                let packed = self.packed.add(win.kh * depth * start);
                for (r, windows) in (self.first..).zip(&self.staged.starts) {
                    let row = (r / win.gh * p.h + p.y0 + r % win.gh * p.step) * p.w + p.x0;
                    for b in 0..blocks {
                        let (from, to) = tile::block(win.gw, b, blocks);
                        let left = Rows {
                            start: windows.add(from * self.staged.step),
                            count: to - from,
                            stride: self.staged.step,
                            taps: win.kh,
                            tap_stride: self.staged.tap_stride,
                            depth,
                        };
                        let out = Target {
                            start: self.y.at((row + from * p.step) * p.columns + start),
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
