//! One attack over several folders of results, a column each.

use crate::{
    audit::Audit,
    grid::is_of_training,
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
    /// Frameworks that were trained otherwise in the setting of an earlier folder, `--beta 1` say, are further rows of its
    /// column; other settings have columns of their own.
    ///
    /// # Errors
    /// When a folder is not below `out` or has no such table, or two have the same setting.
    pub fn of(&self, out: &Path, folders: &[PathBuf]) -> Result<Table> {
        let (mut rows, mut columns, mut cells) = (Vec::<Row>::new(), Vec::<Column>::new(), Vec::<Cell>::new());
        let mut settings = Vec::<Setting>::new();
        for folder in folders {
            let below = folder.components().all(|part| matches!(part, Component::CurDir | Component::Normal(_)));
            ensure!(below, "{}: give a folder below {}", folder.display(), out.display());
            let file = out.join(folder).join(self.table).join("cells.csv");
            let read = || format!("{} is needed: {} --out {}", file.display(), self.table, out.join(folder).display());
            let mut found = read_cells(&file).with_context(read)?;
            let asked = |cell: &Cell| cell.attack == self.attack && cell.split == Split::Test;
            found.retain(|cell| asked(cell) && ADDED.contains(&cell.regularizer.as_str()));
            let cell = found.first().with_context(|| format!("{}: nothing under {}", file.display(), self.attack))?;
            let setting = Setting::of(cell);
            ensure!(!settings.contains(&setting), "{}: two folders have this setting", setting.label());
            let joined = settings.iter().find_map(|earlier| Some((earlier.label(), setting.beyond(earlier)?)));
            let (column, otherwise) = joined.unwrap_or_else(|| {
                columns.push(Column { attack: setting.label(), label: setting.label() });
                (setting.label(), Vec::new())
            });
            // What an option does not reach is the same run, and there already.
            let known: Vec<String> =
                cells.iter().filter(|cell| cell.attack == column).map(|cell| cell.run.clone()).collect();
            for cell in found.into_iter().filter(|cell| !known.contains(&cell.run)) {
                let run = Run::open(&out.join(folder).join("runs").join(&cell.run))?;
                run.check_objectives()?;
                let framework =
                    otherwise.iter().fold(cell.framework.clone(), |name, option| format!("{name} {option}"));
                let cell = Cell { table: self.name.into(), attack: column.clone(), framework, ..cell };
                let row = row(&mut rows, &cell, &run, &otherwise)?;
                let checkpoint = Checkpoint::ALL.into_iter().find(|of| of.name() == cell.checkpoint);
                if let Some(audit) = checkpoint.map(|of| Audit::read(&run.audit(of))).transpose()?.flatten() {
                    // Names begin at `out`.
                    let runs = folder.join("runs");
                    row.audits.push(Audited {
                        runs: runs.strip_prefix(".").unwrap_or(&runs).to_owned(),
                        column: Some(column.clone()),
                        run: cell.run.clone(),
                        seed: cell.seed,
                        checkpoint: cell.checkpoint.clone(),
                        audit,
                    });
                }
                cells.push(cell);
            }
            settings.push(setting);
        }
        // Rows of a framework stand together, the one without an addition first.
        let place = |row: &Row| {
            let usual = |row: &Row| row.framework.split(' ').next().map(str::to_owned);
            let first = rows.iter().position(|other| usual(other) == usual(row));
            let own = rows.iter().position(|other| other.framework == row.framework);
            (first, own, ADDED.iter().position(|added| *added == row.regularizer))
        };
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&i| place(&rows[i]));
        let rows = order.into_iter().map(|i| rows[i].clone()).collect();
        Ok(Table { name: self.name.into(), caption: self.caption.into(), split: Split::Test, rows, columns, cells })
    }
}

/// What a folder's table was measured in.
#[derive(PartialEq)]
struct Setting {
    /// `MNIST, 11,000 × 5`: the data set, training images and epochs.
    place: String,
    /// What else the command line changed: `beta 1`.
    options: Vec<String>,
}

impl Setting {
    fn of(cell: &Cell) -> Self {
        let size = profile::size(&cell.profile, &cell.dataset);
        let place = [vec![caption::dataset(&cell.dataset)], size.into_iter().collect()].concat().join(", ");
        let counted = |option: &&str| ["epochs ", "train-examples "].iter().any(|name| option.starts_with(name));
        let options = cell.profile.split(" --").skip(1).filter(|option| !counted(option));
        Self { place, options: options.map(str::to_owned).collect() }
    }

    fn label(&self) -> String {
        self.options.iter().fold(self.place.clone(), |label, option| format!("{label}, --{option}"))
    }

    /// What frameworks are trained otherwise by than in `other`, if that is all that tells one from the other.
    fn beyond(&self, other: &Self) -> Option<Vec<String>> {
        let new: Vec<String> = self.options.iter().filter(|option| !other.options.contains(option)).cloned().collect();
        let within = self.place == other.place && self.options.len() == other.options.len() + new.len();
        (within && new.iter().all(|option| is_of_training(option))).then_some(new)
    }
}

/// The row of `cell`, which is of `run`; a new one if there is none.
fn row<'a>(rows: &'a mut Vec<Row>, cell: &Cell, run: &Run, otherwise: &[String]) -> Result<&'a mut Row> {
    let at = match rows.iter().position(|row| cell.is_of(row)) {
        Some(at) => at,
        None => {
            let longer = (cell.regularizer == "longer").then(|| "more epochs".to_owned());
            let aside: Vec<String> = longer.into_iter().chain(otherwise.iter().cloned()).collect();
            let aside = if aside.is_empty() { String::new() } else { format!(" ({})", aside.join(", ")) };
            let label = run.config().game()?.name + &aside;
            let (framework, regularizer) = (cell.framework.clone(), cell.regularizer.clone());
            rows.push(Row { framework, regularizer, label, audits: Vec::new() });
            rows.len() - 1
        }
    };
    Ok(&mut rows[at])
}
