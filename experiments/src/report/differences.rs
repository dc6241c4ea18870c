//! What a regulariser changes: its row against the same framework's row without, seed by seed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;

use super::{
    Cell, Paired, Row, Table,
    caption::{grouped, signed},
    paired::LEVEL,
};
use crate::{files, verdicts::CLEAN};

/// One attack's difference between two rows.
pub(super) struct Difference<'a> {
    pub(super) paired: Paired,
    /// Of every seed, without and with the regulariser, in percent.
    pub(super) pairs: Vec<[f64; 2]>,
    checkpoint: &'a str,
    /// The smallest number of images behind any of the seeds.
    pub(super) examples: usize,
}

/// A line of `differences.csv`.
#[derive(Serialize)]
struct Line<'a> {
    framework: &'a str,
    regularizer: &'a str,
    attack: &'a str,
    checkpoint: &'a str,
    seeds: usize,
    examples: usize,
    mean_difference: String,
    low: String,
    high: String,
    p_value: String,
    smallest_p: f64,
    test: &'a str,
}

/// Names of the fields of [`Line`], so that a table without differences has its header too.
const COLUMNS: [&str; 12] = [
    "framework",
    "regularizer",
    "attack",
    "checkpoint",
    "seeds",
    "examples",
    "mean_difference",
    "low",
    "high",
    "p_value",
    "smallest_p",
    "test",
];

/// The differences of at least two seeds for a reader, one row of cells each.
pub(super) struct Printed {
    pub(super) intro: String,
    /// The row's label, and its cells.
    pub(super) rows: Vec<(String, Vec<String>)>,
    /// What they cannot show.
    pub(super) limits: String,
}

fn points(pairs: &[[f64; 2]]) -> Vec<f64> {
    pairs.iter().map(|[before, after]| after - before).collect()
}

impl Difference<'_> {
    /// Of every seed, in points.
    pub(super) fn each(&self) -> Vec<f64> {
        points(&self.pairs)
    }
}

impl Table {
    /// The row of the same framework without a regulariser, for a row with one.
    pub(super) fn plain_row(&self, row: usize) -> Option<usize> {
        let named = &self.rows[row];
        let plain = |other: &Row| other.framework == named.framework && !other.is_regularized();
        if named.is_regularized() { self.rows.iter().position(plain) } else { None }
    }

    /// The difference of a regularised row to its plain one, over seeds that both have on as many images.
    pub(super) fn difference(&self, row: usize, column: usize) -> Option<Difference<'_>> {
        let before = self.counted(self.plain_row(row)?, column);
        let after = self.counted(row, column);
        let cells: Vec<(&Cell, &Cell)> = after
            .iter()
            .filter_map(|(seed, &after)| Some((*before.get(seed)?, after)))
            .filter(|(before, after)| before.checkpoint == after.checkpoint && before.examples == after.examples)
            .collect();
        let pairs: Vec<[f64; 2]> =
            cells.iter().map(|(before, after)| [before.value_percent, after.value_percent]).collect();
        Some(Difference {
            paired: Paired::of(&points(&pairs))?,
            checkpoint: &cells.first()?.1.checkpoint,
            examples: cells.iter().map(|(_, after)| after.examples).min()?,
            pairs,
        })
    }

    /// The rows whose difference that of `row` is.
    fn sides(&self, row: usize) -> impl Iterator<Item = &Row> {
        [Some(row), self.plain_row(row)].into_iter().flatten().map(|side| &self.rows[side])
    }

    /// What stands behind a difference of which one side fails an audit, where columns have audits of their own.
    pub(super) fn mark_of_difference(&self, row: usize, column: usize) -> String {
        let attack = &self.columns[column].attack;
        self.sides(row).map(|side| side.mark_under(attack)).find(|mark| !mark.is_empty()).unwrap_or_default()
    }

    /// Whether either side of a difference fails an audit, so that it is no evidence: under attack, that is.
    pub(super) fn difference_fails(&self, row: usize, column: usize) -> bool {
        let attack = &self.columns[column].attack;
        attack != CLEAN && self.sides(row).any(|side| side.fails() || side.fails_under(attack))
    }

    fn regularized(&self) -> impl Iterator<Item = usize> {
        (0..self.rows.len()).filter(|&row| self.rows[row].is_regularized())
    }

    /// Every difference: `differences.csv`.
    pub(super) fn differences_csv(&self) -> Result<String> {
        let mut lines = Vec::new();
        for row in self.regularized() {
            for (column, named) in self.columns.iter().enumerate() {
                let Some(Difference { paired, checkpoint, examples, .. }) = self.difference(row, column) else {
                    continue;
                };
                let points = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.3}"));
                lines.push(Line {
                    framework: &self.rows[row].framework,
                    regularizer: &self.rows[row].regularizer,
                    attack: &named.attack,
                    checkpoint,
                    seeds: paired.difference.seeds,
                    examples,
                    mean_difference: points(Some(paired.difference.mean)),
                    low: points(paired.interval().map(|(low, _)| low)),
                    high: points(paired.interval().map(|(_, high)| high)),
                    p_value: paired.p_value.map_or(String::new(), |p| p.to_string()),
                    smallest_p: paired.smallest_p,
                    test: if paired.exact { "exact" } else { "drawn" },
                });
            }
        }
        files::csv_under(&COLUMNS, &lines)
    }

    /// The differences of at least two seeds; `None` if there are none.
    pub(super) fn printed_differences(&self) -> Option<Printed> {
        let (mut rows, mut tests) = (Vec::new(), 0);
        let (mut smallest, mut images) = (BTreeMap::new(), BTreeSet::new());
        for row in self.regularized() {
            let cells: Vec<Option<String>> = (0..self.columns.len())
                .map(|column| {
                    let Difference { paired, examples, .. } = self.difference(row, column)?;
                    let (p, seeds) = (paired.p_value?, paired.difference.seeds);
                    smallest.insert(seeds, paired.smallest_p);
                    images.insert(examples);
                    tests += 1;
                    let half_width = self.print(paired.difference.half_width?);
                    let mean = signed(paired.difference.mean, self.digits());
                    let mark = self.mark_of_difference(row, column);
                    Some(format!("{mean} ± {half_width}{mark} (n = {seeds}, p = {})", significant(p)))
                })
                .collect();
            if cells.iter().any(Option::is_some) {
                let cells = cells.into_iter().map(|cell| cell.unwrap_or("—".into())).collect();
                rows.push((self.rows[row].marked(), cells));
            }
        }
        let images: Vec<String> = images.into_iter().rev().map(grouped).collect();
        let intro = format!(
            "to the same framework alone in points, paired over n seeds, {} {}: mean ± half the 95 % interval (Student), \
             and p of the two-sided sign-flip test.",
            images.join(" or "),
            self.split.images()
        );
        let mut limits = limits(&smallest);
        if tests > 1 {
            limits.push(format!("p is not corrected for there being {tests} tests."));
        }
        (!rows.is_empty()).then(|| Printed { intro, rows, limits: limits.join(" ") })
    }
}

/// That so few seeds are no test, for a picture, where no p is printed: of the numbers of seeds (two or more), each with the smallest p.
pub(crate) fn too_few(smallest: &BTreeMap<usize, f64>) -> Option<String> {
    let few: Vec<String> = smallest.iter().filter(|(_, p)| **p > LEVEL).map(|(seeds, _)| seeds.to_string()).collect();
    let seeds = few.join(" or ");
    (!few.is_empty())
        .then(|| format!("Of {seeds} seeds, the sign-flip test has no p below {LEVEL}, whatever they show."))
}

/// What so many seeds cannot show, for the smallest p of each number of seeds.
pub(crate) fn limits(smallest: &BTreeMap<usize, f64>) -> Vec<String> {
    let limit = |(seeds, p): (&usize, &f64)| {
        let never = if *p > LEVEL { ", so none is below 0.05" } else { "" };
        format!("With {seeds} seeds no p is below {}{never}.", significant(*p))
    };
    smallest.iter().map(limit).collect()
}

/// Two significant digits.
pub(crate) fn significant(p: f64) -> String {
    let digits = (1.0 - p.log10().floor()).max(0.0) as usize;
    let text = format!("{p:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests;
