//! Where data comes from.

use crate::interrupt::{self, Interrupted};
use anyhow::Result;
use clap::Args;
use data::{Name, Source, Splits};
use std::path::PathBuf;

/// Where the files of a data set are.
#[derive(Args, Clone, Debug)]
pub struct SourceArgs {
    /// Local copy of the data set, in the Hub's or the original's layout [default: the Hub's cache, then a download]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Download nothing: data sets and weights must be on this machine or in the Hub's cache
    #[arg(long)]
    pub offline: bool,
}

impl SourceArgs {
    /// Loads `name`.
    ///
    /// # Errors
    /// When it is nowhere or damaged, and [`Interrupted`] when the user stopped its download.
    pub fn load(&self, name: Name) -> Result<Splits> {
        self.source().load(name, 0).map_err(said)
    }

    /// Loads `name` to train or attack on, and says so if the copy lacks images: an original may lack batches.
    ///
    /// # Errors
    /// Those of [`SourceArgs::load`].
    pub fn load_noting_gaps(&self, name: Name) -> Result<Splits> {
        let splits = self.load(name)?;
        for (split, here, published) in
            [("training", &splits.train, name.train_len()), ("test", &splits.test, name.test_len())]
        {
            if here.len() != published {
                tracing::warn!("{name}: this copy has {} of {published} {split} images", here.len());
            }
        }
        Ok(splits)
    }

    /// The folder of the Hub's cache with the files of `name`, downloaded first unless they are there.
    ///
    /// # Errors
    /// When they are not to be had, and [`Interrupted`] when the user stopped the download.
    pub fn fetch(&self, name: Name) -> Result<PathBuf> {
        self.source().fetch(name).map_err(said)
    }

    fn source(&self) -> Source {
        Source { dir: self.data_dir.clone(), offline: self.offline, stop: interrupt::check }
    }
}

/// As the programs report it.
fn said(error: data::Error) -> anyhow::Error {
    match error {
        data::Error::Interrupted => Interrupted.into(),
        error => error.into(),
    }
}
