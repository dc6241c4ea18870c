//! What tables and figures measured, and the runs behind it.

use crate::{
    audit::Verdict,
    files,
    report::{Cell, read_cells, read_measures},
    run::{RECORD, Record},
};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A line of a table's `audit.csv`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AuditLine {
    pub(super) table: String,
    pub(super) framework: String,
    pub(super) regularizer: String,
    pub(super) checkpoint: String,
    pub(super) seed: u64,
    pub(super) run: String,
    pub(super) check: String,
    pub(super) verdict: Verdict,
    pub(super) detail: String,
}

/// The measurements of a results folder.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) cells: Vec<Cell>,
    pub(super) audits: Vec<AuditLine>,
    /// The runs behind any number, by name, with the profile they were made for; none where the record is missing.
    pub(super) runs: BTreeMap<String, (String, Option<Record>)>,
    /// What the attacks behind `cells` took, seconds; those that tables share count once.
    pub(super) seconds: f64,
}

impl Gathered {
    /// Reads `*/cells.csv`, `*/measures.csv` and `*/audit.csv` below `out`, and the records of the runs they name.
    pub(super) fn read(out: &Path) -> Result<Self> {
        let mut gathered = Self::default();
        let mut runs: BTreeMap<String, String> = BTreeMap::new();
        let mut attacked = BTreeSet::new();
        for folder in folders(out)? {
            let [cells, measures, audit] = ["cells.csv", "measures.csv", "audit.csv"].map(|name| folder.join(name));
            if cells.is_file() {
                for cell in read_cells(&cells)? {
                    runs.insert(cell.run.clone(), cell.profile.clone());
                    let images_in_ball = (cell.norm.clone(), cell.epsilon.clone(), cell.split);
                    if attacked.insert((cell.run.clone(), cell.checkpoint.clone(), cell.attack.clone(), images_in_ball))
                    {
                        gathered.seconds += cell.seconds;
                    }
                    gathered.cells.push(cell);
                }
            }
            if measures.is_file() {
                for measure in read_measures(&measures)? {
                    runs.insert(measure.run, measure.profile);
                }
            }
            if audit.is_file() {
                files::read_csv::<AuditLine>(&audit)?.into_iter().for_each(|line| gathered.keep(line));
            }
        }
        for (run, profile) in runs {
            let folder = out.join("runs").join(&run);
            let broken = || format!("{}: not the record of a run; see `runs verify`", folder.join(RECORD).display());
            let record = Record::read(&folder).with_context(broken)?;
            gathered.runs.insert(run, (profile, record));
        }
        Ok(gathered)
    }

    /// A line of an audit; tables that share a run share its audit.
    fn keep(&mut self, line: AuditLine) {
        let same = |known: &&mut AuditLine| {
            (&known.run, &known.checkpoint, &known.check) == (&line.run, &line.checkpoint, &line.check)
        };
        match self.audits.iter_mut().find(same) {
            Some(known) => known.table = format!("{}, {}", known.table, line.table),
            None => self.audits.push(line),
        }
    }
}

/// The folders in `out` but those of runs, sorted.
fn folders(out: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(out).with_context(|| format!("cannot read {}", out.display()))?;
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir() && !path.ends_with("runs"));
    let mut folders: Vec<PathBuf> = folders.collect();
    folders.sort();
    Ok(folders)
}
