//! Checkpoints: named tensors in a file.
//!
//! [`write()`] makes safetensors files, the same bytes for the same tensors. [`read`] also takes what
//! `torch.save` left behind, in its zip form and in the form used before PyTorch 1.6, told apart by
//! content and never by extension. A pickle is a program, and here none is ever run ([`pickle`]).
//!
//! [`translate`] gives a state dict of published code the names that [`Net::load`](crate::Net::load) knows; [`open()`] does
//! all of it, from a file to a network.

mod archive;
mod open;
mod pytorch;
pub(crate) mod spelling;
mod state_dict;
mod tensors;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use candle::Tensor;

use crate::Normalization;

pub use open::{Stated, open};
pub use spelling::{Untranslatable, translate};

/// A published state dict, made this crate's by [`translate`].
pub struct Published {
    /// Weights and buffers by this crate's names.
    pub state: BTreeMap<String, Tensor>,
    /// The normalisation, where it was among the buffers.
    pub normalization: Option<Normalization>,
}

/// Why a checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused to give the file.
    #[error("cannot read checkpoint {}", path.display())]
    Read {
        /// The checkpoint.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file system refused to take the file.
    #[error("cannot write checkpoint {}", path.display())]
    Write {
        /// The checkpoint.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A directory, a pipe or a device.
    #[error("{}: not a file; give the file of weights itself", path.display())]
    NotAFile {
        /// What was given instead of a file.
        path: PathBuf,
    },
    /// The content is of no known format.
    #[error(
        "{}: not a checkpoint ({found}); give a safetensors file or a state dict written by torch.save",
        path.display()
    )]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// What the content looks like.
        found: String,
    },
    /// The format is known, the content contradicts it.
    #[error("{}: damaged or cut short: {what}; copy or download the file again", path.display())]
    Damaged {
        /// The checkpoint.
        path: PathBuf,
        /// The contradiction.
        what: String,
    },
    /// A sound file that holds something else than a state dict this crate can use.
    #[error("{}: {what}", path.display())]
    Unsupported {
        /// The checkpoint.
        path: PathBuf,
        /// What it holds, and what to do.
        what: String,
    },
}

/// A fault without the path, which only [`read`] and its siblings know.
#[derive(Debug)]
enum Fault {
    Unrecognised(String),
    Damaged(String),
    Unsupported(String),
}

impl Fault {
    fn at(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Unrecognised(found) => Error::Unrecognised { path, found },
            Self::Damaged(what) => Error::Damaged { path, what },
            Self::Unsupported(what) => Error::Unsupported { path, what },
        }
    }
}

impl From<pickle::Fault> for Fault {
    fn from(fault: pickle::Fault) -> Self {
        match fault {
            pickle::Fault::Damaged { .. } => damaged(fault.to_string()),
            pickle::Fault::TooMany => {
                unsupported(format!("{fault}, no state dict has; save only `model.state_dict()`"))
            }
        }
    }
}

fn damaged(what: impl Into<String>) -> Fault {
    Fault::Damaged(what.into())
}

fn unsupported(what: impl Into<String>) -> Fault {
    Fault::Unsupported(what.into())
}

#[derive(Clone, Copy)]
enum Format {
    Safetensors,
    Archive,
    Legacy,
}

/// Reads the tensors of a checkpoint by name.
///
/// A dictionary with `state_dict`, `model_state_dict`, `net`, `model` or `last` is looked into, a `module.`
/// prefix (PyTorch's `DataParallel`) is removed, and everything that is not a tensor is ignored, as
/// are the `num_batches_tracked` counters, which no classifier here uses. Floating-point tensors come
/// back as `f32`, integers keep their type. All tensors are on the CPU.
///
/// # Errors
///
/// If the file cannot be read, is damaged, or holds no state dict.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>, Error> {
    let bytes = content(path)?;
    let read = || {
        let named = match recognise(&bytes)? {
            Format::Safetensors => tensors::read(&bytes)?,
            Format::Archive => pytorch::read_archive(&bytes)?,
            Format::Legacy => pytorch::read_legacy(&bytes)?,
        };
        canonical(named)
    };
    read().map_err(|fault| fault.at(path))
}

/// The metadata a checkpoint was written with; empty for PyTorch files, which have none.
///
/// # Errors
///
/// If the file cannot be read, is damaged, or is no checkpoint.
pub fn metadata(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let bytes = content(path)?;
    let read = || match recognise(&bytes)? {
        Format::Safetensors => tensors::metadata(&bytes),
        Format::Archive | Format::Legacy => Ok(BTreeMap::new()),
    };
    read().map_err(|fault| fault.at(path))
}

/// Writes tensors and metadata as safetensors; equal input gives equal bytes, and `path` holds either
/// the whole file or what it held before.
///
/// # Errors
///
/// If a tensor has a type without a fixed-size element, or the file cannot be written.
pub fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), Error> {
    write_whole(path, &serialize(path, tensors, metadata)?)
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The bytes that [`write()`] would leave at `path`, for those who write them by themselves.
///
/// # Errors
///
/// If a tensor has a type without a fixed-size element.
pub fn serialize(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, Error> {
    tensors::serialize(tensors, metadata).map_err(|fault| fault.at(path))
}

fn content(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    // A device or a pipe may never end, so only files are opened.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    fs::read(path).map_err(unreadable)
}

fn recognise(bytes: &[u8]) -> Result<Format, Fault> {
    let unrecognised = |found: &str| Err(Fault::Unrecognised(found.to_owned()));
    // A safetensors file starts with the length of its header, whose digits may look like anything.
    if bytes.get(5..9) == Some(b"\0\0\0{") {
        Ok(Format::Safetensors)
    } else if bytes.starts_with(b"PK") {
        Ok(Format::Archive)
    } else if bytes.first() == Some(&0x80) {
        Ok(Format::Legacy)
    } else if bytes.is_empty() {
        unrecognised("the file is empty")
    } else if bytes.starts_with(b"version https://git-lfs") {
        unrecognised("a Git LFS pointer, not the file it points to")
    } else if bytes.starts_with(b"<") {
        unrecognised("a web page or XML")
    } else {
        unrecognised("its first bytes are of no known format")
    }
}

/// Names as a single-device model has them, without the counters of batch normalisation.
fn canonical(named: Vec<(String, Tensor)>) -> Result<BTreeMap<String, Tensor>, Fault> {
    let mut tensors = BTreeMap::new();
    for (name, tensor) in named {
        let short = name.strip_prefix("module.").unwrap_or(&name);
        if short.rsplit('.').next() == Some("num_batches_tracked") {
            continue;
        }
        if tensors.insert(short.to_owned(), tensor).is_some() {
            return Err(unsupported(format!("both `{short}` and `module.{short}` are present; keep one of them")));
        }
    }
    Ok(tensors)
}

/// Replaces the file at `path` by `bytes`: a crash leaves the old file, never half of the new one.
///
/// # Errors
///
/// If the folder is missing or cannot be written; the old file is still there then.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let serial = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!(".{}.{}-{serial}.tmp", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // The first error is the one to report; a leftover temporary file is harmless.
        let _ = fs::remove_file(&temporary);
    }
    written
}
