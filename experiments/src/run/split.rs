//! Which images a run is measured on.

use super::Run;
use crate::verdicts::Place;
use anyhow::Result;
use data::{Dataset, Splits};
use serde::{Deserialize, Serialize};

/// What names of tables on held-out images end with.
pub(crate) const HELD_OUT: &str = "-held-out";

/// Images that a trained network did not train on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The test set, which chooses nothing
    #[default]
    Test,
    /// Training images that were held out, and chose the best epoch: settings may be chosen by them too
    HeldOut,
}

impl Split {
    /// What its images are called.
    pub const fn images(self) -> &'static str {
        match self {
            Self::Test => "test images",
            Self::HeldOut => "held-out training images",
        }
    }

    /// The name of the files of `table` on its images: a table by which settings are chosen is never taken for one
    /// that tests them.
    pub fn named(self, table: &str) -> String {
        match self {
            Self::Test => table.to_owned(),
            Self::HeldOut => format!("{table}{HELD_OUT}"),
        }
    }

    /// Where verdicts on its images stand.
    pub fn place(self, place: Place) -> Place {
        match self {
            Self::Test => place,
            Self::HeldOut => Place { checkpoint: format!("{} on held-out images", place.checkpoint), ..place },
        }
    }

    /// `data` with this split of `run`'s in the place of the test set.
    ///
    /// # Errors
    /// When there are too few training images to hold any out.
    pub fn of(self, run: &Run, data: &Splits) -> Result<Splits> {
        Ok(match self {
            Self::Test => data.clone(),
            Self::HeldOut => Splits { test: run.parts(data)?.1, ..data.clone() },
        })
    }
}

impl Run {
    /// What it trains on, and the images that it holds out. They do not depend on the seed: every seed is chosen by
    /// the same images.
    ///
    /// # Errors
    /// When there are too few training images.
    pub(super) fn parts(&self, data: &Splits) -> Result<(Dataset, Dataset)> {
        let all = data.train.first(self.config.taken(data.train.len())?);
        Ok(all.hold_out(self.config.held_out, 0)?)
    }
}
