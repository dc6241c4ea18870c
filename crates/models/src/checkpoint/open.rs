//! A network from nothing but the file of its weights.

use super::{Error, metadata, read, translate};
use crate::{Arch, Head, Net, Normalization};
use candle::Device;
use std::{fmt::Display, num::ParseFloatError, path::Path, str::FromStr};

/// The network whose weights are at `path`, ours or published ones, for images of `shape` `[C, H, W]` and `classes`
/// classes.
///
/// Its architecture is `arch`, else what the file's metadata says (`arch`; PyTorch's files have none). Its last layer is
/// what they say (`head`), else linear, and it normalises as they say (`mean` and `std`), else as the file's buffers do,
/// else as is usual for the architecture.
///
/// # Errors
/// When the file is no checkpoint, nothing says which architecture it is of, its metadata make no sense, or the weights
/// are not those of such a network.
pub fn open(path: &Path, arch: Option<Arch>, shape: [usize; 3], classes: usize, device: &Device) -> Result<Net, Error> {
    let wrong = |what: String| Error::Unsupported { path: path.to_owned(), what };
    let metadata = metadata(path)?;
    let said = |key: &str| metadata.get(key).map(String::as_str);
    let arch = arch.map_or_else(|| parsed(said("arch")), |arch| Ok(Some(arch))).map_err(wrong)?;
    let arch = arch.ok_or_else(|| wrong("it does not say which architecture it is of: give one".into()))?;
    let head: Head = parsed(said("head")).map_err(wrong)?.unwrap_or_default();
    let stated = match (said("mean"), said("std")) {
        (Some(mean), Some(std)) => {
            Some(Normalization { mean: numbers(mean).map_err(wrong)?, std: numbers(std).map_err(wrong)? })
        }
        _ => None,
    };

    let weights = translate(arch, read(path)?).map_err(|e| wrong(e.to_string()))?;
    let mut net = Net::with_head(arch, head, shape, classes, 0, device).map_err(|e| wrong(e.to_string()))?;
    net.load(&weights.state).map_err(|e| wrong(e.to_string()))?;
    match stated.or(weights.normalization).map(|found| found.for_channels(shape[0])).transpose() {
        Ok(None) => Ok(net),
        Ok(Some(normalization)) => Ok(net.normalized_by(normalization)),
        Err(e) => Err(wrong(e.to_string())),
    }
}

fn parsed<T: FromStr<Err: Display>>(text: Option<&str>) -> Result<Option<T>, String> {
    text.map(|text| text.parse::<T>().map_err(|e| e.to_string())).transpose()
}

fn numbers(text: &str) -> Result<Vec<f32>, String> {
    let wrong = |e: ParseFloatError| format!("its normalisation `{text}` is no list of numbers: {e}");
    text.split(',').map(|part| part.parse::<f32>().map_err(wrong)).collect()
}
