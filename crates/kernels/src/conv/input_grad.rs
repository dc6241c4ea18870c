//! The gradient of a direct convolution with respect to its input.
//!
//! A pixel (y, x) was read by kernel row ky iff `y + padding - ky` is a multiple of the stride. So
//! the pixels fall into stride x stride classes, and within one class the gradient is an ordinary
//! convolution of stride 1 of the output's gradient with the class's share of the kernel, rotated.

use super::Shape;
use super::direct::{Product, pack};
use super::window::Window;
use crate::isa::Isa;
use crate::memory::{Out, with_scratch};
use crate::parallel::tasks;

/// Weights packed for the input gradient.
pub(super) enum InputGradWeights {
    /// One packed kernel per class, row by row of classes; empty where a class has no tap.
    Classes(Vec<Vec<f32>>),
    /// For few input channels: all taps of all channels are columns of one product, whose results
    /// are then added up where they belong.
    Columns(Vec<f32>),
}

/// One of the `stride` residues along one axis.
struct Class {
    /// Taps `residue, residue + stride, ...` of the kernel.
    taps: usize,
    /// First pixel of the class.
    start: usize,
    /// Number of its pixels.
    count: usize,
    /// What [`Window`] calls top and left.
    before: isize,
}

fn class(residue: usize, kernel: usize, stride: usize, padding: usize, size: usize) -> Class {
    let taps = if residue < kernel { (kernel - residue).div_ceil(stride) } else { 0 };
    // Pixel y = residue - padding + stride * t, from the smallest t with y >= 0.
    let t0 = padding.saturating_sub(residue).div_ceil(stride);
    let start = residue + stride * t0 - padding;
    let count = if start < size { (size - start).div_ceil(stride) } else { 0 };
    Class { taps, start, count, before: taps as isize - 1 - t0 as isize }
}

impl Shape {
    /// Whether [`InputGradWeights::Columns`] needs less than half of the arithmetic.
    fn by_columns(&self, lanes: usize) -> bool {
        let taps = self.k * self.k;
        2 * (taps * self.i).next_multiple_of(lanes) <= taps * self.i.next_multiple_of(lanes)
    }

    pub(super) fn pack_input_grad(&self, isa: Isa, w: &[f32]) -> InputGradWeights {
        let (i, k, s, o) = (self.i, self.k, self.stride, self.o);
        let at = move |o: usize, i_: usize, ky: usize, kx: usize| w[((o * i + i_) * k + ky) * k + kx];
        if self.by_columns(crate::simd::lanes(isa)) {
            return InputGradWeights::Columns(pack(isa, 1, o, k * k * i, |_, o, column| {
                at(o, column % i, column / i / k, column / i % k)
            }));
        }
        let mut classes = Vec::with_capacity(s * s);
        for a in 0..s {
            for b in 0..s {
                let (rows, columns) = (class(a, k, s, self.padding, 1).taps, class(b, k, s, self.padding, 1).taps);
                classes.push(if rows * columns == 0 {
                    Vec::new()
                } else {
                    pack(isa, rows, columns * o, i, |row, run, i_| {
                        at(run % o, i_, a + s * (rows - 1 - row), b + s * (columns - 1 - run / o))
                    })
                });
            }
        }
        InputGradWeights::Classes(classes)
    }

    pub(super) fn direct_input_grad(&self, isa: Isa, dy: &[f32], weights: &InputGradWeights, dx: &mut [f32]) {
        match weights {
            InputGradWeights::Classes(c) => self.by_class(isa, dy, c, dx),
            InputGradWeights::Columns(c) => self.column_sums(isa, dy, c, dx),
        }
    }

    fn by_class(&self, isa: Isa, dy: &[f32], weights: &[Vec<f32>], dx: &mut [f32]) {
        let s = self.stride;
        if weights.iter().any(Vec::is_empty) {
            dx.fill(0.0);
        }
        let out = Out::new(dx);
        for a in 0..s {
            let rows = class(a, self.k, s, self.padding, self.h);
            for b in 0..s {
                let columns = class(b, self.k, s, self.padding, self.w);
                let packed = &weights[a * s + b];
                if packed.is_empty() || rows.count * columns.count == 0 {
                    continue;
                }
                let window = Window {
                    h: self.oh,
                    w: self.ow,
                    c: self.o,
                    kh: rows.taps,
                    kw: columns.taps,
                    stride: 1,
                    top: rows.before,
                    left: columns.before,
                    gh: rows.count,
                    gw: columns.count,
                };
                let (y0, x0) = (rows.start, columns.start);
                let product = Product { window, h: self.h, w: self.w, y0, x0, step: s, columns: self.i };
                // SAFETY: dy and dx have the shapes of this convolution; the pixels of the class
                // are start, start + s, ... below the size of dx.
                unsafe { product.run(isa, self.n, dy, packed, out) };
            }
        }
    }

    fn column_sums(&self, isa: Isa, dy: &[f32], packed: &[f32], dx: &mut [f32]) {
        let (i, k) = (self.i, self.k);
        let columns = k * k * i;
        let window = Window {
            h: self.oh,
            w: self.ow,
            c: self.o,
            kh: 1,
            kw: 1,
            stride: 1,
            top: 0,
            left: 0,
            gh: self.oh,
            gw: self.ow,
        };
        let product = Product { window, h: self.oh, w: self.ow, y0: 0, x0: 0, step: 1, columns };
        let (input, output) = (self.h * self.w * i, self.oh * self.ow * self.o);
        let out = Out::new(dx);
        tasks(self.n, self.n * (output * k * k * i).div_ceil(8), |n| {
            with_scratch(self.oh * self.ow * columns, |taps| {
                // SAFETY: the scratch holds one image of `columns` channels; image n of dx is this
                // task's alone.
                let (taps, image) = unsafe {
                    product.run(isa, 1, &dy[n * output..][..output], packed, Out::from(taps));
                    (
                        core::slice::from_raw_parts(taps, self.oh * self.ow * columns),
                        core::slice::from_raw_parts_mut(out.at(n * input), input),
                    )
                };
                image.fill(0.0);
                self.add_taps(taps, image);
            })
        });
    }

    /// Adds each tap's value to the pixel it was read from.
    fn add_taps(&self, taps: &[f32], image: &mut [f32]) {
        let (i, k, s, p) = (self.i, self.k, self.stride, self.padding);
        for oy in 0..self.oh {
            for ky in 0..k {
                let Some(y) = (oy * s + ky).checked_sub(p).filter(|y| *y < self.h) else { continue };
                let row = &mut image[y * self.w * i..][..self.w * i];
                for ox in 0..self.ow {
                    let tap = &taps[(oy * self.ow + ox) * k * k * i + ky * k * i..][..k * i];
                    // Kernel columns that fall inside the image.
                    let from = p.saturating_sub(ox * s);
                    let until = (self.w + p).saturating_sub(ox * s).min(k);
                    if from < until {
                        let x = ox * s + from - p;
                        let (tap, row) = (&tap[from * i..until * i], &mut row[x * i..]);
                        for (r, t) in row.iter_mut().zip(tap) {
                            *r += t;
                        }
                    }
                }
            }
        }
    }
}

