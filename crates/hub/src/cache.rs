//! The cache's folders and files, laid out as the Hub's own libraries do.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Error, Repository, patience};

/// Whether `name`, with `/` between its parts, stays below the folder it is joined to, on every system.
pub(crate) fn inside(name: &str) -> bool {
    let plain = |c: char| c != '\\' && !c.is_control();
    let normal = |part| matches!(part, Component::Normal(_));
    name.chars().all(plain)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && Path::new(name).components().all(normal)
}

/// Whether `revision` is a commit and no branch or tag.
pub(crate) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What the cache has of one repository.
pub(crate) struct Folder {
    root: PathBuf,
    locks: PathBuf,
}

impl Folder {
    pub(crate) fn new(cache: &Path, repository: &Repository) -> Self {
        let name = repository.folder();
        Self { root: cache.join(&name), locks: cache.join(".locks").join(name) }
    }

    /// A file's content, by its checksum.
    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// What has arrived of a content so far. The Hub's own libraries call it so too, and go on with it.
    pub(crate) fn partial(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{etag}.incomplete"))
    }

    /// The files of a commit, by name.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Our record of what `revision` was on first use; the Hub's own libraries leave it alone.
    pub(crate) fn record(&self, revision: &str) -> PathBuf {
        self.root.join("checksums").join(format!("{}.json", revision.replace('/', "--")))
    }

    /// The commit that `revision` stood for when anybody last asked.
    pub(crate) fn commit(&self, revision: &str) -> Option<String> {
        let commit = fs::read_to_string(self.root.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Lets the Hub's own libraries know what `revision` stands for, unless they do.
    pub(crate) fn name_commit(&self, revision: &str, commit: &str) -> Result<(), Error> {
        if is_commit(revision) || self.commit(revision).is_some() {
            return Ok(());
        }
        write(&self.root.join("refs").join(revision), commit.as_bytes())
    }

    /// Makes `path` of `commit` stand for a blob.
    pub(crate) fn point(&self, commit: &str, path: &str, etag: &str) -> Result<(), Error> {
        let pointer = self.snapshot(commit).join(path);
        // From the pointer's folder up to the repository's: `snapshots`, the commit, the folders of `path`.
        let up = "../".repeat(path.matches('/').count() + 2);
        replace(&pointer, |temporary| link(&format!("{up}blobs/{etag}"), &self.blob(etag), temporary))
    }

    /// Waits until no other process writes what `name` stands for. The lock ends with the file, or the process.
    pub(crate) fn lock(&self, name: &str, stop: fn() -> ControlFlow<()>) -> Result<File, Error> {
        let path = self.locks.join(format!("{name}.lock"));
        let locked = |cause| Error::Io { path: path.clone(), done: "locked", cause };
        fs::create_dir_all(&self.locks).map_err(locked)?;
        let file = File::options().create(true).append(true).open(&path).map_err(locked)?;
        let mut said = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(e)) => return Err(locked(e)),
                Err(TryLockError::WouldBlock) => {}
            }
            if !said {
                tracing::info!("another process downloads the same file; waiting for {}", path.display());
                said = true;
            }
            patience::sleep(Duration::from_millis(200), stop)?;
        }
    }
}

#[cfg(unix)]
fn link(target: &str, _blob: &Path, pointer: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, pointer)
}

/// Where links need a privilege, the Hub's own libraries copy too.
#[cfg(not(unix))]
fn link(_target: &str, blob: &Path, pointer: &Path) -> io::Result<()> {
    fs::copy(blob, pointer).map(drop)
}

/// Replaces the file at `path` by `bytes`, whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace(path, |temporary| {
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    })
}

/// Lets `make` make a file beside `path` and moves it there.
fn replace(path: &Path, make: impl Fn(&Path) -> io::Result<()>) -> Result<(), Error> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::written(path)(io::ErrorKind::InvalidInput.into()));
    };
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let serial = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!(".{}-{serial}.{}", process::id(), name.to_string_lossy()));
    let attempt = || {
        fs::create_dir_all(folder)?;
        // A dead process that had this number may have left it.
        let _ = fs::remove_file(&temporary);
        make(&temporary)?;
        fs::rename(&temporary, path)
    };
    attempt().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::written(path)(e)
    })
}

/// Names, relative to `folder` and with `/`, of the files below it that are there and whose name is `wanted`.
pub(crate) fn files(folder: &Path, wanted: &impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut below = vec![String::new()];
    while let Some(prefix) = below.pop() {
        let place = folder.join(&prefix);
        let entries = match fs::read_dir(&place) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(Error::read(&place))?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::read(&place))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            // A link is followed; where its blob is gone, the file is not there.
            match fs::metadata(entry.path()) {
                Ok(about) if about.is_dir() => below.push(name),
                Ok(_) if wanted(&name) => found.push(name),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for name in ["README.md", "plain_text/test-00000-of-00001.parquet", "a..b/c", ".gitattributes", "ä ö"] {
            assert!(inside(name), "{name:?}");
        }
        for name in
            ["", "/etc/x", "../../x", "a/../../b", "a//b", "a/", "./a", "..", "a\0b", "..\\x", "a\\..\\..\\b", "a\nb"]
        {
            assert!(!inside(name), "{name:?}");
        }
    }

    #[test]
    fn a_lock_is_waited_for_until_the_caller_stops() {
        let cache = tempfile::tempdir().unwrap();
        let folder = Folder::new(cache.path(), &Repository::dataset("owner", "name"));
        let held = folder.lock("abc", || ControlFlow::Continue(())).unwrap();
        let error = folder.lock("abc", || ControlFlow::Break(())).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{error}");
        drop(held);
        folder.lock("abc", || ControlFlow::Break(())).unwrap();
    }
}
