//! Which instructions to use, decided once per process.

use std::sync::OnceLock;

/// An instruction set the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 (F, VL, DQ, BW): 16 floats at a time.
    Avx512,
    /// AVX2 with FMA: 8 floats at a time.
    Avx2,
    /// What the compiler's baseline has.
    Portable,
}

impl Isa {
    /// This instruction set if the CPU has it, else the next best that it has.
    pub(crate) fn supported(self) -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        match (self, *BEST.get_or_init(best)) {
            (Self::Portable, _) | (_, Self::Portable) => Self::Portable,
            (Self::Avx2, _) | (_, Self::Avx2) => Self::Avx2,
            (Self::Avx512, Self::Avx512) => Self::Avx512,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn best() -> Isa {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw");
    match (avx2, avx512) {
        (true, true) => Isa::Avx512,
        (true, false) => Isa::Avx2,
        (false, _) => Isa::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> Isa {
    Isa::Portable
}

/// The instruction set in use: the best the CPU has, or `I2FR_ISA=avx512|avx2|portable` if the CPU
/// has that one. Read once.
pub fn isa() -> Isa {
    static CHOICE: OnceLock<Isa> = OnceLock::new();
    *CHOICE.get_or_init(|| {
        let wish = match std::env::var("I2FR_ISA").as_deref() {
            Ok("portable") => Isa::Portable,
            Ok("avx2") => Isa::Avx2,
            _ => Isa::Avx512,
        };
        wish.supported()
    })
}

/// Whether `I2FR_CONV=direct` turns Winograd's algorithm off: it moves the last bits, and with them
/// the sign of a gradient near zero, which comparisons with another implementation may not want.
pub(crate) fn direct_only() -> bool {
    static CHOICE: OnceLock<bool> = OnceLock::new();
    *CHOICE.get_or_init(|| std::env::var("I2FR_CONV").as_deref() == Ok("direct"))
}
