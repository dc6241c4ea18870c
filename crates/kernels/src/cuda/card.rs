//! Cards, each opened once.

use super::device;
use candle::{Device, Result};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Card number `ordinal`, opened when it is first asked for. Two openings would be two devices, whose tensors do not mix, and
/// have handles and a workspace each.
///
/// Its tensors belong to one thread at a time: candle gives every thread a stream of its own, and nothing orders what is
/// under way in two of them.
///
/// # Errors
/// When this build has no CUDA, or there is no such card.
pub fn card(ordinal: usize) -> Result<Device> {
    static OPEN: Mutex<BTreeMap<usize, Device>> = Mutex::new(BTreeMap::new());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(card) = open.get(&ordinal) {
        return Ok(card.clone());
    }
    let card = Device::new_cuda(ordinal)?;
    device::prepare(&card)?;
    open.insert(ordinal, card.clone());
    Ok(card)
}

/// What its maker calls the card that `device` is; nothing of a processor.
///
/// # Errors
/// When the card does not answer.
pub fn card_name(device: &Device) -> Result<Option<String>> {
    if device.is_cuda() { device::name(device).map(Some) } else { Ok(None) }
}
