//! One vocabulary of vector instructions, three instruction sets.
//!
//! A kernel is written once, generic over [`Simd`], as a [`Kernel`]; [`dispatch`] runs it inside a
//! function compiled for the instruction set. Everything a kernel calls must be `inline(always)`:
//! only then does the code end up inside that function and use its registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::isa::Isa;

/// A proof that the CPU has an instruction set, and the operations it offers.
///
/// Values are made by [`dispatch`] only, after the CPU was asked; that is why arithmetic is safe.
pub(crate) trait Simd: Copy + Send + Sync {
    /// A register of [`Self::LANES`] floats.
    type V: Copy;
    /// Floats in one register.
    const LANES: usize;
    /// Rows of a register tile that is two registers wide.
    const ROWS_WIDE: usize;
    /// Rows of a register tile that is one register wide.
    const ROWS_NARROW: usize;

    fn splat(self, x: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`
    fn neg_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger one; a NaN in `b` is kept, so that `max(0, x)` does not hide one.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `v`, but 0 where `y <= 0`; a NaN in `y` hides nothing.
    fn where_positive(self, v: Self::V, y: Self::V) -> Self::V;

    /// # Safety
    /// `p` is valid for reading `LANES` floats.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `p` is valid for writing `LANES` floats.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// The first `n <= LANES` floats, zeros behind them.
    ///
    /// # Safety
    /// `p` is valid for reading `n` floats.
    unsafe fn load_part(self, p: *const f32, n: usize) -> Self::V;
    /// # Safety
    /// `p` is valid for writing `n <= LANES` floats.
    unsafe fn store_part(self, p: *mut f32, v: Self::V, n: usize);

    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }
}

/// Work that is written once for all instruction sets. `run` must be `inline(always)`.
pub(crate) trait Kernel {
    /// # Safety
    /// The pointers inside the kernel are valid for what it says it reads and writes.
    unsafe fn run<S: Simd>(&self, s: S);
}

/// Runs a kernel with the instruction set `isa`.
///
/// # Safety
/// As [`Kernel::run`].
pub(crate) unsafe fn dispatch<K: Kernel>(isa: Isa, kernel: &K) {
    // SAFETY: the caller answers for the pointers; an `Isa` other than `Portable` is only handed
    // out by `Isa::supported`, which asked the CPU.
    unsafe {
        match isa.supported() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::run(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::run(kernel),
            _ => kernel.run(portable::Portable),
        }
    }
}

/// Floats in one register of an instruction set.
pub(crate) fn lanes(isa: Isa) -> usize {
    match isa.supported() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::Avx512::LANES,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::Avx2::LANES,
        _ => portable::Portable::LANES,
    }
}
