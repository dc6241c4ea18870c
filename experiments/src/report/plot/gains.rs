//! What each row changes, as a picture: a panel per column, every seed's difference, and what they leave open.

use super::layout::Layout;
use crate::{
    drawing::{
        Drawing,
        pen::{ACCENT, Anchor, Color, INK, LOSS, MUTED, Pen, RAIL, faded},
    },
    report::{Paired, Table, caption::signed, differences::Difference},
};
use anyhow::Result;
use plotters::backend::DrawingBackend;

/// What its files are called after the table's name.
pub(crate) const GAINS: &str = "-gains";

/// From the largest loss to the largest gain, and the room for numbers right of it.
const AXIS: f64 = 112.0;
const NUMBERS: f64 = 96.0;

/// Where an axis may end on either side of 0, in points.
const ENDS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];

/// The differences of a table that has some over several seeds.
pub(in crate::report) struct Gains<'a> {
    table: &'a Table,
    /// Of the table, those that change something.
    rows: Vec<usize>,
    /// Ends of the axis: the largest loss, the largest gain.
    ends: [f64; 2],
    layout: Layout,
}

impl<'a> Gains<'a> {
    /// `None` for a table in which no difference has an interval.
    pub(in crate::report) fn of(table: &'a Table) -> Option<Self> {
        let columns = table.columns.len();
        let compared = |row: &usize| (0..columns).any(|column| table.difference(*row, column).is_some());
        let rows: Vec<usize> = (0..table.rows.len()).filter(compared).collect();
        let all = || rows.iter().flat_map(|&row| (0..columns).filter_map(move |column| table.difference(row, column)));
        if !all().any(|difference| difference.paired.interval().is_some()) {
            return None;
        }
        // Two seeds have an interval beyond any axis: it is cut.
        let end = |sign: f64| {
            let farthest = all().flat_map(|difference| difference.each).map(|points| sign * points).fold(0.0, f64::max);
            sign * ENDS.into_iter().find(|end| *end >= farthest).unwrap_or(100.0)
        };
        let ends = [end(-1.0), end(1.0)];
        let footer = format!(
            "{} Small dots are seeds, each against the same framework alone with that seed; the large one is their mean, \
             and the line its 95 % interval (Student), cut where it leaves the panel. {}",
            table.settings(),
            table.marks().join(" ")
        );
        let named: Vec<_> = rows.iter().map(|&row| &table.rows[row]).collect();
        let title = format!("{}: points gained over the same framework alone", table.title());
        let layout = Layout::new(&named, columns, AXIS + NUMBERS, &title, &[footer]);
        Some(Self { table, rows, ends, layout })
    }

    fn panel<B: DrawingBackend>(&self, pen: &Pen<'_, B>, column: usize) -> Result<()> {
        let (left, top) = self.layout.corner(column);
        let [least, most] = self.ends;
        let x = |points: f64| left + AXIS * (points.clamp(least, most) - least) / (most - least);
        let bottom = top + self.layout.bottom();
        pen.strong(&self.table.columns[column].label, (left, top + 6.0), 13.0, INK)?;
        for tick in [least, 0.0, most] {
            let color = if tick == 0.0 { MUTED } else { RAIL };
            pen.line((x(tick), top + 20.0), (x(tick), bottom), color, 1.0)?;
            // Next to 0 there is no room for another number.
            if tick == 0.0 || (x(tick) - x(0.0)).abs() > 16.0 {
                pen.text(&signed(tick, 0), (x(tick), bottom + 10.0), 10.0, MUTED, Anchor::Center)?;
            }
        }
        for (&row, y) in self.rows.iter().zip(self.layout.rows()) {
            let y = top + y;
            let Some(Difference { paired, each, .. }) = self.table.difference(row, column) else {
                pen.text("—", (left + AXIS + 10.0, y), 12.0, MUTED, Anchor::Left)?;
                continue;
            };
            let color = color(&paired);
            for points in each {
                pen.disc((x(points), y), 2.0, faded(color))?;
            }
            if let Some((low, high)) = paired.interval() {
                pen.line((x(low), y), (x(high), y), color, 1.0)?;
                for end in [low, high].into_iter().filter(|end| (least..=most).contains(end)) {
                    pen.line((x(end), y - 4.0), (x(end), y + 4.0), color, 1.0)?;
                }
            }
            pen.disc((x(paired.difference.mean), y), 4.0, color)?;
            let half_width = paired.difference.half_width.map(|half| format!(" ± {half:.1}")).unwrap_or_default();
            let text = signed(paired.difference.mean, 1) + &half_width;
            pen.text(&text, (left + AXIS + 10.0, y), 11.5, color, Anchor::Left)?;
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
        let (mut x, y) = self.layout.legend();
        for (color, text) in [(ACCENT, "a gain"), (LOSS, "a loss"), (MUTED, "neither: 0 is in the interval")] {
            pen.disc((x, y), 4.0, color)?;
            pen.text(text, (x + 12.0, y), 12.0, INK, Anchor::Left)?;
            x += 12.0 + crate::drawing::pen::width(text, 12.0) + 26.0;
        }
        (0..self.table.columns.len()).try_for_each(|column| self.panel(pen, column))
    }
}

/// That of a gain or a loss, where its sign is sure.
fn color(paired: &Paired) -> Color {
    match paired.interval() {
        Some((low, _)) if low > 0.0 => ACCENT,
        Some((_, high)) if high < 0.0 => LOSS,
        _ => MUTED,
    }
}
