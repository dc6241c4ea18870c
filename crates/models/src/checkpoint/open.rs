//! A network from nothing but the file of its weights.

use super::{Error, metadata, read, translate};
use crate::{Arch, Head, Net, Normalization};
use candle::Device;
use std::{collections::BTreeMap, fmt::Display, num::ParseFloatError, path::Path, str::FromStr};

/// What metadata of weights say of their network, as this project writes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stated {
    /// The architecture.
    pub arch: Option<Arch>,
    /// The last layer.
    pub head: Option<Head>,
    /// What the network subtracts and divides by.
    pub normalization: Option<Normalization>,
}

impl Stated {
    /// What the [`metadata()`] of the weights at `path` say.
    ///
    /// # Errors
    /// When they make no sense.
    pub fn of(metadata: &BTreeMap<String, String>, path: &Path) -> Result<Self, Error> {
        let wrong = |what: String| Error::Unsupported { path: path.to_owned(), what };
        let said = |key: &str| metadata.get(key).map(String::as_str);
        let normalization = match (said("mean"), said("std")) {
            (Some(mean), Some(std)) => {
                Some(Normalization { mean: numbers(mean).map_err(wrong)?, std: numbers(std).map_err(wrong)? })
            }
            (None, None) => None,
            _ => return Err(wrong("it says one of its mean and its deviation without the other".into())),
        };
        let (arch, head) = (parsed(said("arch")).map_err(wrong)?, parsed(said("head")).map_err(wrong)?);
        Ok(Self { arch, head, normalization })
    }
}

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
    let stated = Stated::of(&metadata(path)?, path)?;
    let unsaid = || wrong("it does not say which architecture it is of: give one".into());
    let arch = arch.or(stated.arch).ok_or_else(unsaid)?;
    let weights = translate(arch, read(path)?).map_err(|e| wrong(e.to_string()))?;
    let mut net = Net::with_head(arch, stated.head.unwrap_or_default(), shape, classes, 0, device)
        .map_err(|e| wrong(e.to_string()))?;
    net.load(&weights.state).map_err(|e| wrong(e.to_string()))?;
    match stated.normalization.or(weights.normalization).map(|found| found.for_channels(shape[0])).transpose() {
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
