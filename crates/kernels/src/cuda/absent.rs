//! A build without CUDA.

use super::launch::{Input, Launch};
use crate::conv::{Pass, Shape};
use candle::{CudaStorage, Device, Layout, Result, bail};

pub(super) fn prepare(device: &Device) -> Result<()> {
    bail!("{device:?}: this build has no CUDA")
}

pub(super) fn name(device: &Device) -> Result<String> {
    bail!("{device:?}: this build has no CUDA")
}

pub(super) fn run(launch: &Launch, inputs: &[Input<'_>]) -> Result<CudaStorage> {
    bail!("{launch:?} of {} inputs: this build has no CUDA", inputs.len())
}

pub(super) fn update(launch: &Launch, _: (&mut CudaStorage, &Layout), inputs: &[Input<'_>]) -> Result<()> {
    bail!("{launch:?} of {} inputs: this build has no CUDA", inputs.len())
}

pub(super) fn convolve(pass: Pass, shape: &Shape, _: Input<'_>, _: Input<'_>) -> Result<CudaStorage> {
    bail!("{pass:?} of {shape:?}: this build has no CUDA")
}
