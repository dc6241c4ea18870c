//! What a user wants to know of a data set before training on it.

mod contact;
mod verify;

use crate::cli::SourceArgs;
use anyhow::{Context, ensure};
use clap::ValueEnum;
use data::{Dataset, Name, Splits};
use std::path::{Path, PathBuf};

pub use contact::{Choice, show};
pub use verify::{Findings, verify};

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    /// What networks are trained on.
    Train,
    /// What figures are taken from.
    Test,
}

impl Split {
    /// That part of `splits`.
    pub fn of(self, splits: &Splits) -> &Dataset {
        match self {
            Self::Train => &splits.train,
            Self::Test => &splits.test,
        }
    }
}

/// One line a data set; local copies are looked for in `dir`.
pub fn list(dir: Option<&Path>) -> String {
    let head = ["data set", "training", "test", "shape", "classes", "in memory", "where"].map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(Name::ALL.map(|name| row(name, dir))).collect();
    let widths: Vec<usize> =
        (0..7).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(name: Name, dir: Option<&Path>) -> [String; 7] {
    let [channels, height, width] = name.shape();
    let bytes = (name.train_len() + name.test_len()) * channels * height * width;
    [
        name.to_string(),
        name.train_len().to_string(),
        name.test_len().to_string(),
        format!("{channels}x{height}x{width}"),
        name.classes().to_string(),
        format!("{} MB", (bytes as f64 / 1e6).round()),
        place(name, dir),
    ]
}

/// Where a data set is.
fn place(name: Name, dir: Option<&Path>) -> String {
    let local =
        dir.and_then(|dir| [dir.join(name.as_str()), dir.to_owned()].into_iter().find(|dir| data::holds(name, dir)));
    match (name, local, data::cached(name)) {
        (Name::Synthetic, ..) => "embedded".into(),
        (_, Some(local), _) => format!("local: {}", local.display()),
        (_, None, Ok(Some(cached))) => format!("cached: {}", cached.display()),
        (_, None, Ok(None)) => format!("to be downloaded: data get {name}"),
        (_, None, Err(e)) => format!("cached, but {e}"),
    }
}

/// The folder of the Hub's cache that holds `name`, downloaded first unless it is there or `source` forbids it.
///
/// # Errors
/// When it cannot be had, or the user interrupts.
pub fn get(name: Name, source: &SourceArgs) -> anyhow::Result<PathBuf> {
    ensure!(name != Name::Synthetic, "{name}: embedded, there is nothing to get");
    source.load(name)?;
    data::cached(name)?.with_context(|| format!("{name}: gone from the cache since it was read; try again"))
}
