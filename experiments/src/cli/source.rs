//! Where data comes from.

use crate::interrupt::{self, Interrupted};
use clap::Args;
use data::{Name, Source, Splits};
use std::path::PathBuf;

/// Where the files of a data set are.
#[derive(Args, Clone, Debug)]
pub struct SourceArgs {
    /// Local copy of the data set, in the Hub's or the original's layout [default: the Hub's cache, then a download]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Download nothing: the data set must be in the Hub's cache or in --data-dir
    #[arg(long)]
    pub offline: bool,
}

impl SourceArgs {
    /// Loads `name`.
    ///
    /// # Errors
    /// When it is nowhere or damaged, and [`Interrupted`] when the user stopped its download.
    pub fn load(&self, name: Name) -> anyhow::Result<Splits> {
        let source = Source { dir: self.data_dir.clone(), offline: self.offline, stop: interrupt::check };
        source.load(name, 0).map_err(|e| match e {
            data::Error::Interrupted => Interrupted.into(),
            e => e.into(),
        })
    }
}
