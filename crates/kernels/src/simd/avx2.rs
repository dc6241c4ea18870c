//! AVX2 with FMA: 16 registers of 8 floats.

use super::{Kernel, Simd};
use core::arch::x86_64::*;

#[derive(Clone, Copy)]
pub(super) struct Avx2(());

/// # Safety
/// The CPU has AVX2 and FMA, and the kernel's pointers are valid.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn run<K: Kernel>(kernel: &K) {
    // SAFETY: handed on to the caller.
    unsafe { kernel.run(Avx2(())) }
}

macro_rules! arithmetic {
    ($($name:ident($($arg:ident),*) = $body:expr;)*) => {$(
        #[inline(always)]
        fn $name(self, $($arg: __m256),*) -> __m256 {
            // SAFETY: an `Avx2` exists only inside `run`, on a CPU with these instructions.
            unsafe { $body }
        }
    )*};
}

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    // 6 x 2 accumulators, two registers of the right-hand side, one of the left.
    const ROWS_WIDE: usize = 6;
    const ROWS_NARROW: usize = 12;

    arithmetic! {
        add(a, b) = _mm256_add_ps(a, b);
        sub(a, b) = _mm256_sub_ps(a, b);
        mul(a, b) = _mm256_mul_ps(a, b);
        mul_add(a, b, c) = _mm256_fmadd_ps(a, b, c);
        neg_mul_add(a, b, c) = _mm256_fnmadd_ps(a, b, c);
        max(a, b) = _mm256_max_ps(a, b);
        where_positive(v, y) =
            _mm256_and_ps(v, _mm256_cmp_ps::<_CMP_NLE_UQ>(y, _mm256_setzero_ps()));
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: as for the arithmetic.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m256) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> __m256 {
        // SAFETY: masked lanes are not read; the others are the caller's promise.
        unsafe { _mm256_maskload_ps(p, first(n)) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, v: __m256, n: usize) {
        // SAFETY: masked lanes are not written; the others are the caller's promise.
        unsafe { _mm256_maskstore_ps(p, first(n), v) }
    }
}

#[inline(always)]
fn first(n: usize) -> __m256i {
    static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    debug_assert!(n <= 8);
    // SAFETY: with n <= 8 the eight integers from 8 - n on lie in the table; called from `Avx2`
    // only, so the CPU has the instruction.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()) }
}
