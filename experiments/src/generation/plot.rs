//! The table as a picture: a panel a measurement, a line from plain to I2FR a row.

use super::{
    kind::{KINDS, Kind, STRENGTHS, parts},
    table::{Effect, Table},
};
use crate::{
    drawing::{
        Drawing,
        pen::{self, ACCENT, Anchor, CARD, INK, MUTED, PLAIN, Pen, RAIL, RULE},
    },
    report::{Row, plot::sign_color},
};
use anyhow::Result;
use plotters::backend::DrawingBackend;

const MARGIN: f64 = 26.0;
const AXIS: f64 = 104.0;
/// From the end of an axis to the next panel: room for a difference.
const NUMBERS: f64 = 112.0;
const ROW: f64 = 22.0;
const GROUP_GAP: f64 = 10.0;
const LABEL: f64 = 12.0;
const SMALL: f64 = 10.5;

pub(super) struct Dumbbells<'a>(pub(super) &'a Table);

impl Dumbbells<'_> {
    fn labels(&self) -> f64 {
        1.1 * self.0.rows.iter().map(|row| pen::width(&row.label, LABEL)).fold(60.0, f64::max) + 16.0
    }

    /// Rows from the top of a panel.
    fn rows(&self) -> Vec<f64> {
        let rows = &self.0.rows;
        let gaps = |i: usize| (1..=i).filter(|&k| rows[k].framework != rows[k - 1].framework).count();
        (0..rows.len()).map(|i| 34.0 + ROW * i as f64 + GROUP_GAP * gaps(i) as f64).collect()
    }

    /// From one line of panels to the next.
    fn pitch(&self) -> f64 {
        self.rows().last().copied().unwrap_or(0.0) + 66.0
    }

    fn width(&self) -> f64 {
        2.0 * MARGIN + self.labels() + (KINDS.len() - STRENGTHS).max(STRENGTHS) as f64 * (AXIS + NUMBERS)
    }

    fn top(&self) -> f64 {
        MARGIN + 24.0 * self.title().len() as f64 + 40.0
    }

    fn title(&self) -> Vec<String> {
        pen::wrap(&self.0.headline(), 17.0, 0.9 * (self.width() - 2.0 * MARGIN))
    }

    fn footer(&self) -> Vec<String> {
        let axes = "Each axis goes from the smallest to the largest value of its panel, not from 0. Differences: blue above \
                    0, orange below, grey where p of the sign-flip test (paired seeds) is above 0.05.";
        let few = self.0.too_few().unwrap_or_default();
        let text = [self.0.conditions(), self.0.remarks(), format!("{axes} {few}")];
        text.iter().flat_map(|line| pen::wrap(line, SMALL, self.width() - 2.0 * MARGIN)).collect()
    }

    fn legend<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        let entries = [(false, "the framework's own attack"), (true, "with I2FR in what it ascends")];
        pen.legend((MARGIN + 5.0, self.top() - 26.0), &entries, |i2fr, at| mark(pen, at, *i2fr))
    }

    fn names<B: DrawingBackend>(&self, pen: &Pen<'_, B>, top: f64, title: &str) -> Result<()> {
        pen.strong(title, (MARGIN, top + 6.0), 13.0, MUTED)?;
        let rows = &self.0.rows;
        for (i, (row, y)) in rows.iter().zip(self.rows()).enumerate() {
            pen.text(&row.label, (MARGIN, top + y), LABEL, INK, Anchor::Left)?;
            if i > 0 && row.framework != rows[i - 1].framework {
                let y = top + y - (ROW + GROUP_GAP) / 2.0;
                pen.line((MARGIN, y), (self.width() - MARGIN, y), RULE, 1.0)?;
            }
        }
        Ok(())
    }

    fn panel<B: DrawingBackend>(&self, pen: &Pen<'_, B>, kind: &Kind, (left, top): (f64, f64)) -> Result<()> {
        let effect = |row: &Row| self.0.effect(row, kind);
        let means = || self.0.rows.iter().filter_map(effect).flat_map(|effect| [effect.plain.mean, effect.i2fr.mean]);
        let (low, high) = means().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        // Of equal values, or none, any axis will do.
        let spread = if high > low { high - low } else { 1.0 };
        let x = |value: f64| left + (value - low) / spread * AXIS;
        let rows = self.rows();
        let bottom = top + rows.last().copied().unwrap_or(0.0) + ROW / 2.0 + 3.0;
        pen.strong(kind.label, (left, top - 2.0), 13.0, INK)?;
        pen.text(kind.unit, (left, top + 13.0), SMALL, MUTED, Anchor::Left)?;
        if low.is_finite() {
            let ends = if high > low { vec![low, high] } else { vec![low] };
            for end in ends {
                pen.line((x(end), top + 22.0), (x(end), bottom), RAIL, 1.0)?;
                pen.text(&kind.number(end), (x(end), bottom + 10.0), 10.0, MUTED, Anchor::Center)?;
            }
        }
        for (row, y) in self.0.rows.iter().zip(rows) {
            let y = top + y;
            let Some(Effect { plain, i2fr, paired, .. }) = effect(row) else {
                pen.text("—", (left, y), LABEL, MUTED, Anchor::Left)?;
                continue;
            };
            pen.line((left, y), (left + AXIS, y), RULE, 1.0)?;
            pen.line((x(plain.mean), y), (x(i2fr.mean), y), ACCENT, 2.0)?;
            mark(pen, (x(plain.mean), y), false)?;
            mark(pen, (x(i2fr.mean), y), true)?;
            let mut text = kind.signed(paired.difference.mean);
            let color = sign_color(&text, paired.is_open());
            if let Some(half_width) = paired.difference.half_width {
                text += &format!(" ± {}", kind.number(half_width));
            }
            pen.text(&text, (left + AXIS + 12.0, y), 11.5, color, Anchor::Left)?;
        }
        Ok(())
    }
}

impl Drawing for Dumbbells<'_> {
    fn size(&self) -> (f64, f64) {
        (self.width(), self.top() + 2.0 * self.pitch() + 15.0 * self.footer().len() as f64 + MARGIN - 6.0)
    }

    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        for (i, line) in self.title().iter().enumerate() {
            pen.strong(line, (MARGIN, MARGIN + 4.0 + 24.0 * i as f64), 17.0, INK)?;
        }
        self.legend(pen)?;
        for (part, (title, kinds)) in parts().into_iter().enumerate() {
            let top = self.top() + part as f64 * self.pitch();
            self.names(pen, top, title)?;
            for (i, kind) in kinds.iter().enumerate() {
                let left = MARGIN + self.labels() + i as f64 * (AXIS + NUMBERS);
                self.panel(pen, kind, (left, top))?;
            }
        }
        let top = self.top() + 2.0 * self.pitch();
        for (i, line) in self.footer().iter().enumerate() {
            pen.text(line, (MARGIN, top + 15.0 * i as f64), SMALL, MUTED, Anchor::Left)?;
        }
        Ok(())
    }
}

/// Hollow and grey without I2FR, filled and blue with it: told apart without colours too.
fn mark<B: DrawingBackend>(pen: &Pen<'_, B>, at: (f64, f64), regularized: bool) -> Result<()> {
    if regularized {
        return pen.disc(at, 4.0, ACCENT);
    }
    pen.disc(at, 4.0, PLAIN)?;
    pen.disc(at, 2.0, CARD)
}
