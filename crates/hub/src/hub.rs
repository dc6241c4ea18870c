//! The Hub as its callers see it.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use hf_hub::HFClientBuilder;

use crate::remote::{Remote, is_set};
use crate::visit::Visit;
use crate::{Error, Patience, Repository};

/// The Hub and its cache.
pub struct Hub {
    pub(crate) remote: Remote,
    offline: bool,
    pub(crate) patience: Patience,
    pub(crate) stop: fn() -> ControlFlow<()>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hub({}, cache {})", self.remote.name(), self.cache().display())
    }
}

impl Hub {
    /// The Hub of `HF_ENDPOINT` with the token of `HF_TOKEN` and the cache of `HF_HUB_CACHE` or `HF_HOME`.
    /// `offline`, or an `HF_HUB_OFFLINE` of 1, on, yes or true, forbids downloads.
    ///
    /// # Errors
    /// When a variable holds nonsense.
    pub fn from_env(offline: bool) -> Result<Self, Error> {
        Self::new(HFClientBuilder::new(), None, offline || is_set("HF_HUB_OFFLINE"), Patience::default())
    }

    /// The Hub at `endpoint` with the cache at `cache`. A `token` of nothing is the environment's.
    ///
    /// # Errors
    /// When `endpoint` is no web address.
    pub fn at(endpoint: &str, cache: &Path, token: Option<&str>, patience: Patience) -> Result<Self, Error> {
        let builder = HFClientBuilder::new().endpoint(endpoint).cache_dir(cache);
        Self::new(builder, token.map(str::to_owned), false, patience)
    }

    fn new(builder: HFClientBuilder, token: Option<String>, offline: bool, patience: Patience) -> Result<Self, Error> {
        let remote = Remote::new(builder, token, &patience)?;
        Ok(Self { remote, offline, patience, stop: || ControlFlow::Continue(()) })
    }

    /// Forbids downloads.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// Asks `stop` between two pieces of a download whether to leave the rest for later.
    #[must_use]
    pub fn until(mut self, stop: fn() -> ControlFlow<()>) -> Self {
        self.stop = stop;
        self
    }

    /// The folder of the cache.
    pub fn cache(&self) -> &Path {
        self.remote.cache()
    }

    /// The folder of the snapshot in which every file of `repository` at `revision` for which
    /// `wanted(path)` holds now lies, verified.
    ///
    /// The commit that `revision` stands for on first use is recorded and used from then on. What was
    /// downloaded before needs no network.
    ///
    /// # Errors
    /// When a file is neither in the cache nor to be had from the Hub, or is not what it was on first use.
    pub fn snapshot(
        &self,
        repository: &Repository,
        revision: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<PathBuf, Error> {
        let visit = Visit::new(self, repository, revision)?;
        let cached = visit.cached(&wanted)?;
        match cached {
            Some(cached) if self.offline || cached.whole => Ok(cached.snapshot),
            _ if self.offline => Err(Error::Offline { place: visit.place(), cache: self.cache().into() }),
            _ => visit.fetch(&wanted),
        }
    }

    /// The snapshot of `repository` at `revision` in the cache, if it has a file for which `wanted(path)`
    /// holds; those it has are verified. Nobody is asked whether there are more, unless we have a record
    /// of that: then an incomplete snapshot is none.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it was on first use.
    pub fn cached(
        &self,
        repository: &Repository,
        revision: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<PathBuf>, Error> {
        Ok(Visit::new(self, repository, revision)?.cached(&wanted)?.map(|cached| cached.snapshot))
    }

    /// The file `path` of `repository` at `revision`, verified.
    ///
    /// # Errors
    /// As [`Hub::snapshot`].
    pub fn file(&self, repository: &Repository, revision: &str, path: &str) -> Result<PathBuf, Error> {
        let only = |other: &str| other == path;
        let snapshot = match self.cached(repository, revision, only)? {
            Some(snapshot) => snapshot,
            None => self.snapshot(repository, revision, only)?,
        };
        Ok(snapshot.join(path))
    }
}
