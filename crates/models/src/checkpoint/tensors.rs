//! The safetensors side: the only format this project writes.

use std::collections::BTreeMap;

use candle::{DType, Device, Tensor};
use safetensors::SafeTensors;

use super::{Fault, damaged, unsupported};

pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, Tensor)>, Fault> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
    file.iter()
        .map(|(name, view)| {
            let dtype = DType::try_from(view.dtype())
                .map_err(|_| unsupported(format!("`{name}` has type {:?}", view.dtype())))?;
            Ok((name.to_owned(), tensor(name, view.data(), dtype, view.shape())?))
        })
        .collect()
}

/// A tensor from raw little-endian elements, floating point widened or narrowed to `f32`.
pub(super) fn tensor(name: &str, bytes: &[u8], dtype: DType, shape: &[usize]) -> Result<Tensor, Fault> {
    let made = Tensor::from_raw_buffer(bytes, dtype, shape, &Device::Cpu);
    let made = match dtype {
        DType::U8 | DType::U32 | DType::I16 | DType::I32 | DType::I64 | DType::F32 => made,
        DType::F16 | DType::BF16 | DType::F64 => made.and_then(|t| t.to_dtype(DType::F32)),
        other => {
            return Err(unsupported(format!("`{name}` has elements of type {other:?}; convert it to float32 first")));
        }
    };
    made.map_err(|e| damaged(format!("`{name}`: {e}")))
}

pub(super) fn metadata(bytes: &[u8]) -> Result<BTreeMap<String, String>, Fault> {
    // Checks the data's extent too, so that a cut file is not mistaken for a sound one.
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
    Ok(header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect())
}

pub(super) fn serialize(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, Fault> {
    for (name, tensor) in tensors {
        if name == "__metadata__" {
            return Err(unsupported("a tensor cannot be named `__metadata__`, rename it"));
        }
        if tensor.dtype().size_in_bytes() == 0 {
            return Err(unsupported(format!("`{name}` has type {:?}; convert it to float32 first", tensor.dtype())));
        }
    }
    let bytes = safetensors::serialize(tensors, None).map_err(|e| unsupported(e.to_string()))?;
    if metadata.is_empty() { Ok(bytes) } else { with_metadata(&bytes, metadata) }
}

/// Puts sorted metadata at the front of a safetensors header.
///
/// The crate takes metadata as a `HashMap` and writes it in that order, which differs from run to run.
fn with_metadata(bytes: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, Fault> {
    let (length, _) = SafeTensors::read_metadata(bytes).map_err(|e| unsupported(e.to_string()))?;
    let (header, data) = bytes[8..].split_at(length);
    let entries: Vec<String> = metadata.iter().map(|(key, value)| format!("{}:{}", json(key), json(value))).collect();
    let mut merged = format!("{{\"__metadata__\":{{{}}}", entries.join(",")).into_bytes();
    let tensors = header.trim_ascii().strip_prefix(b"{").unwrap_or(header);
    if tensors != b"}" {
        merged.push(b',');
    }
    merged.extend_from_slice(tensors);
    merged.resize(merged.len().next_multiple_of(8), b' ');
    let mut whole = (merged.len() as u64).to_le_bytes().to_vec();
    whole.extend_from_slice(&merged);
    whole.extend_from_slice(data);
    Ok(whole)
}

fn json(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
