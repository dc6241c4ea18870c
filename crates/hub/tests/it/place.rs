//! One mirror with one data set, and an empty cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hub::{Error, Hub, Patience, Repository};
use mirror::Mirror;
use tempfile::TempDir;

/// A file that the mirror has in its store.
pub const LARGE: &str = "plain_text/train-00000-of-00001.parquet";
pub const SMALL: &str = "README.md";

pub struct Place {
    pub mirror: Mirror,
    pub cache: TempDir,
    pub repository: Repository,
}

/// 20,000 bytes that are all different from their neighbours.
pub fn large() -> Vec<u8> {
    (0..20_000u32).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// Never waits for long.
pub fn impatient() -> Patience {
    let millis = Duration::from_millis;
    Patience { attempts: 3, pause: millis(1), longest: Duration::from_secs(2), silence: millis(300) }
}

impl Place {
    pub fn new() -> Self {
        let mirror = Mirror::start();
        mirror.put("datasets", "owner/name", "main", LARGE, &large());
        mirror.put("datasets", "owner/name", "main", SMALL, b"# Small\n");
        mirror.put("datasets", "owner/name", "main", "plain_text/other.txt", b"not wanted");
        let repository = Repository::dataset("owner", "name");
        Self { mirror, cache: tempfile::tempdir().unwrap(), repository }
    }

    pub fn hub(&self) -> Hub {
        Hub::at(self.mirror.endpoint(), self.cache.path(), None, impatient()).unwrap()
    }

    /// The large and the small file of `main`.
    pub fn fetch(&self) -> Result<PathBuf, Error> {
        self.hub().snapshot(&self.repository, "main", |path| path == LARGE || path == SMALL)
    }

    /// Fetches, and compares both files with what the mirror has.
    #[track_caller]
    pub fn succeeds(&self) -> PathBuf {
        let snapshot = self.fetch().unwrap();
        assert!(fs::read(snapshot.join(LARGE)).unwrap() == large());
        assert_eq!(fs::read(snapshot.join(SMALL)).unwrap(), b"# Small\n");
        snapshot
    }

    /// Fetches in vain; the message, of one line, must have `parts` in it.
    #[track_caller]
    pub fn fails(&self, parts: &[&str]) -> String {
        let message = self.fetch().unwrap_err().to_string();
        assert!(!message.contains('\n'), "{message}");
        for part in parts {
            assert!(message.contains(part), "no `{part}` in: {message}");
        }
        message
    }

    /// The repository's folder in the cache.
    pub fn folder(&self) -> PathBuf {
        self.cache.path().join("datasets--owner--name")
    }

    /// The names in the folder of contents.
    pub fn blobs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder().join("blobs")).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Requests for bytes of the large file.
    pub fn bodies(&self) -> Vec<String> {
        self.mirror.requests().into_iter().filter(|line| line.contains("/store/")).collect()
    }

    /// The only content under way, and its file.
    pub fn partial(&self) -> PathBuf {
        let names = self.blobs();
        let name = names.iter().find(|name| name.ends_with(".incomplete")).unwrap();
        self.folder().join("blobs").join(name)
    }
}

/// Every file and link below `folder`.
pub fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { found.extend(everything(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
