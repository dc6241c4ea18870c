//! The table as pictures: one panel per column, the rows of a framework together; values, and what each row gains.

mod gains;
mod layout;
mod mark;
#[cfg(test)]
mod tests;

use anyhow::Result;
use plotters::backend::DrawingBackend;
use std::collections::BTreeMap;

pub(crate) use self::gains::GAINS;
pub(super) use self::gains::{GAINED, Gains};
use self::layout::{Label, Layout};
use self::mark::Mark;
use super::{
    Row, Table,
    caption::signed,
    differences::{Difference, too_few},
    wilson,
};
use crate::audit::Verdict;
use crate::drawing::{
    Drawing,
    pen::{ACCENT, Anchor, Color, INK, LOSS, MUTED, Pen, RAIL},
};

/// The 0 to 100 % axis of a panel, and the room right of it: for a value, its interval, and a difference.
const AXIS: f64 = 96.0;
const VALUE: f64 = 38.0;
const INTERVAL: f64 = 36.0;
const DIFFERENCE: f64 = 46.0;

/// Shorter than the mark itself, an error bar would only change the mark's shape.
const SHORTEST: f64 = 10.0;

/// A table as it is drawn.
pub(super) struct Picture<'a> {
    table: &'a Table,
    layout: Layout,
}

impl<'a> Picture<'a> {
    pub(super) fn of(table: &'a Table) -> Self {
        let rows: Vec<usize> = (0..table.rows.len()).collect();
        let mut remarks = table.remarks(table.failures(&rows));
        if table.summaries().any(|summary| summary.half_width.is_some()) {
            remarks.push("Bars are 95 % intervals of means, where they are longer than the mark.".to_owned());
        }
        if table.rows.iter().any(Row::is_regularized) {
            remarks.extend(colors(table));
        }
        let label = |row: &Row| Label {
            text: row.marked(),
            framework: row.framework.clone(),
            strong: row.is_regularized().then(|| Mark::of(row).color()),
        };
        let labels = table.rows.iter().map(label).collect();
        let title = table.headline(&table.caption);
        let width = AXIS + number_at(table) + DIFFERENCE;
        let layout = Layout::new(labels, table.columns.len(), width, &title, &[table.settings(), remarks.join(" ")]);
        Self { table, layout }
    }
}

impl Drawing for Picture<'_> {
    fn size(&self) -> (f64, f64) {
        self.layout.size()
    }

    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        let (table, layout) = (self.table, &self.layout);
        layout.draw(pen)?;
        legend(table, pen, layout.legend())?;
        (0..table.columns.len()).try_for_each(|column| panel(table, layout, pen, column))
    }
}

/// Names the marks that occur, and no others.
fn legend<B: DrawingBackend>(table: &Table, pen: &Pen<B>, at: (f64, f64)) -> Result<()> {
    let mut entries = Vec::new();
    if table.rows.iter().any(|row| !row.is_defended()) {
        entries.push((Mark::Control, "undefended control"));
    }
    if table.rows.iter().any(|row| Mark::of(row) == Mark::Plain) {
        entries.push((Mark::Plain, "framework alone"));
    }
    for (mark, with) in [(Mark::Regularized, "with I2FR"), (Mark::Changed, "changed otherwise")] {
        if table.rows.iter().any(|row| Mark::of(row) == mark) {
            entries.push((mark, with));
        }
    }
    pen.legend(at, &entries, |mark, at| mark.put(pen, at))
}

/// How far right of a value its difference stands.
fn number_at(table: &Table) -> f64 {
    let several = table.summaries().any(|summary| summary.half_width.is_some());
    if several { VALUE + INTERVAL } else { VALUE }
}

fn panel<B: DrawingBackend>(table: &Table, layout: &Layout, pen: &Pen<B>, column: usize) -> Result<()> {
    let (left, top) = layout.corner(column);
    let x = |percent: f64| left + AXIS * percent.clamp(0.0, 100.0) / 100.0;
    let bottom = top + layout.bottom();
    pen.strong(&table.columns[column].label, (left, top + 6.0), 13.0, INK)?;
    for tick in [0, 50, 100] {
        let x = x(f64::from(tick));
        pen.line((x, top + 20.0), (x, bottom), RAIL, 1.0)?;
        let text = if tick == 100 { "100 %".to_owned() } else { tick.to_string() };
        pen.text(&text, (x, bottom + 10.0), 10.0, MUTED, Anchor::Center)?;
    }
    for (row, y) in layout.rows().enumerate() {
        let (y, named) = (top + y, &table.rows[row]);
        let Some(summary) = table.value(row, column) else {
            pen.text("—", (x(0.0) + 6.0, y), 12.0, MUTED, Anchor::Left)?;
            continue;
        };
        let mark = Mark::of(named);
        pen.line((x(0.0), y), (x(summary.mean), y), mark.stem(), 2.0)?;
        let half_width = summary.half_width.unwrap_or(0.0);
        let ends = [summary.mean - half_width, summary.mean + half_width];
        let [low, high] = ends.map(x);
        if high - low > SHORTEST {
            pen.line((low, y), (high, y), mark.color(), 1.0)?;
            // One that goes on beyond the axis has no end there.
            for end in ends.into_iter().filter(|end| (0.0..=100.0).contains(end)).map(x) {
                pen.line((end, y - 4.0), (end, y + 4.0), mark.color(), 1.0)?;
            }
        }
        mark.put(pen, (x(summary.mean), y))?;
        let number = high.max(x(summary.mean) + 4.0) + 6.0;
        let difference = table.difference(row, column);
        let aside = number_at(table) - 3.0;
        pen.clear((number, y), if difference.is_some() { aside + 29.0 } else { aside - 7.0 })?;
        let mark = named.mark_under(&table.columns[column].attack);
        let behind = if summary.half_width.is_some() { "" } else { &mark };
        pen.text(&format!("{:.1}{behind}", summary.mean), (number, y), 12.0, INK, Anchor::Left)?;
        if let Some(half_width) = summary.half_width {
            pen.text(&format!("± {half_width:.1}{mark}"), (number + VALUE - 9.0, y), 10.0, MUTED, Anchor::Left)?;
        }
        if let Some(difference) = difference {
            let text = signed(difference.paired.difference.mean, 1);
            let color = sign_color(&text, is_open(&difference) || table.difference_fails(row, column));
            pen.text(&text, (number + aside, y), 11.5, color, Anchor::Left)?;
        }
    }
    Ok(())
}

/// What differences are of, what their colours mean here, and whether their seeds are too few for a test.
fn colors(table: &Table) -> Vec<String> {
    let columns = table.columns.len();
    let cells = || (0..table.rows.len() * columns).map(|i| (i / columns, i % columns));
    let smallest: BTreeMap<usize, f64> = cells()
        .filter_map(|(row, column)| table.difference(row, column))
        .map(|difference| (difference.paired.difference.seeds, difference.paired.smallest_p))
        .collect();
    let open = match (smallest.keys().any(|&n| n > 1), smallest.contains_key(&1)) {
        (true, false) => "p of the sign-flip test is above 0.05",
        (true, true) => "p of the sign-flip test is above 0.05 (of one seed, Wilson's intervals leave the sign open)",
        (false, _) => "these intervals leave the sign open",
    };
    let fails = |(row, column)| table.difference(row, column).is_some() && table.difference_fails(row, column);
    let fails = if cells().any(fails) { format!(", or one side is {}", Verdict::Fail.mark()) } else { String::new() };
    let colors = format!(
        "Differences, in points, are of the seeds that both rows have: blue above 0, orange below, grey where {open}{fails}."
    );
    let several = smallest.into_iter().filter(|(seeds, _)| *seeds > 1).collect();
    std::iter::once(colors).chain(too_few(&several)).collect()
}

/// Whether the sign of a difference is open. One seed has no test of its own; what the number of test images leaves open
/// then stands for it.
fn is_open(difference: &Difference<'_>) -> bool {
    match difference.pairs[..] {
        [pair] => {
            let [a, b] = pair.map(|percent| {
                let (low, high) = wilson(percent, difference.examples);
                (high - low) / 2.0
            });
            a.hypot(b) >= (pair[1] - pair[0]).abs()
        }
        _ => difference.paired.is_open(),
    }
}

/// The colour of a difference that is printed as `text`: by its sign, unless that is open.
pub(crate) fn sign_color(text: &str, open: bool) -> Color {
    match text.chars().next() {
        Some('+') if !open => ACCENT,
        Some('−') if !open => LOSS,
        _ => MUTED,
    }
}
