//! `run.json`, and which weights a run has.

use crate::{config::RunConfig, files, provenance::Provenance};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path};

/// The file that says which run a folder is of.
pub const RECORD: &str = "run.json";

/// Which weights of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Checkpoint {
    /// Of the epoch that did best on held-out training images.
    Best,
    /// Of the last epoch.
    Last,
}

impl Checkpoint {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Best, Self::Last];

    /// As CSV files say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
        }
    }
}

/// `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The run's identity.
    pub id: String,
    /// What it is.
    pub config: RunConfig,
    /// The framework in words: attack, what it ascends, what training descends.
    pub game: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// SHA-256 of the files of weights by their names; none before training is done, nor by older programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights_sha256: BTreeMap<String, String>,
    /// The same of weights that are gone and are trained again, until that is done: what was measured on them stands if
    /// the new ones have the same bits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured_sha256: BTreeMap<String, String>,
    /// Whether training is done.
    pub finished: bool,
}

impl Record {
    /// The one in `folder`; `None` if there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let json = files::read_if_there(&folder.join(RECORD))?;
        Ok(json.map(|json| serde_json::from_slice(&json)).transpose()?)
    }
}
