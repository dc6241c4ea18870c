//! What cards compute in.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

/// How cards multiply in convolutions and matrix products; everything else, and all sums, are in 32 bits. The processor
/// knows [`Precision::F32`] only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// True 32 bits.
    #[default]
    F32,
    /// Factors rounded to ten bits after the point, where the card can do that; faster on cards from 2020 on.
    Tf32,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "f32" => Ok(Self::F32),
            "tf32" => Ok(Self::Tf32),
            _ => Err(format!("unknown precision `{s}`; known: f32, tf32")),
        }
    }
}

static TF32: AtomicBool = AtomicBool::new(false);

/// From now on the whole process computes so on cards.
pub fn set_precision(precision: Precision) {
    let tf32 = precision == Precision::Tf32;
    TF32.store(tf32, Ordering::Relaxed);
    candle::cuda::set_gemm_reduced_precision_f32(tf32);
}

/// How cards multiply.
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "cards ask"))]
pub(super) fn precision() -> Precision {
    if TF32.load(Ordering::Relaxed) { Precision::Tf32 } else { Precision::F32 }
}
