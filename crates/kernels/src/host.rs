//! Between candle's tensors and slices of floats.

use crate::memory::unfilled;
use candle::{CpuStorage, DType, Layout, Result, Shape, Storage, Tensor, bail};
use std::ops::{Deref, Range};

/// An error unless every tensor holds 32-bit floats, all on the CPU or all on one GPU.
pub(crate) fn check(op: &str, tensors: &[&Tensor]) -> Result<()> {
    let Some(first) = tensors.first().map(|t| t.device()) else { return Ok(()) };
    for t in tensors {
        if t.dtype() != DType::F32 || !(first.is_cpu() || first.is_cuda()) || !t.device().same_device(first) {
            bail!(
                "{op}: expected f32 on one device, the CPU or an NVIDIA GPU, got {:?} on {:?}, shape {:?}",
                t.dtype(),
                t.device().location(),
                t.shape()
            )
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

/// A contiguous tensor's floats, readable while this lives.
pub(crate) struct View<G> {
    storage: G,
    range: Range<usize>,
}

/// Looks into a contiguous tensor.
pub(crate) fn view<'a>(op: &str, t: &'a Tensor) -> Result<View<impl Deref<Target = Storage> + use<'a>>> {
    let (storage, layout) = t.storage_and_layout();
    let range = match &*storage {
        Storage::Cpu(s) => {
            floats(op, s, layout)?;
            let (start, end) = layout.contiguous_offsets().unwrap_or_default();
            start..end
        }
        _ => bail!("{op}: expected a tensor on the CPU"),
    };
    Ok(View { storage, range })
}

impl<G: Deref<Target = Storage>> Deref for View<G> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(v)) => &v[self.range.clone()],
            _ => unreachable!("checked when the view was made"),
        }
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
