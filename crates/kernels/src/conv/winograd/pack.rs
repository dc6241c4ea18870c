//! Weights mapped to planes, each plane in panels.

#![allow(clippy::needless_range_loop)] // loops of constant length over registers

use super::transform::weight6;
use super::{SKEW, Shape};
use crate::isa::Isa;
use crate::memory::{Buffer, Out};
use crate::parallel::tasks;
use crate::simd::{Kernel, Simd, dispatch, lanes};

/// For the forward pass: rows are input channels, columns output channels.
pub(in super::super) fn pack_forward(isa: Isa, shape: &Shape, w: &[f32]) -> Buffer {
    let strides = Strides { row: 9, column: 9 * shape.i, rotated: false };
    pack(isa, shape, w, (shape.i, shape.o), strides)
}

/// For the input gradient: rows are output channels, columns input channels, the kernel is rotated.
pub(in super::super) fn pack_backward(isa: Isa, shape: &Shape, w: &[f32]) -> Buffer {
    let strides = Strides { row: 9 * shape.i, column: 9, rotated: true };
    pack(isa, shape, w, (shape.o, shape.i), strides)
}

/// Where the 3x3 kernel of (row, column) lies in the weights.
#[derive(Clone, Copy)]
struct Strides {
    row: usize,
    column: usize,
    rotated: bool,
}

fn pack(isa: Isa, shape: &Shape, w: &[f32], (rows, columns): (usize, usize), strides: Strides) -> Buffer {
    assert_eq!(w.len(), 9 * rows * columns);
    let mut packed = Buffer::new(shape.transformed());
    let out = Out::new(&mut packed);
    let lanes = lanes(isa);
    tasks(columns / lanes, rows * columns / lanes * 300, |register| {
        let w = w.as_ptr();
        // SAFETY: the packing has room for all planes; a task writes its register's columns only.
        unsafe { dispatch(isa, &PackRegister { w, rows, columns, strides, register, packed: out.at(0) }) }
    });
    packed
}

struct PackRegister {
    w: *const f32,
    rows: usize,
    columns: usize,
    strides: Strides,
    register: usize,
    packed: *mut f32,
}

impl Kernel for PackRegister {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let column = self.register * S::LANES;
        // Columns come in pairs of registers; an odd last one is alone.
        let pair = column / (2 * S::LANES) * (2 * S::LANES);
        let width = (self.columns - pair).min(2 * S::LANES);
        for row in 0..self.rows {
            // SAFETY: row and column are inside the weights, the panels inside the packing.
            unsafe {
                let mut taps = [0.0f32; 9 * 16];
                for lane in 0..S::LANES {
                    let kernel = self.w.add(row * self.strides.row + (column + lane) * self.strides.column);
                    for t in 0..9 {
                        let from = if self.strides.rotated { 8 - t } else { t };
                        taps[t * S::LANES + lane] = *kernel.add(from);
                    }
                }
                let mut lines = [[s.zero(); 6]; 3];
                for i in 0..3 {
                    let tap = |j: usize| taps.as_ptr().add((i * 3 + j) * S::LANES);
                    lines[i] = weight6(s, [s.load(tap(0)), s.load(tap(1)), s.load(tap(2))]);
                }
                let to = self.packed.add(pair * self.rows + row * width + column - pair);
                for j in 0..6 {
                    let v = weight6(s, [lines[0][j], lines[1][j], lines[2][j]]);
                    for i in 0..6 {
                        s.store(to.add((i * 6 + j) * (self.rows * self.columns + SKEW)), v[i]);
                    }
                }
            }
        }
    }
}
