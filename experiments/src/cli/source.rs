//! Where data comes from.

use crate::{
    interrupt::{self, Interrupted},
    process::Usage,
};
use anyhow::Result;
use clap::Args;
use data::{Name, Source, Splits};
use std::path::{Path, PathBuf};

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
    /// When it is nowhere or damaged, [`Interrupted`] when the user stopped its download, and [`Usage`] when it is embedded
    /// and sought in a folder.
    pub fn load(&self, name: Name) -> Result<Splits> {
        if name == Name::Synthetic && self.data_dir.is_some() {
            let what = "--data-dir changes nothing: synthetic images are embedded; name a data set or a profile of one, as \
                        --dataset cifar10 or --profile cpu";
            return Err(Usage(what.into()).into());
        }
        self.source().load(name, 0).map_err(said)
    }

    /// Loads `name` to train or attack on, and says so if the copy is not whole: an original may lack batches.
    ///
    /// # Errors
    /// Those of [`SourceArgs::load`], and when its classes are those of another data set.
    pub fn load_noting_gaps(&self, name: Name) -> Result<Splits> {
        let splits = self.load(name)?;
        let parts = [("training", &splits.train), ("test", &splits.test)];
        for (i, (split, here)) in parts.into_iter().enumerate() {
            let (counts, published) = (here.class_counts(), name.class_counts());
            let (len, whole) = (here.len(), published[i].iter().sum::<usize>());
            if len != whole {
                tracing::warn!("{name}: this copy has {len} of {whole} {split} images");
            } else if counts != published[i] {
                let others = Name::ALL.into_iter().filter(|other| other.shape() == name.shape());
                if let Some(other) =
                    others.filter(|other| *other != name).find(|other| other.class_counts()[i] == counts)
                {
                    let place = self.data_dir.as_deref().unwrap_or(Path::new("the cache")).display();
                    anyhow::bail!("{place}: its {split} images are those of {other}, not of {name}, class by class");
                }
                tracing::warn!(
                    "{name}: this copy has other numbers of {split} images of its classes than the published one"
                );
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
