//! Files that are written whole or not at all.

use crate::machine;
use anyhow::{Context, Result, ensure};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// A file under a temporary name lives for seconds; after this it is nobody's, whoever made it.
const FORGOTTEN: Duration = Duration::from_secs(3600);

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
pub fn replace(path: &Path, fill: impl Fn(&Path) -> Result<()>) -> Result<()> {
    let temporary = temporary(path)?;
    let attempt = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        sweep_once(folder);
        fill(&temporary)?;
        File::open(&temporary)?.sync_all()?;
        Ok(fs::rename(&temporary, path)?)
    };
    // A folder that is deleted between two of these steps is made anew.
    let written = match attempt() {
        Err(e) if lost(&e) => attempt(),
        known => known,
    };
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(|cause: anyhow::Error| {
        let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
        let full = io_kinds(&cause).any(|kind| full.contains(&kind));
        let free = || format!("cannot write {}; free space there and run the same command again", path.display());
        cause.context(if full { free() } else { cannot_write(path) })
    })
}

/// The error of a file that cannot be written, without its cause.
pub(crate) fn cannot_write(path: &Path) -> String {
    format!("cannot write {}; make its folder writable or choose another with --out", path.display())
}

/// Whether a file or its folder was not there.
fn lost(error: &anyhow::Error) -> bool {
    io_kinds(error).any(|kind| kind == ErrorKind::NotFound)
}

fn io_kinds(error: &anyhow::Error) -> impl Iterator<Item = ErrorKind> {
    error.chain().filter_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()))
}

/// A name beside `path` that nobody else uses: `.PID-N-MACHINE.name`.
///
/// # Errors
/// When `path` names no file.
pub(crate) fn temporary(path: &Path) -> Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().context("the path names no file")?.to_string_lossy();
    let (pid, serial, machine) = (process::id(), COUNTER.fetch_add(1, Ordering::Relaxed), machine::tag());
    Ok(path.with_file_name(format!(".{pid}-{serial}-{machine}.{name}")))
}

/// Removes what killed processes left in `folder`, the first time this process writes there.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if SWEPT.lock().expect("no thread panicked").insert(folder.to_owned()) {
        for path in leftovers(folder) {
            // It is in nobody's way.
            let _ = fs::remove_file(path);
        }
    }
}

/// Files in `folder` that were to be moved to their place and never will be.
pub(crate) fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_leftover(path)).collect();
    found.sort();
    found
}

/// Whether `path` has a name of [`temporary`], and its process is dead: on another machine it may well live.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let parts = name.strip_prefix('.').and_then(|rest| rest.split_once('.')).map(|(front, _)| front.split('-'));
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let (Some(Ok(pid)), Some(Ok(_))) = (parts.first().map(|p| p.parse()), parts.get(1).map(|n| n.parse::<u64>()))
    else {
        return false;
    };
    let ours = parts.len() == 3 && parts[2] == machine::tag();
    let dead = ours && machine::started(pid).is_none() && machine::tells();
    let modified = fs::symlink_metadata(path).and_then(|about| about.modified());
    dead || modified.is_ok_and(|then| apart(then, SystemTime::now()) > FORGOTTEN)
}

/// The time between two moments, whichever was first: clocks are set back.
pub(crate) fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|e| e.duration())
}

/// Makes the folder at `path`, unless it is there.
///
/// # Errors
/// When it cannot be made.
pub fn create_folder(path: &Path) -> Result<()> {
    let advice = || format!("cannot make {}; choose another folder with --out", path.display());
    fs::create_dir_all(path).with_context(advice)
}

/// What is at `path` takes so many bytes.
pub(crate) fn size(path: &Path) -> u64 {
    let Ok(about) = fs::symlink_metadata(path) else { return 0 };
    let inside = || fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size(&entry.path())).sum();
    if about.is_dir() { inside() } else { about.len() }
}

/// `rows` as CSV.
///
/// # Errors
/// When a row does not fit a table.
pub(crate) fn csv<T: Serialize>(rows: &[T]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    Ok(String::from_utf8(writer.into_inner().context("a table in memory has no end of space")?)?)
}

/// `rows` as CSV, below the names of their `columns` even if there are none.
///
/// # Errors
/// When a row does not fit a table, or `columns` are not those of the rows.
pub(crate) fn csv_under<T: Serialize>(columns: &[&str], rows: &[T]) -> Result<String> {
    let (head, text) = (columns.join(",") + "\n", csv(rows)?);
    ensure!(text.is_empty() || text.starts_with(&head), "the columns of rows are not {columns:?}");
    Ok(if text.is_empty() { head } else { text })
}

/// Replaces the CSV file at `path` by `rows`.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_csv<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    write(path, csv(rows)?.as_bytes())
}

/// The rows of the CSV file at `path`.
///
/// # Errors
/// When it is missing or its columns are not those of `T`.
pub fn read_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let open = || format!("cannot read {}", path.display());
    rows(File::open(path).with_context(open)?).with_context(open)
}

/// What the file at `path` holds; `None` if there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        found => Ok(Some(found.with_context(|| format!("cannot read {}", path.display()))?)),
    }
}

/// The rows of the CSV file at `path`, which is to be replaced; none if there is no file.
///
/// # Errors
/// When it is there and cannot be read: nobody could say what is lost.
pub(crate) fn replaced_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let Some(bytes) = read_if_there(path)? else { return Ok(Vec::new()) };
    rows(&*bytes).with_context(|| {
        format!("{}: was to be replaced, but what it holds cannot be read; move it away", path.display())
    })
}

/// The rows of a CSV file.
///
/// # Errors
/// When its columns are not those of `T`.
pub(crate) fn rows<T: DeserializeOwned>(text: impl std::io::Read) -> Result<Vec<T>> {
    Ok(csv::Reader::from_reader(text).deserialize().collect::<Result<_, _>>()?)
}

/// Whether there is a text file at `path` in which `text` stands.
pub(crate) fn mentions(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|found| found.contains(text))
}

/// Removes the file at `path` if there is one.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    let Err(refused) = std::fs::remove_file(path) else { return Ok(()) };
    // A read-only file system refuses even what is not there.
    match path.symlink_metadata() {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        _ => Err(refused).with_context(|| format!("cannot remove {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_files_of_dead_processes_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = process::Command::new("true").spawn().unwrap();
        let (dead, tag) = (child.id(), machine::tag());
        child.wait().unwrap();
        let live = process::id();
        let made = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "half").unwrap();
            path
        };
        let kept = [
            format!(".{live}-0-{tag}.run.json"),
            // Of another machine, where the process may live, or of an older program.
            format!(".{dead}-0-00000000.run.json"),
            format!(".{dead}-0.run.json"),
            format!("{dead}-0-{tag}.run.json"),
            ".hidden".into(),
            ".17-notes.txt".into(),
            "run.json".into(),
        ];
        let kept = kept.map(|name| made(&name));
        let old = made(&format!(".{dead}-1-00000000.run.json"));
        let then = SystemTime::now() - 2 * FORGOTTEN;
        File::options().write(true).open(&old).unwrap().set_modified(then).unwrap();
        let gone = [made(&format!(".{dead}-0-{tag}.run.json")), old];
        write(&folder.path().join("other.json"), b"{}").unwrap();
        assert!(kept.iter().all(|path| path.is_file()), "{kept:?}");
        assert!(gone.iter().all(|path| !path.exists()), "{gone:?}");
        assert!(leftovers(folder.path()).is_empty());
    }
}
