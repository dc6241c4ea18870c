//! What a user wants to know of a data set before training on it.

mod contact;
mod verify;

use crate::cli::SourceArgs;
use anyhow::{Result, ensure};
use clap::ValueEnum;
use data::{Dataset, Name, Splits};
use std::path::{Path, PathBuf};

pub use contact::{Choice, show};
pub use verify::{Findings, verify};

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What networks are trained on.
    Train,
    /// What figures are taken from.
    Test,
}

impl Part {
    /// That part of `splits`.
    pub fn of(self, splits: &Splits) -> &Dataset {
        match self {
            Self::Train => &splits.train,
            Self::Test => &splits.test,
        }
    }
}

/// One line a data set; local copies are looked for in `dir`.
///
/// # Errors
/// When the Hub's cache holds something else than what was downloaded.
pub fn list(dir: Option<&Path>) -> Result<String> {
    let head = ["data set", "training", "test", "shape", "classes", "in memory", "where"].map(str::to_owned);
    let mut rows = vec![head];
    for name in Name::ALL {
        rows.push(row(name, dir)?);
    }
    let widths: Vec<usize> =
        (0..7).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let line = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    Ok(rows.iter().map(line).collect())
}

fn row(name: Name, dir: Option<&Path>) -> Result<[String; 7]> {
    let [channels, height, width] = name.shape();
    let bytes = (name.train_len() + name.test_len()) * channels * height * width;
    Ok([
        name.to_string(),
        name.train_len().to_string(),
        name.test_len().to_string(),
        format!("{channels}x{height}x{width}"),
        name.classes().to_string(),
        format!("{} MB", (bytes as f64 / 1e6).round()),
        place(name, dir)?,
    ])
}

/// Where a data set is.
fn place(name: Name, dir: Option<&Path>) -> Result<String> {
    if name == Name::Synthetic {
        return Ok("embedded".into());
    }
    let folders = dir.into_iter().flat_map(|dir| [dir.join(name.as_str()), dir.to_owned()]);
    if let Some(local) = folders.into_iter().find(|dir| data::holds(name, dir)) {
        return Ok(format!("local: {}", local.display()));
    }
    Ok(match data::cached(name)? {
        Some(cached) => format!("cached: {}", cached.display()),
        None => format!("to be downloaded: data get {name}"),
    })
}

/// The folder of the Hub's cache with the files of `name`, downloaded first unless they are there or `offline`.
///
/// # Errors
/// When they are not to be had, or the user interrupts.
pub fn get(name: Name, offline: bool) -> Result<PathBuf> {
    ensure!(name != Name::Synthetic, "{name}: embedded, there is nothing to get");
    SourceArgs { data_dir: None, offline }.fetch(name)
}
