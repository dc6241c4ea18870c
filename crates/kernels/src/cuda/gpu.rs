//! GPUs, each opened once.

use super::device;
use candle::{Device, Result};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// GPU number `ordinal`, opened when it is first asked for. Two openings would be two devices, whose tensors do not mix, and
/// have handles and a workspace each.
///
/// Its tensors belong to one thread at a time: candle gives every thread a stream of its own, and nothing orders what is
/// under way in two of them.
///
/// # Errors
/// When this build has no CUDA, or there is no such GPU.
pub fn gpu(ordinal: usize) -> Result<Device> {
    static OPEN: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(gpu) = open.get(&ordinal) {
        return Ok(gpu.clone());
    }
    let gpu = Device::new_cuda(ordinal)?;
    device::prepare(&gpu)?;
    open.insert(ordinal, gpu.clone());
    Ok(gpu)
}

/// What its maker calls the GPU that `device` is; nothing of a processor.
///
/// # Errors
/// When the GPU does not answer.
pub fn gpu_name(device: &Device) -> Result<Option<String>> {
    if device.is_cuda() { device::name(device).map(Some) } else { Ok(None) }
}
