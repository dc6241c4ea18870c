//! Kernels as large as their image: a fully connected layer, seen as a convolution.
//!
//! There is one window per image, so [`direct`](super::direct) products, whose register tiles go along
//! a row of windows, would work on one row each. Here the images are the rows.

use super::Shape;
use super::direct::pack;
use super::tile::{self, Panels, Rows, Target};
use crate::isa::Isa;
use crate::memory::{Buffer, Out, with_scratch};
use crate::parallel::tasks;
use crate::rows::{Finish, Partial, Source};
use crate::simd::{Kernel, Simd, dispatch, lanes};

/// Images per task: one tile of the widest registers, so that a batch of 100 still keeps threads busy.
const IMAGES: usize = 12;

impl Shape {
    /// Whether the only window is the image.
    pub(super) fn is_whole(&self) -> bool {
        self.k == self.h && self.k == self.w && self.padding == 0
    }

    /// Floats of an image.
    fn image(&self) -> usize {
        self.k * self.k * self.i
    }

    pub(super) fn pack_whole_input_grad(&self, isa: Isa, w: &[f32]) -> Buffer {
        let (i, taps) = (self.i, self.k * self.k);
        pack(isa, 1, self.o, self.image(), |_, o, column| w[(o * i + column % i) * taps + column / i])
    }

    pub(super) fn whole_forward(&self, isa: Isa, x: &Source<'_>, packed: &[f32], y: &mut [f32], finish: &Finish<'_>) {
        product(isa, (x, self.i), packed, (y, self.o), [self.n, self.image(), self.o], finish);
    }

    pub(super) fn whole_input_grad(
        &self,
        isa: Isa,
        dy: &Source<'_>,
        packed: &[f32],
        dx: &mut [f32],
        finish: &Finish<'_>,
    ) {
        product(isa, (dy, self.o), packed, (dx, self.i), [self.n, self.o, self.image()], finish);
    }
}

/// `y (rows, columns) = x (rows, depth) * packed`, each side with the channels of its pixels.
fn product(
    isa: Isa,
    (x, x_channels): (&Source<'_>, usize),
    packed: &[f32],
    (y, y_channels): (&mut [f32], usize),
    [rows, depth, columns]: [usize; 3],
    finish: &Finish<'_>,
) {
    let panels = Panels { columns, lanes: lanes(isa) };
    assert!(x.len() == rows * depth && y.len() == rows * columns && packed.len() >= depth * panels.padded());
    x.assert_channels(x_channels);
    finish.assert_fits(y.len(), y_channels);
    let y = Out::new(y);
    let count = rows.div_ceil(IMAGES);
    tasks(count, rows * depth * columns.div_ceil(panels.lanes), |task| {
        let (first, end) = tile::block(rows, task, count);
        let computed = if matches!(x, Source::Plain(_)) { 0 } else { (end - first) * depth };
        with_scratch(computed, |scratch| {
            let mut partial = Partial::default();
            // SAFETY: rows first..end exist on both sides, and those of y are this task's alone; the scratch
            // holds those of x; lengths and channels were asserted.
            unsafe {
                let x = match x {
                    Source::Plain(x) => x.as_ptr().add(first * depth),
                    _ => {
                        x.fill(isa, x_channels, first * depth, computed, scratch);
                        scratch.cast_const()
                    }
                };
                dispatch(isa, &Band { x, rows: end - first, depth, packed, panels, y: y.at(first * columns) });
                let pixels = |row: usize| row * columns / y_channels;
                finish.pixels(isa, y.at(0), y_channels, (pixels(first), pixels(end)), &mut partial);
            }
            finish.gathered(partial);
        });
    });
}

/// Some rows of a product.
struct Band<'a> {
    x: *const f32,
    rows: usize,
    depth: usize,
    packed: &'a [f32],
    panels: Panels,
    y: *mut f32,
}

impl Kernel for Band<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let &Band { x, rows, depth, packed, panels, y } = self;
        for panel in 0..panels.count() {
            let (start, registers) = (panels.start(panel), panels.registers(panel));
            let most = if registers == 2 { S::ROWS_WIDE } else { S::ROWS_NARROW };
            let blocks = rows.div_ceil(most);
            for b in 0..blocks {
                let (from, to) = tile::block(rows, b, blocks);
                // SAFETY: rows, panel and target are inside what `product` asserted.
                unsafe {
                    let left = Rows {
                        start: x.add(from * depth),
                        count: to - from,
                        stride: depth,
                        taps: 1,
                        tap_stride: 0,
                        depth,
                    };
                    let columns = panels.columns;
                    let out =
                        Target { start: y.add(from * columns + start), stride: columns, columns: columns - start };
                    tile::multiply(s, &left, packed.as_ptr().add(depth * start), registers, &out);
                }
            }
        }
    }
}
