//! Files of one repository at one revision.

use std::path::{Path, PathBuf};

use hf_hub::repository::RepoTreeEntry;
use hf_hub::{HFClientBuilder, HFClientSync, HFError, HFRepositorySync, RepoType};

use crate::{Error, Kind, Repository};

/// The Hub and its cache.
pub struct Hub {
    client: HFClientSync,
    cache: PathBuf,
    offline: bool,
}

impl Hub {
    /// The Hub of `HF_ENDPOINT` with the cache of `HF_HUB_CACHE` or `HF_HOME`; `offline` or a set
    /// `HF_HUB_OFFLINE` forbids downloads.
    ///
    /// # Errors
    /// When a variable holds nonsense.
    pub fn from_env(offline: bool) -> Result<Self, Error> {
        let failed = |e: HFError| Error::Client { reason: e.to_string() };
        let client = HFClientBuilder::new().build().map_err(failed)?;
        let cache = client.cache_dir().to_owned();
        let set = std::env::var_os("HF_HUB_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0");
        Ok(Self { client: HFClientSync::from_inner(client).map_err(failed)?, cache, offline: offline || set })
    }

    /// The folder of the cache.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// The folder of the snapshot in which every file of `repository` at `revision` for which
    /// `wanted(path)` holds now lies.
    ///
    /// # Errors
    /// When a file is neither in the cache nor to be had from the Hub.
    pub fn snapshot(
        &self,
        repository: &Repository,
        revision: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<PathBuf, Error> {
        let Repository { kind, owner, name } = repository;
        let fetched = match kind {
            Kind::Dataset => self.fetch(&self.client.dataset(owner, name), revision, wanted),
            Kind::Model => self.fetch(&self.client.model(owner, name), revision, wanted),
        };
        fetched.map_err(|e| Error::Unreachable {
            repository: repository.to_string(),
            revision: revision.into(),
            reason: e.to_string(),
        })
    }

    /// The file `path` of `repository` at `revision`.
    ///
    /// # Errors
    /// As [`Hub::snapshot`].
    pub fn file(&self, repository: &Repository, revision: &str, path: &str) -> Result<PathBuf, Error> {
        Ok(self.snapshot(repository, revision, |other| other == path)?.join(path))
    }

    fn fetch<T: RepoType>(
        &self,
        remote: &HFRepositorySync<T>,
        revision: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<PathBuf, HFError> {
        if self.offline {
            return remote.snapshot_download().revision(revision).local_files_only(true).send();
        }
        let listed = remote.list_tree().revision(revision).recursive(true).send()?;
        let files = listed.into_iter().filter_map(|entry| match entry {
            RepoTreeEntry::File { path, .. } if wanted(&path) => Some(path),
            _ => None,
        });
        remote.snapshot_download().revision(revision).allow_patterns(files.collect()).send()
    }
}
