//! What a revision was on first use: its commit, its files, their sizes and checksums.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, cache};

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// In bytes.
    pub(crate) size: u64,
    /// Of the content, once it has been here.
    pub(crate) sha256: Option<String>,
}

/// What is known of one revision, as a JSON file in the repository's folder of the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What the revision stood for on first use, and stands for here for good.
    pub(crate) commit: String,
    /// Whether `files` are all files of the commit, as the Hub listed them.
    pub(crate) whole: bool,
    /// By path.
    pub(crate) files: BTreeMap<String, Known>,
}

impl Record {
    /// The record in `file`, if there is one.
    pub(crate) fn load(file: &Path) -> Result<Option<Self>, Error> {
        let text = match fs::read(file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::read(file))?,
        };
        let record: Self = serde_json::from_slice(&text).map_err(|e| Error::read(file)(e.into()))?;
        if !cache::is_commit(&record.commit) {
            return Err(Error::read(file)(io::Error::other("it names no commit")));
        }
        Ok(Some(record))
    }

    /// Replaces `file`.
    pub(crate) fn save(&self, file: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| Error::written(file)(e.into()))?;
        cache::write(file, &text)
    }
}
