//! What each row changes, as a picture: a panel per column, every seed's difference, and what they leave open.

use super::{
    layout::{Label, Layout},
    sign_color,
};
use crate::{
    audit::Verdict,
    drawing::{
        Drawing,
        pen::{ACCENT, Anchor, Color, INK, LOSS, MUTED, Pen, RAIL},
    },
    report::{
        Table,
        caption::signed,
        differences::{Difference, too_few},
    },
};
use anyhow::Result;
use plotters::backend::DrawingBackend;
use std::collections::{BTreeMap, BTreeSet};

/// What its files are called after the table's name.
pub(crate) const GAINS: &str = "-gains";

/// What it shows.
pub(in crate::report) const GAINED: &str = "points gained over the same framework alone";

/// How much longer than its intervals need an axis may be for seeds.
const SQUEEZED: f64 = 1.7;

/// From the largest loss to the largest gain, and the room for numbers right of it.
const AXIS: f64 = 112.0;
const NUMBERS: f64 = 96.0;

/// Where an axis may end on either side of 0, in points.
const ENDS: [f64; 13] = [1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 70.0, 100.0];

/// The differences of a table that has some over several seeds.
pub(in crate::report) struct Gains<'a> {
    table: &'a Table,
    /// Of the table, those that change something.
    rows: Vec<usize>,
    /// Ends of each column's axis: the largest loss, the largest gain.
    ends: Vec<[f64; 2]>,
    layout: Layout,
}

impl<'a> Gains<'a> {
    /// `None` for a table in which no difference has an interval.
    pub(in crate::report) fn of(table: &'a Table) -> Option<Self> {
        let columns = table.columns.len();
        let compared = |row: &usize| (0..columns).any(|column| table.difference(*row, column).is_some());
        let rows: Vec<usize> = (0..table.rows.len()).filter(compared).collect();
        let cells = || rows.iter().flat_map(|&row| (0..columns).map(move |column| table.difference(row, column)));
        let intervals: Vec<(f64, f64)> = cells().flatten().filter_map(|one| one.paired.interval()).collect();
        if intervals.is_empty() {
            return None;
        }
        // Columns of one setting are compared by eye, those of several are not.
        let settings: BTreeSet<_> = table.cells.iter().map(|cell| (&cell.dataset, &cell.profile)).collect();
        let of_column = |column: usize| match settings.len() {
            1 => ends(cells().flatten()),
            _ => ends(rows.iter().filter_map(|&row| table.difference(row, column))),
        };
        let ends: Vec<[f64; 2]> = (0..columns).map(of_column).collect();
        let beyond = |row: usize, column: usize| {
            let shown = ends[column][0]..=ends[column][1];
            let drawn = table.difference(row, column).map(|one| drawn(&one)).unwrap_or_default();
            drawn.iter().any(|points| !shown.contains(points))
        };
        let cut = rows.iter().any(|&row| (0..columns).any(|column| beyond(row, column)));
        let beyond = if cut { "; an arrowhead is what lies beyond the panel" } else { "" };
        let mut footer = vec![
            table.settings().replacen("Accuracy in %", "Points of accuracy", 1),
            format!(
                "Small dots are seeds, each against the same framework alone with that seed; the line above them is the \
                 95 % interval of their mean{beyond}."
            ),
            format!(
                "{} intervals and sign-flip tests (p), none corrected for their number; of one seed there is none.",
                intervals.len()
            ),
        ];
        if settings.len() > 1 {
            footer.push("Each panel has an axis of its own.".into());
        }
        let several = cells().flatten().filter(|one| one.paired.interval().is_some());
        let smallest: BTreeMap<usize, f64> =
            several.map(|one| (one.paired.difference.seeds, one.paired.smallest_p)).collect();
        footer.extend(too_few(&smallest));
        footer.push(seeds(table, &rows));
        if cells().any(|difference| difference.is_none()) {
            footer.push("—: no seed on which the framework alone was measured, too.".into());
        }
        let alone = rows.iter().filter_map(|&row| table.plain_row(row));
        let named: BTreeSet<usize> = rows.iter().copied().chain(alone).collect();
        footer.extend(table.failures(&named.into_iter().collect::<Vec<_>>()));
        let labels: Vec<_> = rows.iter().map(|&row| label(table, row)).collect();
        let layout = Layout::new(labels, columns, AXIS + NUMBERS, &table.headline(GAINED), &[footer.join(" ")]);
        Some(Self { table, rows, ends, layout })
    }

    fn panel<B: DrawingBackend>(&self, pen: &Pen<'_, B>, column: usize) -> Result<()> {
        let (left, top) = self.layout.corner(column);
        let [least, most] = self.ends[column];
        let x = |points: f64| left + AXIS * (points.clamp(least, most) - least) / (most - least);
        let bottom = top + self.layout.bottom();
        pen.strong(&self.table.columns[column].label, (left, top + 6.0), 13.0, INK)?;
        for tick in [least, 0.0, most] {
            let color = if tick == 0.0 { MUTED } else { RAIL };
            pen.line((x(tick), top + 20.0), (x(tick), bottom), color, 1.0)?;
            // Next to 0 there is room for a number only outwards.
            let near = (x(tick) - x(0.0)).abs() <= 16.0;
            let aside = if near && tick != 0.0 { 8.0 * tick.signum() } else { 0.0 };
            pen.text(&signed(tick, 0), (x(tick) + aside, bottom + 10.0), 10.0, MUTED, Anchor::Center)?;
        }
        for (&row, y) in self.rows.iter().zip(self.layout.rows()) {
            let (y, number) = (top + y, left + AXIS + 10.0);
            let Some(difference) = self.table.difference(row, column) else {
                pen.text("—", (number, y), 12.0, MUTED, Anchor::Left)?;
                continue;
            };
            let paired = difference.paired;
            let mut text = signed(paired.difference.mean, 1);
            let color = sign_color(&text, paired.is_open() || self.table.difference_fails(row, column));
            for points in difference.each() {
                let at = (x(points), y + 6.0);
                match (least..=most).contains(&points) {
                    true => pen.disc(at, 2.0, color)?,
                    false => arrowhead(pen, at, points.signum(), color)?,
                }
            }
            if let Some((low, high)) = paired.interval() {
                text += &format!(" ± {:.1}", (high - low) / 2.0);
                let y = y - 2.0;
                pen.line((x(low), y), (x(high), y), color, 1.0)?;
                for (end, side) in [(low, -1.0), (high, 1.0)] {
                    match (least..=most).contains(&end) {
                        true => pen.line((x(end), y - 3.0), (x(end), y + 3.0), color, 1.0)?,
                        false => arrowhead(pen, (x(end), y), side, color)?,
                    }
                }
                pen.disc((x(paired.difference.mean), y), 3.0, color)?;
            }
            text += &self.table.mark_of_difference(row, column);
            pen.text(&text, (number, y), 11.5, color, Anchor::Left)?;
        }
        Ok(())
    }
}

impl Drawing for Gains<'_> {
    fn size(&self) -> (f64, f64) {
        self.layout.size()
    }

    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        self.layout.draw(pen)?;
        let entries = [
            (ACCENT, "above 0 (p ≤ 0.05)".to_owned()),
            (LOSS, "below 0 (p ≤ 0.05)".to_owned()),
            (MUTED, format!("neither, or {}", Verdict::Fail.mark())),
        ];
        pen.legend(self.layout.legend(), &entries, |color, at| pen.disc(at, 3.0, *color))?;
        (0..self.table.columns.len()).try_for_each(|column| self.panel(pen, column))
    }
}

/// Its tip is at `tip`; it points right where `side` is 1, left where it is -1.
fn arrowhead<B: DrawingBackend>(pen: &Pen<'_, B>, tip: (f64, f64), side: f64, color: Color) -> Result<()> {
    let back = |up: f64| (tip.0 - 4.0 * side, tip.1 + up);
    pen.path(&[back(-3.0), tip, back(3.0)], color, 1.0)
}

/// How many seeds are behind the differences of `rows`: of all, or, where they differ, row by row.
fn seeds(table: &Table, rows: &[usize]) -> String {
    let of_row = |row: usize| {
        let differences = (0..table.columns.len()).filter_map(move |column| table.difference(row, column));
        differences.map(|difference| difference.pairs.len()).collect::<BTreeSet<usize>>()
    };
    let all: BTreeSet<usize> = rows.iter().flat_map(|&row| of_row(row)).collect();
    let range = |counts: &BTreeSet<usize>| match (counts.first(), counts.last()) {
        (Some(least), Some(most)) if least < most => format!("{least}–{most}"),
        (least, _) => least.map_or("—".into(), usize::to_string),
    };
    let each = || rows.iter().map(|&row| format!("{} {}", table.rows[row].label, range(&of_row(row))));
    let counted = if all.len() > 1 { each().collect::<Vec<_>>().join(", ") } else { range(&all) };
    format!("Seeds: {counted}.")
}

/// Where an axis ends on either side of 0 that shows `differences`: their intervals, but of seeds too few for a short one (two,
/// and three where others have more), and their seeds, unless some are so far from the others that they would squeeze them.
fn ends<'a>(differences: impl Iterator<Item = Difference<'a>>) -> [f64; 2] {
    let differences: Vec<Difference> = differences.collect();
    let seeds: Vec<f64> = differences.iter().flat_map(Difference::each).collect();
    let of_more_than = |seeds: usize| -> Vec<f64> {
        let many = differences.iter().filter(|difference| difference.pairs.len() > seeds);
        many.filter_map(|difference| difference.paired.interval()).flat_map(|(low, high)| [low, high]).collect()
    };
    let intervals = Some(of_more_than(3)).filter(|many| !many.is_empty()).unwrap_or_else(|| of_more_than(2));
    let around = |shown: &[f64]| {
        [-1.0, 1.0].map(|sign| {
            let farthest = shown.iter().map(|points| sign * points).fold(0.0, f64::max);
            sign * ENDS.into_iter().find(|end| *end >= farthest).unwrap_or(100.0)
        })
    };
    let (some, all) = (around(&intervals), around(&[&intervals[..], &seeds].concat()));
    let length = |[least, most]: [f64; 2]| most - least;
    if intervals.is_empty() || length(all) <= SQUEEZED * length(some) { all } else { some }
}

/// All that is drawn of a difference: its seeds, and the ends of its interval.
fn drawn(difference: &Difference<'_>) -> Vec<f64> {
    let interval = difference.paired.interval().into_iter().flat_map(|(low, high)| [low, high]);
    difference.each().into_iter().chain(interval).collect()
}

/// The row's name, with a mark where it is the framework alone that fails an audit.
fn label(table: &Table, row: usize) -> Label {
    let named = &table.rows[row];
    let alone = table.plain_row(row).is_some_and(|plain| table.rows[plain].fails() && !named.fails());
    let over = if alone { format!(" (over {})", Verdict::Fail.mark()) } else { String::new() };
    let strong = named.regularizer.starts_with("i2fr").then_some(INK);
    Label { text: named.marked() + &over, framework: named.framework.clone(), strong }
}
