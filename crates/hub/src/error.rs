//! What can go wrong with the Hub: one line each, with the place and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why files of the Hub could not be had. `place` is a repository, its revision and, where one is meant, a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client could not be set up.
    #[error("the Hub's client cannot start ({reason}); check HF_ENDPOINT and the other HF_* variables")]
    Client {
        /// Why.
        reason: String,
    },
    /// A file is not in the cache, and downloads are forbidden.
    #[error("not in the Hugging Face cache {}: {place}, and --offline or HF_HUB_OFFLINE is set; allow the \
             download, or set HF_HUB_CACHE to the cache that has it", cache.display())]
    Offline {
        /// What is missing.
        place: String,
        /// The cache that was searched.
        cache: PathBuf,
    },
    /// The Hub did not answer, or not for as long as we were willing to ask.
    #[error("not in the Hugging Face cache {}, and {place} cannot be had from {endpoint} ({reason}); connect to \
             the network and run the same command again: what has arrived is kept", cache.display())]
    Unreachable {
        /// What was asked for.
        place: String,
        /// Who was asked.
        endpoint: String,
        /// The cache that was searched first.
        cache: PathBuf,
        /// The last failure.
        reason: String,
    },
    /// The Hub wants to know who asks.
    #[error(
        "{place}: {endpoint} refuses access (HTTP {status}); check the name, set HF_TOKEN, and accept the \
             terms of a gated repository on its page"
    )]
    Denied {
        /// What was asked for.
        place: String,
        /// Who was asked.
        endpoint: String,
        /// 401 or 403.
        status: u16,
    },
    /// There is no such repository, revision or file.
    #[error(
        "{place}: {endpoint} knows no such repository, revision or file (HTTP 404); check the names and \
             HF_ENDPOINT"
    )]
    NotFound {
        /// What was asked for.
        place: String,
        /// Who was asked.
        endpoint: String,
    },
    /// The repository has none of the files that are wanted.
    #[error("{place}: none of its files is among those wanted; check the revision and HF_ENDPOINT")]
    NoFile {
        /// The repository and revision.
        place: String,
    },
    /// The answer is no answer of the Hub, such as the login page of a network.
    #[error(
        "{place}: {endpoint} does not answer like the Hub ({what}); log in to the network or its proxy, or \
             correct HF_ENDPOINT"
    )]
    NotTheHub {
        /// What was asked for.
        place: String,
        /// Who was asked.
        endpoint: String,
        /// What came instead.
        what: String,
    },
    /// A listed name or a revision would leave the repository's folder.
    #[error(
        "{place}: the name {name:?} is not that of a file within its folder, so nothing was written; correct \
             HF_ENDPOINT"
    )]
    UnsafeName {
        /// The repository.
        place: String,
        /// The name.
        name: String,
    },
    /// What arrived is not what was announced, twice.
    #[error(
        "{place}: what {endpoint} sends is not the announced file ({what}), so it was thrown away; try later \
             or correct HF_ENDPOINT"
    )]
    Corrupt {
        /// The file.
        place: String,
        /// Who sent it.
        endpoint: String,
        /// The difference.
        what: String,
    },
    /// A file is no longer what it was on first use, or not what its name in the cache promises.
    #[error("{}: its content changed (checksum {found}, known is {known}); delete it to download it again, or also \
             {} to accept new content", path.display(), record.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its SHA-256 or git SHA-1.
        found: String,
        /// What that was.
        known: String,
        /// Where checksums are recorded.
        record: PathBuf,
    },
    /// The operating system refused to read or write the cache.
    #[error("{}: cannot be {done} ({cause}); free space, make it accessible, or set HF_HUB_CACHE to another \
             folder", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: read, written, locked.
        done: &'static str,
        /// The system's reason.
        cause: io::Error,
    },
    /// The caller asked to stop; what has arrived is kept.
    #[error("the download was interrupted; run the same command again to go on")]
    Interrupted,
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { path: path.into(), done: "read", cause }
    }

    pub(crate) fn written(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { path: path.into(), done: "written", cause }
    }
}
