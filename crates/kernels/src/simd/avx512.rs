//! AVX-512: 32 registers of 16 floats.

use super::{Kernel, Simd};
use core::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(super) struct Avx512(());

/// # Safety
/// The CPU has AVX-512 F, and the kernel's pointers are valid.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: &K) {
    // SAFETY: handed on to the caller.
    unsafe { kernel.run(Avx512(())) }
}

macro_rules! arithmetic {
    ($($name:ident($($arg:ident),*) = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: __m512),*) -> __m512 {
            // SAFETY: an `Avx512` exists only inside `run`, on a CPU with these instructions.
            unsafe { $body }
        }
    )*};
}

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    // 12 x 2 accumulators, two registers of the right-hand side, and some for the left: 14 rows would
    // fit on paper, but the compiler loads several left-hand values ahead and then spills.
    const ROWS_WIDE: usize = 12;
    const ROWS_NARROW: usize = 14;

    arithmetic! {
        add(a, b) = _mm512_add_ps(a, b);
        sub(a, b) = _mm512_sub_ps(a, b);
        mul(a, b) = _mm512_mul_ps(a, b);
        mul_add(a, b, c) = _mm512_fmadd_ps(a, b, c);
        neg_mul_add(a, b, c) = _mm512_fnmadd_ps(a, b, c);
        max(a, b) = _mm512_max_ps(a, b);
        where_positive(v, y) =
            _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLE_UQ>(y, _mm512_setzero_ps()), v);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: as for the arithmetic.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m512) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> __m512 {
        // SAFETY: masked lanes are not read; the others are the caller's promise.
        unsafe { _mm512_maskz_loadu_ps(first(n), p) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, v: __m512, n: usize) {
        // SAFETY: masked lanes are not written; the others are the caller's promise.
        unsafe { _mm512_mask_storeu_ps(p, first(n), v) }
    }
}

#[inline(always)]
fn first(n: usize) -> u16 {
    ((1u32 << n) - 1) as u16
}
