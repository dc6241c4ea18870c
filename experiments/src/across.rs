//! One attack over several folders of results, a column each.

use crate::{
    audit::Audit,
    profile,
    report::{Audited, Cell, Column, Row, Table, caption, read_cells},
    run::{Checkpoint, Run, Split},
};
use anyhow::{Context, Result, ensure};
use std::path::{Component, Path, PathBuf};

/// What is added to frameworks here, as results name it.
const ADDED: [&str; 3] = ["none", "i2fr", "longer"];

/// A table that gathers one column of the same table of several folders.
pub struct Across {
    /// The name of its files.
    pub name: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// Which table is read.
    pub table: &'static str,
    /// Which attack.
    pub attack: &'static str,
}

impl Across {
    /// The table of `folders` below `out`, each of one setting.
    ///
    /// # Errors
    /// When a folder is not below `out` or has no such table, or two have the same setting.
    pub fn of(&self, out: &Path, folders: &[PathBuf]) -> Result<Table> {
        let (mut rows, mut columns, mut cells) = (Vec::<Row>::new(), Vec::<Column>::new(), Vec::<Cell>::new());
        for folder in folders {
            let below = folder.components().all(|part| matches!(part, Component::CurDir | Component::Normal(_)));
            ensure!(below, "{}: give a folder below {}", folder.display(), out.display());
            let file = out.join(folder).join(self.table).join("cells.csv");
            let read = || format!("{} is needed: {} --out {}", file.display(), self.table, out.join(folder).display());
            let mut found = read_cells(&file).with_context(read)?;
            let asked = |cell: &Cell| cell.attack == self.attack && cell.split == Split::Test;
            found.retain(|cell| asked(cell) && ADDED.contains(&cell.regularizer.as_str()));
            let cell = found.first().with_context(|| format!("{}: nothing under {}", file.display(), self.attack))?;
            let setting = setting(cell);
            ensure!(columns.iter().all(|column| column.label != setting), "{setting}: two folders have this setting");
            for cell in &found {
                let run = Run::open(&out.join(folder).join("runs").join(&cell.run))?;
                run.check_objectives()?;
                let row = row(&mut rows, cell, &run)?;
                let checkpoint = Checkpoint::ALL.into_iter().find(|of| of.name() == cell.checkpoint);
                if let Some(audit) = checkpoint.map(|of| Audit::read(&run.audit(of))).transpose()?.flatten() {
                    // Names begin at `out`.
                    let runs = folder.join("runs");
                    row.audits.push(Audited {
                        runs: runs.strip_prefix(".").unwrap_or(&runs).to_owned(),
                        column: Some(setting.clone()),
                        run: cell.run.clone(),
                        seed: cell.seed,
                        checkpoint: cell.checkpoint.clone(),
                        audit,
                    });
                }
            }
            let of_column = |cell| Cell { table: self.name.into(), attack: setting.clone(), ..cell };
            cells.extend(found.into_iter().map(of_column));
            columns.push(Column { attack: setting.clone(), label: setting });
        }
        // Rows of a framework stand together, the one without an addition first.
        let place = |row: &Row| {
            let first = rows.iter().position(|other| other.framework == row.framework);
            (first, ADDED.iter().position(|added| *added == row.regularizer))
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&i| place(&rows[i]));
        let rows = order.into_iter().map(|i| rows[i].clone()).collect();
        Ok(Table { name: self.name.into(), caption: self.caption.into(), split: Split::Test, rows, columns, cells })
    }
}

/// `MNIST, 11,000 × 5`: the data set, training images and epochs, and what else the command line changed.
fn setting(cell: &Cell) -> String {
    let mut parts = vec![caption::dataset(&cell.dataset)];
    parts.extend(profile::size(&cell.profile, &cell.dataset));
    let options = cell.profile.split(" --").skip(1);
    let counted = |option: &&str| ["epochs ", "train-examples "].iter().any(|name| option.starts_with(name));
    parts.extend(options.filter(|option| !counted(option)).map(|option| format!("--{option}")));
    parts.join(", ")
}

/// The row of `cell`, which is of `run`; a new one if there is none.
fn row<'a>(rows: &'a mut Vec<Row>, cell: &Cell, run: &Run) -> Result<&'a mut Row> {
    let at = match rows.iter().position(|row| cell.is_of(row)) {
        Some(at) => at,
        None => {
            let more = if cell.regularizer == "longer" { " (more epochs)" } else { "" };
            let label = run.config().game()?.name + more;
            let (framework, regularizer) = (cell.framework.clone(), cell.regularizer.clone());
            rows.push(Row { framework, regularizer, label, audits: Vec::new() });
            rows.len() - 1
        }
    };
    Ok(&mut rows[at])
}
