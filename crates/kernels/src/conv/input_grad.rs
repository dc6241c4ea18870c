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

/// The most input channels for which [`InputGradWeights::Columns`] is thought of.
const SLACK: usize = 8;

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
        self.i <= SLACK && 2 * (taps * self.i).next_multiple_of(lanes) <= taps * self.i.next_multiple_of(lanes)
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
        // All pixels of an image as one row.
        let pixels = self.oh * self.ow;
        let window = Window { h: 1, w: pixels, c: self.o, kh: 1, kw: 1, stride: 1, top: 0, left: 0, gh: 1, gw: pixels };
        let product = Product { window, h: 1, w: pixels, y0: 0, x0: 0, step: 1, columns };
        let (input, output) = (self.h * self.w * i, self.oh * self.ow * self.o);
        let out = Out::new(dx);
        let (rows_of, columns_of) = (self.readers(self.h, self.oh), self.readers(self.w, self.ow));
        tasks(self.n, self.n * output * columns / 8, |n| {
            with_scratch(pixels * columns + SLACK, |scratch| {
                // SAFETY: the scratch holds one image of `columns` channels and the slack; image n
                // of dx is this task's alone.
                let (taps, image) = unsafe {
                    product.run(isa, 1, &dy[n * output..][..output], packed, Out::from(scratch));
                    scratch.add(pixels * columns).write_bytes(0, SLACK);
                    (
                        core::slice::from_raw_parts(scratch, pixels * columns + SLACK),
                        core::slice::from_raw_parts_mut(out.at(n * input), input),
                    )
                };
                if i <= 4 {
                    self.gather::<4>(taps, &rows_of, &columns_of, image);
                } else {
                    self.gather::<SLACK>(taps, &rows_of, &columns_of, image);
                }
            })
        });
    }

    /// For each of `size` pixels along an axis of the input the (output, tap) pairs that read it.
    fn readers(&self, size: usize, out: usize) -> Vec<Vec<(usize, usize)>> {
        let reads = |x: usize| {
            let pairs = (0..self.k).filter_map(move |tap| {
                let start = (x + self.padding).checked_sub(tap)?;
                (start.is_multiple_of(self.stride) && start / self.stride < out).then_some((start / self.stride, tap))
            });
            pairs.collect()
        };
        (0..size).map(reads).collect()
    }

    /// Sums for each pixel the values of the taps that read it, `W >= i` floats at a time: what is
    /// too much lies in `taps` too, thanks to the slack, and is not stored.
    fn gather<const W: usize>(
        &self,
        taps: &[f32],
        rows_of: &[Vec<(usize, usize)>],
        columns_of: &[Vec<(usize, usize)>],
        image: &mut [f32],
    ) {
        let (i, k) = (self.i, self.k);
        let columns = k * k * i;
        let offsets: Vec<Vec<usize>> =
            columns_of.iter().map(|c| c.iter().map(|(ox, kx)| ox * columns + kx * i).collect()).collect();
        for (line, rows) in image.chunks_exact_mut(self.w * i).zip(rows_of) {
            for (pixel, offsets) in line.chunks_exact_mut(i).zip(&offsets) {
                let mut sum = [0.0f32; W];
                for (oy, ky) in rows {
                    let row = &taps[oy * self.ow * columns + ky * k * i..];
                    for &offset in offsets {
                        let values: &[f32; W] = row[offset..offset + W].try_into().expect("W floats");
                        for (s, v) in sum.iter_mut().zip(values) {
                            *s += v;
                        }
                    }
                }
                pixel.copy_from_slice(&sum[..i]);
            }
        }
    }
}
