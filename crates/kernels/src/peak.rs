//! The most arithmetic a core can do, for benchmarks to be measured against.

use crate::isa::isa;
use crate::simd::{Kernel, Simd, dispatch};
use std::cell::Cell;
use std::hint::black_box;

/// Chains of dependent operations: more than any processor's latency times its units.
const CHAINS: usize = 12;

struct Chains {
    rounds: usize,
    operations: Cell<usize>,
}

impl Kernel for Chains {
    #[inline(always)]
    unsafe fn run<S: Simd>(&self, s: S) {
        let mut chains = [s.splat(1.0); CHAINS];
        let (a, b) = (s.splat(black_box(0.999)), s.splat(black_box(1e-3)));
        for _ in 0..self.rounds {
            for v in &mut chains {
                *v = s.mul_add(*v, a, b);
            }
        }
        let mut out = [0.0f32; 16];
        for v in chains {
            // SAFETY: a register has at most 16 floats.
            unsafe { s.store(out.as_mut_ptr(), v) };
            black_box(&out);
        }
        self.operations.set(2 * self.rounds * CHAINS * S::LANES);
    }
}

/// Multiplies and adds in registers for some rounds; the number of floating-point operations done.
#[doc(hidden)]
pub fn register_arithmetic(rounds: usize) -> usize {
    let work = Chains { rounds, operations: Cell::new(0) };
    // SAFETY: no memory but its own.
    unsafe { dispatch(isa(), &work) };
    work.operations.get()
}
