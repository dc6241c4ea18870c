//! A table is one value with several renderings: CSV, Markdown, LaTeX and pictures.
//!
//! The long form, [`Cell`], is what was measured; everything else is computed from it, and
//! [`read_cells`] reads it back.

pub(crate) mod caption;
mod cells;
pub(crate) mod differences;
pub(crate) mod latex;
pub(crate) mod markdown;
mod marks;
mod measures;
mod paired;
pub(crate) mod plot;
mod statistics;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::{
    audit::Verdict,
    drawing, files,
    run::{CONTROL, Split},
};

pub(crate) use cells::write_cells;
pub use cells::{Cell, read_cells};
pub use marks::Audited;
pub use measures::{Measure, read_measures, write_measures};
pub use paired::Paired;
pub use statistics::{Summary, mcnemar, wilson};

/// A table of the paper: what is shown, and every measurement behind it.
#[derive(Clone, Debug)]
pub struct Table {
    /// The stem of its files, `table1`.
    pub name: String,
    /// What the table compares, one sentence, in neutral words; the plot's title.
    pub caption: String,
    /// What accuracies were measured on.
    pub split: Split,
    /// Top to bottom; rows of one framework stand together, the one without a regulariser first.
    pub rows: Vec<Row>,
    /// Left to right.
    pub columns: Vec<Column>,
    /// The measurements, one per cell and seed.
    pub cells: Vec<Cell>,
}

/// One trained method.
#[derive(Clone, Debug)]
pub struct Row {
    /// As in [`Cell::framework`].
    pub framework: String,
    /// As in [`Cell::regularizer`].
    pub regularizer: String,
    /// As printed, `PGD-AT + I2FR`.
    pub label: String,
    /// The audits of its runs, as far as there are any.
    pub audits: Vec<Audited>,
}

/// One way of measuring accuracy.
#[derive(Clone, Debug)]
pub struct Column {
    /// As in [`Cell::attack`].
    pub attack: String,
    /// As printed, `PGD-20`.
    pub label: String,
}

impl Row {
    /// `trades`, `trades+i2fr`.
    fn name(&self) -> String {
        let changed = if self.is_regularized() { format!("+{}", self.regularizer) } else { String::new() };
        format!("{}{changed}", self.framework)
    }

    /// Whether its label or name contains `text`; with a `=` before it, whether it is either.
    pub(crate) fn is_named(&self, text: &str) -> bool {
        let (text, label) = (text.to_lowercase(), self.label.to_lowercase());
        let name = self.name();
        match text.strip_prefix('=') {
            Some(exact) => exact == label || exact == name,
            None => label.contains(&text) || name.contains(&text),
        }
    }

    pub(crate) fn is_defended(&self) -> bool {
        // What is added to a framework, or varied of it, follows its name.
        self.framework.split([' ', '+']).next() != Some(CONTROL)
    }

    pub(crate) fn is_regularized(&self) -> bool {
        self.regularizer != "none"
    }
}

impl Table {
    /// Mean and interval over the seeds of one cell; `None` if it was not measured.
    ///
    /// Where both checkpoints of a run were evaluated, the selected one (`best`) counts.
    pub fn value(&self, row: usize, column: usize) -> Option<Summary> {
        Summary::of(&self.counted(row, column).values().map(|cell| cell.value_percent).collect::<Vec<_>>())
    }

    /// The measurement of each seed that counts for one cell.
    fn counted(&self, row: usize, column: usize) -> BTreeMap<u64, &Cell> {
        let (Some(row), Some(column)) = (self.rows.get(row), self.columns.get(column)) else {
            return BTreeMap::new();
        };
        let cells = self.cells.iter().filter(|cell| cell.is_of(row) && cell.attack == column.attack);
        let (best, last): (Vec<&Cell>, Vec<&Cell>) = cells.partition(|c| c.checkpoint == "best");
        let counted = if best.is_empty() { last } else { best };
        // A repeated seed is a repeated measurement, not a second sample.
        counted.into_iter().map(|cell| (cell.seed, cell)).collect()
    }

    /// Writes every rendering below `out` and returns the paths: `NAME/cells.csv`, `NAME/audit.csv` where
    /// there are audits, `NAME/differences.csv`, `NAME.{csv,md,tex,svg,png}`, and `NAME-gains.{svg,png}` where several
    /// seeds differ.
    ///
    /// # Errors
    ///
    /// If a value is not a percentage, or a file cannot be written; each file is whole or untouched.
    pub fn write(&self, out: &Path) -> Result<Vec<PathBuf>> {
        for cell in &self.cells {
            ensure!(
                (0.0..=100.0).contains(&cell.value_percent),
                "{}: {} of {} + {} (seed {}, run {}) is {} %, not between 0 and 100; \
                 delete that run and repeat it",
                self.name,
                cell.attack,
                cell.framework,
                cell.regularizer,
                cell.seed,
                cell.run,
                cell.value_percent
            );
        }
        cells::keep_replaced(&out.join(&self.name).join("cells.csv"), &self.cells)?;
        let file = |extension: &str| out.join(format!("{}.{extension}", self.name));
        let picture = plot::Picture::of(self);
        let mut texts = vec![
            (out.join(&self.name).join("cells.csv"), cells::long(&self.cells)?),
            (file("csv"), cells::wide(self)?),
            (file("md"), self.page()),
            (file("tex"), latex::render(self)),
            (file("svg"), drawing::svg(&picture)?),
            (out.join(&self.name).join("differences.csv"), self.differences_csv()?),
        ];
        let audit = out.join(&self.name).join("audit.csv");
        for folder in [out, &out.join(&self.name)] {
            files::create_folder(folder)?;
        }
        if self.is_audited() {
            texts.push((audit, self.audit_csv()?));
        } else {
            // An older one is of other rows.
            files::remove(&audit)?;
        }
        let mut written = Vec::new();
        for (path, text) in texts {
            files::write(&path, text.as_bytes())?;
            written.push(path);
        }
        let png = file("png");
        files::write(&png, &drawing::png(&picture)?)?;
        written.push(png);
        let gained = format!("{}{}", self.name, plot::GAINS);
        match plot::Gains::of(self) {
            Some(gains) => written.extend(drawing::write(&gained, &gains, out)?),
            // Older ones are of other rows.
            None => ["svg", "png"].iter().try_for_each(|kind| files::remove(&out.join(format!("{gained}.{kind}"))))?,
        }
        Ok(written)
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// The same with its pictures, as in `NAME.md`.
    pub fn page(&self) -> String {
        markdown::page(self)
    }

    /// Values as text; two digits only where the test set is large enough to give them a meaning.
    fn print(&self, value: f64) -> String {
        format!("{value:.*}", self.digits())
    }

    /// How many digits behind the point its number of test images allows.
    fn digits(&self) -> usize {
        if self.smallest_test_set() >= 10_000 { 2 } else { 1 }
    }

    /// The smallest number of test images behind any cell.
    fn smallest_test_set(&self) -> usize {
        self.cells.iter().map(|cell| cell.examples).min().unwrap_or(0)
    }

    /// The smallest number of images behind any seed of a cell.
    fn examples(&self, row: usize, column: usize) -> Option<usize> {
        self.counted(row, column).values().map(|cell| cell.examples).min()
    }

    /// Rows that may be the best of a column: defended ones that fail no audit.
    fn candidates(&self, column: usize) -> impl Iterator<Item = usize> {
        let fails = move |row: &Row| row.fails() || row.fails_under(&self.columns[column].attack);
        (0..self.rows.len()).filter(move |&row| self.rows[row].is_defended() && !fails(&self.rows[row]))
    }

    /// How much is behind a value: images, then seeds.
    fn evidence(&self, row: usize, column: usize) -> Option<(usize, usize)> {
        Some((self.examples(row, column)?, self.counted(row, column).len()))
    }

    /// The most that is behind a value of a defended row, also of one that fails: fewer seeds do not become the most by that.
    fn most_evidence(&self, column: usize) -> Option<(usize, usize)> {
        let defended = (0..self.rows.len()).filter(|&row| self.rows[row].is_defended());
        defended.filter_map(|row| self.evidence(row, column)).max()
    }

    /// The rows with the best value of a column of attacked accuracy, as printed, of those on as many images as any and,
    /// among them, with as many seeds; none where nothing is compared.
    fn best(&self, column: usize) -> Vec<usize> {
        if self.columns[column].attack == "clean" || self.rows.iter().filter(|row| row.is_defended()).count() < 2 {
            return Vec::new();
        }
        let means: Vec<(usize, f64)> = self
            .candidates(column)
            .filter(|&row| self.evidence(row, column) == self.most_evidence(column))
            .filter_map(|row| Some((row, self.value(row, column)?.mean)))
            .collect();
        let Some(most) = means.iter().map(|&(_, mean)| mean).reduce(f64::max) else {
            return Vec::new();
        };
        let tied = |mean: f64| self.print(mean) == self.print(most);
        means.into_iter().filter(|&(_, mean)| tied(mean)).map(|(row, _)| row).collect()
    }

    /// What bold numbers mean, if there are any.
    fn bold(&self) -> Option<String> {
        let columns: Vec<usize> = (0..self.columns.len()).filter(|&column| !self.best(column).is_empty()).collect();
        let fewer = columns.iter().any(|&column| {
            let most = self.most_evidence(column);
            let less = |(images, seeds)| most.is_some_and(|most| images == most.0 && seeds < most.1);
            self.candidates(column).filter_map(|row| self.evidence(row, column)).any(less)
        });
        let under = |row: &Row| self.columns.iter().any(|column| row.fails_under(&column.attack));
        let failing = [("rows", self.rows.iter().any(Row::fails)), ("values", self.rows.iter().any(under))];
        let failed = failing
            .into_iter()
            .filter(|(_, some)| *some)
            .map(|(what, _)| format!("{what} marked {}", Verdict::Fail.mark()));
        let aside: Vec<String> = failed.into_iter().chain(fewer.then(|| "rows of fewer seeds".into())).collect();
        let aside = if aside.is_empty() { String::new() } else { format!(", {} aside", aside.join(" and ")) };
        (!columns.is_empty()).then(|| format!("Bold: the best defended value under attack in each column{aside}."))
    }

    /// `Table 1` for `table1`; other names as they are.
    fn title(&self) -> String {
        caption::title(&self.name)
    }
}
