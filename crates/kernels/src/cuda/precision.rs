//! What GPUs compute in.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// How GPUs multiply in convolutions and matrix products, those within I2FR's distances' gradients and class means
/// included. Weights, batch-norm statistics, losses, the steps of attacks and of optimisers, and all sums are in 32 bits
/// whatever this is. The processor knows [`Precision::F32`] only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// True 32 bits.
    #[default]
    F32,
    /// Factors rounded to ten bits after the point, where the GPU can do that; faster on GPUs from 2020 on.
    Tf32,
    /// Convolutions of bfloat16 numbers (seven bits after the point): their factors are rounded, and so are their
    /// results, gradients included. Matrix products as with [`Precision::Tf32`]. For GPUs from 2020 on.
    Bf16,
}

const NAMES: [(Precision, &str); 3] = [(Precision::F32, "f32"), (Precision::Tf32, "tf32"), (Precision::Bf16, "bf16")];

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        NAMES.iter().filter(|(precision, _)| precision == self).try_for_each(|(_, name)| f.write_str(name))
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let known = NAMES.iter().find(|(_, name)| *name == s);
        known
            .map(|(precision, _)| *precision)
            .ok_or_else(|| format!("unknown precision `{s}`; known: {}", NAMES.map(|(_, name)| name).join(", ")))
    }
}

static PRECISION: Mutex<Precision> = Mutex::new(Precision::F32);

/// From now on the whole process computes so on GPUs.
pub fn set_precision(precision: Precision) {
    *PRECISION.lock().unwrap_or_else(PoisonError::into_inner) = precision;
    candle::cuda::set_gemm_reduced_precision_f32(precision != Precision::F32);
}

/// How GPUs multiply.
pub fn precision() -> Precision {
    *PRECISION.lock().unwrap_or_else(PoisonError::into_inner)
}
