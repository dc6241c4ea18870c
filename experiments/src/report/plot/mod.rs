//! The table as a picture: one panel per column, one mark per row, the rows of a framework together.
//!
//! Text is set in an embedded font, so the picture needs none installed; the SVG names a generic family
//! and the layout leaves room for wider letters.

mod gains;
mod layout;
mod mark;
#[cfg(test)]
mod tests;

use anyhow::Result;
use plotters::backend::DrawingBackend;

pub(crate) use self::gains::GAINS;
pub(super) use self::gains::Gains;
use self::layout::Layout;
use self::mark::Mark;
use super::{Paired, Summary, Table, wilson};
use crate::drawing::{
    Drawing,
    pen::{self, ACCENT, Anchor, INK, LOSS, MUTED, Pen, RAIL},
};

/// The 0 to 100 % axis of a panel, and the room for numbers right of it.
const AXIS: f64 = 106.0;
const NUMBERS: f64 = 84.0;

/// A table as it is drawn.
pub(super) struct Picture<'a> {
    table: &'a Table,
    layout: Layout,
}

impl<'a> Picture<'a> {
    pub(super) fn of(table: &'a Table) -> Self {
        let mut remarks = table.remarks();
        if table.rows.iter().any(super::Row::is_regularized) {
            remarks.push(grey(table).to_owned());
        }
        let rows: Vec<_> = table.rows.iter().collect();
        let title = format!("{}: {}", table.title(), table.caption.trim_end_matches('.'));
        let layout =
            Layout::new(&rows, table.columns.len(), AXIS + NUMBERS, &title, &[table.settings(), remarks.join(" ")]);
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
fn legend<B: DrawingBackend>(table: &Table, pen: &Pen<B>, (mut x, y): (f64, f64)) -> Result<()> {
    let mut entries = Vec::new();
    if table.rows.iter().any(|row| !row.is_defended()) {
        entries.push((Mark::Control, "undefended control".to_owned()));
    }
    if table.rows.iter().any(|row| Mark::of(row) == Mark::Plain) {
        entries.push((Mark::Plain, "framework alone".to_owned()));
    }
    let regularized: Vec<_> = table.rows.iter().filter(|row| row.is_regularized()).collect();
    if !regularized.is_empty() {
        let only_i2fr = regularized.iter().all(|row| row.regularizer.starts_with("i2fr"));
        let with = if only_i2fr { "with I2FR" } else { "with I2FR, or changed otherwise" };
        entries.push((Mark::Regularized, format!("{with}, and the difference in points")));
    }
    for (mark, text) in entries {
        mark.put(pen, (x, y))?;
        pen.text(&text, (x + 12.0, y), 12.0, INK, Anchor::Left)?;
        x += 12.0 + pen::width(&text, 12.0) + 26.0;
    }
    Ok(())
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
        let (low, high) = (x(summary.mean - half_width), x(summary.mean + half_width));
        // Shorter than the mark itself, an error bar is not seen.
        if high - low > 2.0 {
            pen.line((low, y), (high, y), mark.color(), 1.0)?;
            for end in [low, high] {
                pen.line((end, y - 4.0), (end, y + 4.0), mark.color(), 1.0)?;
            }
        }
        mark.put(pen, (x(summary.mean), y))?;
        let number = high.max(x(summary.mean) + 4.0) + 6.0;
        let alike = |plain: &usize| table.examples(*plain, column) == table.examples(row, column);
        let before = table.plain_row(row).filter(alike).and_then(|plain| table.value(plain, column));
        pen.clear((number, y), if before.is_some() { 64.0 } else { 28.0 })?;
        pen.text(&format!("{:.1}", summary.mean), (number, y), 12.0, INK, Anchor::Left)?;
        if let Some(before) = before {
            let paired = table.difference(row, column).map(|difference| difference.paired);
            let (text, color) = difference(before, summary, paired, table.examples(row, column).unwrap_or(0));
            pen.text(&text, (number + 35.0, y), 11.5, color, Anchor::Left)?;
        }
    }
    Ok(())
}

/// What a grey difference means here.
fn grey(table: &Table) -> &'static str {
    let columns = table.columns.len();
    let pairs = (0..table.rows.len() * columns).filter_map(|i| table.difference(i / columns, i % columns));
    let seeds: Vec<usize> = pairs.map(|difference| difference.paired.difference.seeds).collect();
    match (seeds.iter().any(|&n| n > 1), seeds.contains(&1)) {
        (true, false) => "Grey difference: its 95 % interval over paired seeds leaves its sign open.",
        (true, true) => "Grey difference: its 95 % interval (paired seeds; of one seed, Wilson) leaves its sign open.",
        (false, _) => "Grey difference: these intervals leave its sign open.",
    }
}

/// A difference in points, coloured by its sign where that is sure. One seed has no interval of its
/// own; what the number of test images leaves open then stands for it.
fn difference(before: Summary, after: Summary, paired: Option<Paired>, images: usize) -> (String, pen::Color) {
    // Of seeds that both rows have, as the table's text is, and rounded as it is.
    let mean = paired.map_or(after.mean - before.mean, |paired| paired.difference.mean);
    let points: f64 = format!("{mean:.1}").parse().unwrap_or(f64::NAN);
    let open = match paired.and_then(|paired| paired.interval()) {
        Some((low, high)) => low <= 0.0 && high >= 0.0,
        None => {
            let [a, b] = [before, after].map(|summary| {
                let (low, high) = wilson(summary.mean, images);
                summary.half_width.unwrap_or((high - low) / 2.0)
            });
            a.hypot(b) >= mean.abs()
        }
    };
    let text = match points {
        p if p > 0.0 => format!("+{p:.1}"),
        p if p < 0.0 => format!("−{:.1}", -p),
        _ => "±0.0".to_owned(),
    };
    let color = match points {
        p if open || p == 0.0 => MUTED,
        p if p > 0.0 => ACCENT,
        _ => LOSS,
    };
    (text, color)
}
