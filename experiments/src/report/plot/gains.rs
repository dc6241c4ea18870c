//! What each row changes, as a picture: a panel per column, every seed's difference, and what they leave open.

use super::{
    layout::{Label, Layout},
    leaves_open, sign_color,
};
use crate::{
    audit::Verdict,
    drawing::{
        Drawing,
        pen::{ACCENT, Anchor, Color, INK, LOSS, MUTED, Pen, RAIL, faded},
    },
    report::{Table, caption::signed, differences::Difference},
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
        let cells = || rows.iter().flat_map(|&row| (0..columns).map(move |column| table.difference(row, column)));
        let intervals = cells().flatten().filter(|difference| difference.paired.interval().is_some()).count();
        if intervals == 0 {
            return None;
        }
        let reached: Vec<f64> = cells().flatten().flat_map(|difference| reached(&difference)).collect();
        let end = |sign: f64| {
            let farthest = reached.iter().map(|points| sign * points).fold(0.0, f64::max);
            sign * ENDS.into_iter().find(|end| *end >= farthest).unwrap_or(100.0)
        };
        let mut footer = vec![
            table.settings().replacen("Accuracy in %", "Points of accuracy", 1),
            "Small dots are seeds, each against the same framework alone with that seed, and the line is the 95 % interval \
             of their mean; arrowheads are seeds beyond a panel's edge."
                .into(),
            format!("{intervals} intervals, none corrected for their number; of one seed there is none."),
        ];
        footer.extend(table.seeds());
        if cells().any(|difference| difference.is_none()) {
            footer.push("—: no seed on which the framework alone was measured, too.".into());
        }
        footer.extend(table.marks());
        let labels: Vec<_> = rows.iter().map(|&row| label(table, row)).collect();
        let title = format!("{}: points gained over the same framework alone", table.title());
        let layout = Layout::new(labels, columns, AXIS + NUMBERS, &title, &[footer.join(" ")]);
        Some(Self { table, rows, ends: [end(-1.0), end(1.0)], layout })
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
            let (y, number) = (top + y, left + AXIS + 10.0);
            let Some(difference) = self.table.difference(row, column) else {
                pen.text("—", (number, y), 12.0, MUTED, Anchor::Left)?;
                continue;
            };
            let paired = difference.paired;
            let mut text = signed(paired.difference.mean, 1);
            let color = sign_color(&text, paired.interval().is_none_or(leaves_open));
            for points in difference.each() {
                let at = (x(points), y);
                if (least..=most).contains(&points) {
                    pen.disc(at, 2.0, faded(color))?;
                } else {
                    arrowhead(pen, at, points.signum(), color)?;
                }
            }
            if let Some((low, high)) = paired.interval() {
                text += &format!(" ± {:.1}", (high - low) / 2.0);
                pen.line((x(low), y), (x(high), y), color, 1.0)?;
                for end in [low, high].into_iter().filter(|end| (least..=most).contains(end)) {
                    pen.line((x(end), y - 4.0), (x(end), y + 4.0), color, 1.0)?;
                }
                pen.disc((x(paired.difference.mean), y), 3.0, color)?;
            }
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
            (ACCENT, "95 % interval above 0"),
            (LOSS, "95 % interval below 0"),
            (MUTED, "0 in the interval, or one seed"),
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

/// What an axis shows of a difference: its interval, or its seeds if these are too few for a short one.
fn reached(difference: &Difference<'_>) -> Vec<f64> {
    match difference.paired.interval() {
        Some((low, high)) if difference.pairs.len() > 2 => vec![low, high],
        _ => difference.each(),
    }
}

/// The row's name, with a mark where it is the framework alone that fails an audit.
fn label(table: &Table, row: usize) -> Label {
    let named = &table.rows[row];
    let alone = table.plain_row(row).is_some_and(|plain| table.rows[plain].fails() && !named.fails());
    let over = if alone { format!(" (over {})", Verdict::Fail.mark()) } else { String::new() };
    let strong = named.regularizer.starts_with("i2fr").then_some(INK);
    Label { text: named.marked() + &over, framework: named.framework.clone(), strong }
}
