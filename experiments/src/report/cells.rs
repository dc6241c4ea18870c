//! The measurements: long form to keep, wide form to read.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Row, Table};
use crate::{files, run::Split};

/// One line of `cells.csv`: one cell of a table and one seed. The fields are its columns, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The table's name, `table1`.
    pub table: String,
    /// How the network was trained: `standard`, `pgd-at`, `trades`, ...
    pub framework: String,
    /// What was added: `none`, `i2fr`, a variant of it in words, `longer`.
    pub regularizer: String,
    /// The data set, `cifar10`.
    pub dataset: String,
    /// The network, `resnet18`.
    pub arch: String,
    /// The norm of the threat model: `linf` or `l2`.
    pub norm: String,
    /// Its radius as it was given, `8/255`.
    pub epsilon: String,
    /// `clean`, `fgsm`, `pgd-20`, ...
    pub attack: String,
    /// Which weights of the run: `best` or `last`.
    pub checkpoint: String,
    /// On which images: `test`, or `held-out`, by which settings may be chosen.
    pub split: Split,
    /// The run's seed.
    pub seed: u64,
    /// The number of images.
    pub examples: usize,
    /// Accuracy in per cent.
    pub value_percent: f64,
    /// The identifier of the run.
    pub run: String,
    /// The profile of the run, with what was changed of it: `mnist --epochs 5`.
    pub profile: String,
    /// What the evaluation took.
    pub seconds: f64,
}

impl Cell {
    /// Whether it is one of `row`'s.
    pub fn is_of(&self, row: &Row) -> bool {
        self.framework == row.framework && self.regularizer == row.regularizer
    }
}

/// Reads a `cells.csv` back.
///
/// # Errors
///
/// If the file cannot be read or a line does not have the columns of [`Cell`].
pub fn read_cells(path: &Path) -> Result<Vec<Cell>> {
    files::read_csv(path).with_context(|| {
        format!("{}: no measurements; its table's command with --render-only writes it again", path.display())
    })
}

/// Writes a `cells.csv`; makes its folder.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn write_cells(path: &Path, cells: &[Cell]) -> Result<()> {
    keep_replaced(path, cells)?;
    if let Some(folder) = path.parent() {
        files::create_folder(folder)?;
    }
    files::write(path, long(cells)?.as_bytes())
}

/// Says how many of the values in the `cells.csv` at `path`, if that is there, are not among the `new` ones, on as many
/// images, and keeps those that nobody else has.
///
/// # Errors
///
/// If they cannot be read or kept.
pub(super) fn keep_replaced(path: &Path, new: &[Cell]) -> Result<()> {
    let old: Vec<Cell> = files::replaced_csv(path)?;
    let is = |of: &Cell| [&of.run, &of.attack, &of.epsilon, &of.checkpoint].map(String::clone);
    let new: BTreeMap<_, usize> = new.iter().map(|cell| (is(cell), cell.examples)).collect();
    let replaced = |cell: &Cell| new.get(&is(cell)).is_none_or(|images| *images < cell.examples);
    keep_gone(path, &old, replaced, |cell| (&cell.run, "evaluations.csv"))
}

/// Says how many of the `old` lines in the file `NAME/*.csv` at `path` are `replaced`, and keeps those beside it whose run
/// has not the file any more that they come from.
pub(super) fn keep_gone<T: Clone + PartialEq + Serialize + DeserializeOwned>(
    path: &Path,
    old: &[T],
    replaced: impl Fn(&T) -> bool,
    source: impl Fn(&T) -> (&str, &str),
) -> Result<()> {
    let runs = path.ancestors().nth(2).unwrap_or(Path::new("")).join("runs");
    let there = |line: &T| {
        let (run, file) = source(line);
        runs.join(run).join(file).is_file()
    };
    let (kept, gone): (Vec<&T>, Vec<&T>) = old.iter().filter(|line| replaced(line)).partition(|line| there(line));
    let all = old.len();
    if !kept.is_empty() {
        tracing::warn!(
            "{}: {} of {all} values that it had are not asked for now; the runs keep them, and the command that asked for \
             them draws them again with --render-only",
            path.display(),
            kept.len()
        );
    }
    if !gone.is_empty() {
        let aside = path.with_extension("gone.csv");
        let mut lines: Vec<T> = if aside.is_file() { files::read_csv(&aside)? } else { Vec::new() };
        for line in &gone {
            if !lines.contains(line) {
                lines.push((*line).clone());
            }
        }
        files::write_csv(&aside, &lines)?;
        let (path, aside, gone) = (path.display(), aside.display(), gone.len());
        tracing::warn!("{path}: {gone} of {all} values that it had are of runs that are gone; {aside} keeps them");
    }
    Ok(())
}

/// Names of the fields of [`Cell`], so that a table without cells has its header too.
const COLUMNS: [&str; 16] = [
    "table",
    "framework",
    "regularizer",
    "dataset",
    "arch",
    "norm",
    "epsilon",
    "attack",
    "checkpoint",
    "split",
    "seed",
    "examples",
    "value_percent",
    "run",
    "profile",
    "seconds",
];

pub(super) fn long(cells: &[Cell]) -> Result<String> {
    files::csv_under(&COLUMNS, cells)
}

pub(super) fn wide(table: &Table) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let figures = ["mean", "half_width", "deviation", "seeds", "examples"];
    let header = table.columns.iter().flat_map(|column| figures.map(|figure| format!("{}_{figure}", column.attack)));
    let audit = |text: &str| table.is_audited().then(|| text.to_owned());
    writer.write_record(std::iter::once("label".to_owned()).chain(header).chain(audit("audit")))?;
    for (row, named) in table.rows.iter().enumerate() {
        let values = (0..table.columns.len()).flat_map(|column| {
            let summary = table.value(row, column);
            let text = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.3}"));
            let count = |value: Option<usize>| value.map_or(String::new(), |v| v.to_string());
            [
                text(summary.map(|s| s.mean)),
                text(summary.and_then(|s| s.half_width)),
                text(summary.and_then(|s| s.deviation)),
                count(summary.map(|s| s.seeds)),
                count(table.counted(row, column).values().map(|cell| cell.examples).min()),
            ]
        });
        let found = audit(if named.audits.is_empty() { "" } else { named.found() });
        writer.write_record(std::iter::once(named.label.clone()).chain(values).chain(found))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
