//! Between candle's tensors and slices of floats.

use crate::memory::unfilled;
use candle::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};

/// An error unless every tensor holds 32-bit floats on the CPU.
pub(crate) fn check(op: &str, tensors: &[&Tensor]) -> Result<()> {
    for t in tensors {
        if t.dtype() != DType::F32 || !t.device().is_cpu() {
            bail!("{op}: expected f32 on the CPU, got {:?} on {:?}, shape {:?}", t.dtype(), t.device().location(), t.shape())
        }
    }
    Ok(())
}

/// The floats of a contiguous layout.
pub(crate) fn floats<'a>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("{op}: expected a contiguous tensor, got {layout:?}"),
    }
}

/// Runs `f` on the floats of a tensor, in row-major order.
pub(crate) fn read<R>(op: &str, t: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let t = t.contiguous()?;
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(s) => Ok(f(floats(op, s, layout)?)),
        _ => bail!("{op}: expected a tensor on the CPU"),
    }
}

/// What a forward pass returns: a fresh buffer that `fill` writes completely.
pub(crate) fn produce(shape: impl Into<Shape>, fill: impl FnOnce(&mut [f32])) -> (CpuStorage, Shape) {
    let shape = shape.into();
    let mut v = unfilled(shape.elem_count());
    fill(&mut v);
    (CpuStorage::F32(v), shape)
}

/// A tensor on the CPU from a fresh buffer that `fill` writes completely.
pub(crate) fn tensor(shape: impl Into<Shape>, fill: impl FnOnce(&mut [f32])) -> Result<Tensor> {
    let shape = shape.into();
    let mut v = unfilled(shape.elem_count());
    fill(&mut v);
    Tensor::from_vec(v, shape, &candle::Device::Cpu)
}
