//! What computes.

use crate::process::{Usage, one_line};
use anyhow::{anyhow, bail};
use candle::{Device, utils::cuda_is_available};
use clap::Args;
use kernels::Precision;
use std::{str::FromStr, sync::OnceLock};

/// What computes, and in what.
#[derive(Args, Clone, Copy, Debug)]
pub struct DeviceArgs {
    /// Device: auto, cpu, cuda, cuda:N
    #[arg(long = "device", default_value = "auto")]
    choice: Choice,
    /// Arithmetic of convolutions and matrix products: f32, or on GPUs tf32 (factors rounded to 10 bits) or bf16
    /// (bfloat16 convolutions)
    #[arg(long, default_value = "f32")]
    pub precision: Precision,
}

/// Where tensors live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// The first GPU where the build has CUDA and a driver answers; else the processor.
    Auto,
    /// The processor.
    Cpu,
    /// A GPU by number.
    Cuda(usize),
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match (s, s.strip_prefix("cuda:").map(str::parse)) {
            ("auto", _) => Ok(Self::Auto),
            ("cpu", _) => Ok(Self::Cpu),
            ("cuda", _) => Ok(Self::Cuda(0)),
            (_, Some(Ok(n))) => Ok(Self::Cuda(n)),
            _ => Err(format!("unknown device `{s}`; known: auto, cpu, cuda, cuda:N")),
        }
    }
}

impl DeviceArgs {
    /// Opens the device; from now on the process computes there in the precision asked for.
    ///
    /// # Errors
    /// When it was asked for and this build has no CUDA, there is no such GPU, or it cannot compute so.
    pub fn open(self) -> anyhow::Result<Device> {
        let device = self.choice.open()?;
        self.check()?;
        kernels::set_precision(self.precision);
        Ok(device)
    }

    /// Whether the device can compute so.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(self) -> Result<(), Usage> {
        if self.precision == Precision::F32 || self.kind() == "cuda" {
            return Ok(());
        }
        let what =
            format!("--precision {} is for NVIDIA GPUs, and this is the processor; leave it out", self.precision);
        Err(Usage(what))
    }

    /// What a run's configuration calls the device: `cpu` or `cuda`, as their bits differ.
    pub fn kind(self) -> &'static str {
        let gpu = matches!(self.choice, Choice::Cuda(_)) || self.choice == Choice::Auto && first_gpu().is_some();
        if gpu { "cuda" } else { "cpu" }
    }
}

impl Choice {
    fn open(self) -> anyhow::Result<Device> {
        match self {
            Self::Auto => Ok(first_gpu().unwrap_or(Device::Cpu)),
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cuda_is_available() => {
                bail!("this build has no CUDA support; use --device cpu, or build with scripts/build-cuda.sh")
            }
            Self::Cuda(n) => kernels::gpu(n).map_err(|e| {
                anyhow!("cuda:{n} does not answer ({}); `nvidia-smi` lists GPUs; or use --device cpu", reason(&e))
            }),
        }
    }
}

/// The GPU that `auto` takes; it is looked for once.
fn first_gpu() -> Option<Device> {
    static FOUND: OnceLock<Option<Device>> = OnceLock::new();
    let open = || {
        // A build without CUDA need not say that it uses the processor.
        let found = cuda_is_available().then(|| kernels::gpu(0))?;
        found.inspect_err(|e| tracing::info!("no GPU answers ({}): on the processor", reason(e))).ok()
    };
    FOUND.get_or_init(open).clone()
}

/// Why a GPU does not answer: CUDA's word for it, if there is one.
fn reason(e: &candle::Error) -> String {
    let said = one_line(&e.to_string());
    let mut words = said.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.find(|word| word.starts_with("CUDA_ERROR_")).map_or(said.clone(), str::to_owned)
}
