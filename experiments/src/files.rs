//! Files that are written whole or not at all.

use anyhow::{Context, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Replaces the file at `path` by `bytes`, making its folder.
///
/// # Errors
/// When the folder cannot be written; the old file is still there then.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |temporary| Ok(File::create(temporary)?.write_all(bytes)?))
}

/// Replaces the file at `path` by `bytes`, unless it holds them already.
///
/// # Errors
/// When the folder cannot be written; the old file is still there then.
pub fn write_if_new(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|known| known == bytes) { Ok(()) } else { write(path, bytes) }
}

/// Lets `fill` make a file beside `path`, with its extension, and moves it there once it is on disk.
///
/// # Errors
/// When `fill` fails or the folder cannot be written; the old file is still there then.
pub fn replace(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().context("the path names no file")?.to_string_lossy();
    let serial = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!(".{}-{serial}.{name}", process::id()));
    let written = (|| {
        fs::create_dir_all(folder)?;
        fill(&temporary)?;
        File::open(&temporary)?.sync_all()?;
        Ok(fs::rename(&temporary, path)?)
    })();
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    let advice = || format!("cannot write {}; make its folder writable or choose another with --out", path.display());
    written.map_err(|cause: anyhow::Error| cause.context(advice()))
}

/// Makes the folder at `path`, unless it is there.
///
/// # Errors
/// When it cannot be made.
pub fn create_folder(path: &Path) -> Result<()> {
    let advice = || format!("cannot make {}; choose another folder with --out", path.display());
    fs::create_dir_all(path).with_context(advice)
}

/// Replaces the CSV file at `path` by `rows`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    write(path, &writer.into_inner().context("a table in memory has no end of space")?)
}

/// The rows of the CSV file at `path`.
///
/// # Errors
/// When it is missing or its columns are not those of `T`.
pub fn read_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let open = || format!("cannot read {}", path.display());
    let mut reader = csv::Reader::from_path(path).with_context(open)?;
    reader.deserialize().collect::<Result<_, _>>().with_context(open)
}

/// Removes the file at `path` if there is one.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
