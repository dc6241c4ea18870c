//! The gradient of a direct convolution with respect to its input.
//!
//! A pixel (y, x) was read by kernel row ky iff `y + padding - ky` is a multiple of the stride. So
//! the pixels fall into stride x stride classes, and within one class the gradient is an ordinary
//! convolution of stride 1 of the output's gradient with the class's share of the kernel, rotated.
//! Pixel `residue - padding + stride * t` of a class reads rows `t, t - 1, ...` of the gradient, one
//! for each of its taps: all classes share one window.

use super::Shape;
use super::direct::{Part, Product, pack};
use super::window::Window;
use crate::isa::Isa;
use crate::memory::{Buffer, Out, with_scratch};
use crate::parallel::tasks;
use crate::rows::{Finish, Partial, Source};
use std::ops::Range;

/// Weights packed for the input gradient.
pub(super) enum InputGradWeights {
    /// One packed kernel per class, row by row of classes; empty where a class has no tap.
    Classes(Vec<Buffer>),
    /// For few input channels: all taps of all channels are columns of one product, whose results
    /// are then added up where they belong.
    Columns(Buffer),
}

/// The most input channels for which [`InputGradWeights::Columns`] is thought of.
const SLACK: usize = 8;

/// How many taps `residue, residue + stride, ...` a kernel has.
fn taps(residue: usize, kernel: usize, stride: usize) -> usize {
    if residue < kernel { (kernel - residue).div_ceil(stride) } else { 0 }
}

/// One axis of the input, in terms of t (see the module).
struct Axis {
    /// The smallest t of any pixel, and how many there are.
    first: usize,
    count: usize,
    /// Taps and values of `t - first` for each class.
    classes: Vec<(usize, Range<usize>)>,
}

impl Axis {
    fn new(size: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        let range = |residue: usize| {
            let from = padding.saturating_sub(residue).div_ceil(stride);
            from..(size + padding).saturating_sub(residue).div_ceil(stride).max(from)
        };
        let first = (0..stride).map(|r| range(r).start).min().unwrap_or(0);
        let end = (0..stride).map(|r| range(r).end).max().unwrap_or(0);
        let classes =
            (0..stride).map(|r| (taps(r, kernel, stride), range(r).start - first..range(r).end - first)).collect();
        Self { first, count: end - first, classes }
    }
    fn most_taps(&self) -> usize {
        self.classes.iter().map(|c| c.0).max().unwrap_or(0)
    }
    /// What [`Window`] calls top and left.
    fn before(&self) -> isize {
        self.most_taps() as isize - 1 - self.first as isize
    }
    /// The first pixel of a class, were it at `t = first`.
    fn start(&self, residue: usize, stride: usize, padding: usize) -> isize {
        (residue + stride * self.first) as isize - padding as isize
    }
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
                let (rows, columns) = (taps(a, k, s), taps(b, k, s));
                classes.push(if rows * columns == 0 {
                    Buffer::new(0)
                } else {
                    pack(isa, rows, columns * o, i, |row, run, i_| {
                        at(run % o, i_, a + s * (rows - 1 - row), b + s * (columns - 1 - run / o))
                    })
                });
            }
        }
        InputGradWeights::Classes(classes)
    }

    pub(super) fn direct_input_grad(
        &self,
        isa: Isa,
        dy: &Source<'_>,
        weights: &InputGradWeights,
        dx: &mut [f32],
        finish: &Finish<'_>,
    ) {
        match weights {
            InputGradWeights::Classes(c) => self.by_class(isa, dy, c, dx, finish),
            InputGradWeights::Columns(c) => self.column_sums(isa, dy, c, dx, finish),
        }
    }

    fn by_class(&self, isa: Isa, dy: &Source<'_>, weights: &[Buffer], dx: &mut [f32], finish: &Finish<'_>) {
        let s = self.stride;
        let rows = Axis::new(self.h, self.k, s, self.padding);
        let cols = Axis::new(self.w, self.k, s, self.padding);
        let window = Window {
            h: self.oh,
            w: self.ow,
            c: self.o,
            kh: rows.most_taps(),
            kw: cols.most_taps(),
            stride: 1,
            top: rows.before(),
            left: cols.before(),
            gh: rows.count,
            gw: cols.count,
        };
        let mut parts = Vec::with_capacity(weights.len());
        for (class, packed) in weights.iter().enumerate() {
            let (a, b) = (class / s, class % s);
            let ((high, in_rows), (wide, in_cols)) = (&rows.classes[a], &cols.classes[b]);
            parts.push(Part {
                taps: (*high, *wide),
                skip: (window.kh - high, window.kw - wide),
                rows: in_rows.clone(),
                cols: in_cols.clone(),
                y0: rows.start(a, s, self.padding),
                x0: cols.start(b, s, self.padding),
                packed,
            });
        }
        let base = rows.start(0, s, self.padding);
        let product = Product { window, h: self.h, w: self.w, step: s, columns: self.i, parts, base };
        // SAFETY: dx has the shape of this convolution's input; each pixel is in one class.
        unsafe { product.run(isa, self.n, dy, Out::new(dx), finish) };
    }

    fn column_sums(&self, isa: Isa, dy: &Source<'_>, packed: &[f32], dx: &mut [f32], finish: &Finish<'_>) {
        let (i, o, columns) = (self.i, self.o, self.k * self.k * self.i);
        let Self { oh: gh, ow: gw, .. } = *self;
        // A product's line begins with a pixel of zeros: where there is no tap, that is what is read.
        let line = (1 + gw) * columns;
        let window = Window { h: gh, w: gw, c: o, kh: 1, kw: 1, stride: 1, top: 0, left: 0, gh, gw };
        let part = Part { taps: (1, 1), skip: (0, 0), rows: 0..gh, cols: 0..gw, y0: 0, x0: 0, packed };
        let product = Product { window, h: gh, w: 1 + gw, step: 1, columns, parts: vec![part], base: 0 };
        let (input, output, taps) = (self.h * self.w * i, gh * gw * o, gh * line + SLACK);
        dy.assert_channels(o);
        finish.assert_fits(dx.len(), i);
        let out = Out::new(dx);
        let gather = Gather::new(self, line);
        tasks(self.n, self.n * output * columns / 8, |n| {
            with_scratch(taps + output, |scratch| {
                // SAFETY: the scratch holds the product's lines, the slack, and one image of dy; all floats of the
                // first two are written: a pixel of zeros a line, the product behind it, the slack; image n of dx
                // is this task's alone.
                let (taps, image) = unsafe {
                    let dy = match dy {
                        Source::Plain(dy) => &dy[n * output..][..output],
                        _ => {
                            let values = scratch.add(taps);
                            dy.fill(isa, o, n * output, output, values);
                            core::slice::from_raw_parts(values, output)
                        }
                    };
                    for row in 0..gh {
                        scratch.add(row * line).write_bytes(0, columns);
                    }
                    product.run(isa, 1, &Source::Plain(dy), Out::from(scratch.add(columns)), &Finish::default());
                    scratch.add(gh * line).write_bytes(0, SLACK);
                    (
                        core::slice::from_raw_parts(scratch, taps),
                        core::slice::from_raw_parts_mut(out.at(n * input), input),
                    )
                };
                match i {
                    1 => gather.image::<1>(taps, image),
                    2..=4 => gather.image::<4>(taps, image),
                    _ => gather.image::<SLACK>(taps, image),
                }
            });
            let mut partial = Partial::default();
            let size = self.h * self.w;
            // SAFETY: image n of dx is this task's alone.
            unsafe { finish.pixels(isa, out.at(0), i, (n * size, (n + 1) * size), &mut partial) };
            finish.gathered(partial);
        })
    }

    /// The (output, tap) pairs that read pixel `x` of an axis with `out` outputs.
    fn readers(&self, x: usize, out: usize) -> impl Iterator<Item = (usize, usize)> {
        let &Self { k, stride, padding, .. } = self;
        (0..k).filter_map(move |tap| {
            let start = (x + padding).checked_sub(tap)?;
            (start.is_multiple_of(stride) && start / stride < out).then_some((start / stride, tap))
        })
    }
}

/// Adds up what the taps of a product say about each pixel.
struct Gather {
    /// Channels, and pixels of a line.
    i: usize,
    w: usize,
    /// For each line of an image, where the rows of taps that read it begin.
    rows: Vec<Vec<usize>>,
    /// The most taps along a line that read a pixel.
    most: usize,
    /// For each pixel of a line, where so many taps are in a row; 0, the pixel of zeros, if there are fewer.
    columns: Vec<usize>,
}

impl Gather {
    fn new(shape: &Shape, line: usize) -> Self {
        let Shape { h, w, i, k, oh, ow, .. } = *shape;
        let rows = (0..h).map(|y| shape.readers(y, oh).map(|(oy, ky)| oy * line + ky * k * i).collect()).collect();
        let most = k.div_ceil(shape.stride);
        let mut columns = vec![0; w * most];
        for (x, of_pixel) in columns.chunks_exact_mut(most).enumerate() {
            for (at, (ox, kx)) in of_pixel.iter_mut().zip(shape.readers(x, ow)) {
                *at = (1 + ox) * k * k * i + kx * i;
            }
        }
        Self { i, w, rows, most, columns }
    }

    /// `W >= i` floats at a time: what is too much lies in `taps` too, thanks to the slack, and is not kept.
    fn image<const W: usize>(&self, taps: &[f32], image: &mut [f32]) {
        match self.most {
            1 => self.lines::<W, 1>(taps, image),
            2 => self.lines::<W, 2>(taps, image),
            3 => self.lines::<W, 3>(taps, image),
            _ => self.lines::<W, 0>(taps, image),
        }
    }

    /// With `MOST` taps a pixel, or, if that is 0, with any number.
    fn lines<const W: usize, const MOST: usize>(&self, taps: &[f32], image: &mut [f32]) {
        let most = if MOST == 0 { self.most } else { MOST };
        let mut sums = vec![[0.0f32; W]; self.w];
        for (to, rows) in image.chunks_exact_mut(self.w * self.i).zip(&self.rows) {
            sums.fill([0.0; W]);
            for &start in rows {
                let row = &taps[start..];
                for (sum, columns) in sums.iter_mut().zip(self.columns.chunks_exact(most)) {
                    for &at in columns {
                        for (s, v) in sum.iter_mut().zip(&row[at..at + W]) {
                            *s += v;
                        }
                    }
                }
            }
            for (pixel, sum) in to.chunks_exact_mut(self.i).zip(&sums) {
                for (p, s) in pixel.iter_mut().zip(sum) {
                    *p = *s;
                }
            }
        }
    }
}
