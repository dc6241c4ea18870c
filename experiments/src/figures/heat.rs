//! A table of numbers, each on a ground that says how large it is.

use crate::{
    drawing::{
        Drawing,
        pen::{self, ACCENT, Anchor, CARD, Color, INK, MUTED, Pen},
    },
    report::Row,
};
use anyhow::Result;
use plotters::backend::DrawingBackend;

const MARGIN: f64 = 26.;
const CELL: (f64, f64) = (62., 34.);
const GAP: f64 = 34.;
/// So many panels stand beside one another, unless they have more columns than `NARROW`.
const ABREAST: usize = 3;
const NARROW: usize = 6;

/// One or more tables with the same rows and columns.
pub struct Heat {
    /// Above all.
    pub title: String,
    /// What rows are, and each of them.
    pub rows: (String, Vec<String>),
    /// What columns are, and each of them: a few letters.
    pub columns: (String, Vec<String>),
    /// Left to right, then down.
    pub panels: Vec<Panel>,
    /// Below all.
    pub footer: String,
}

/// One of the tables.
pub struct Panel {
    /// Above it.
    pub title: String,
    /// Its numbers by row and column.
    pub values: Vec<Vec<Option<f64>>>,
    /// What has the lightest ground, and what the darkest.
    pub scale: (f64, f64),
    /// Numbers above this are bold.
    pub surpassed: Option<f64>,
    /// The row and column of a number with a frame.
    pub framed: Option<(usize, usize)>,
}

/// The least and the greatest of `values`.
pub fn range<'a>(values: impl IntoIterator<Item = &'a Vec<Option<f64>>>) -> (f64, f64) {
    let known = values.into_iter().flatten().flatten();
    known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

/// The same of defended networks alone, each with its row of `values`: the control would leave the others one shade.
pub fn range_of_defended(rows: &[Row], values: &[Vec<Option<f64>>]) -> (f64, f64) {
    range(rows.iter().zip(values).filter(|(row, _)| row.is_defended()).map(|(_, values)| values))
}

impl Heat {
    fn labels(&self) -> f64 {
        self.rows.1.iter().map(|row| 1.05 * pen::width(row, 12.)).fold(pen::width(&self.rows.0, 11.), f64::max) + 14.
    }

    fn abreast(&self) -> usize {
        if self.columns.1.len() > NARROW { 1 } else { self.panels.len().clamp(1, ABREAST) }
    }

    fn panel(&self) -> (f64, f64) {
        (CELL.0 * self.columns.1.len() as f64, CELL.1 * self.rows.1.len() as f64)
    }

    fn width(&self) -> f64 {
        let abreast = self.abreast() as f64;
        (2. * MARGIN + self.labels() + abreast * self.panel().0 + (abreast - 1.) * GAP).max(560.)
    }

    fn lines(&self, text: &str, size: f64) -> Vec<String> {
        pen::wrap(text, size, self.width() - 2. * MARGIN)
    }

    /// Where the first panel's title stands, and how far apart rows of panels are.
    fn top(&self) -> (f64, f64) {
        (MARGIN + 24. * self.lines(&self.title, 17.).len() as f64 + 12., self.panel().1 + 84.)
    }

    fn one<B: DrawingBackend>(&self, pen: &Pen<'_, B>, panel: usize, (left, top): (f64, f64)) -> Result<()> {
        let Panel { title, values, scale: (low, high), surpassed, framed } = &self.panels[panel];
        pen.strong(title, (left, top), 13., INK)?;
        for (i, row) in values.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                let at = (left + CELL.0 * j as f64, top + 36. + CELL.1 * i as f64);
                let middle = (at.0 + CELL.0 / 2., at.1 + CELL.1 / 2.);
                if *framed == Some((i, j)) {
                    pen.block((at.0 - 2., at.1 - 2.), (CELL.0 + 2., CELL.1 + 2.), INK)?;
                    pen.block(at, (CELL.0 - 2., CELL.1 - 2.), CARD)?;
                }
                let Some(value) = value else {
                    pen.text("—", middle, 12., MUTED, Anchor::Center)?;
                    continue;
                };
                let share = if high > low { ((value - low) / (high - low)).clamp(0., 1.) } else { 0.5 };
                pen.block(at, (CELL.0 - 2., CELL.1 - 2.), ground(share))?;
                let text = format!("{value:.1}");
                if surpassed.is_some_and(|least| *value > least) {
                    pen.strong(&text, (middle.0 - pen::width(&text, 12.) / 2., middle.1), 12., INK)?;
                } else {
                    pen.text(&text, middle, 12., INK, Anchor::Center)?;
                }
            }
        }
        for (j, label) in self.columns.1.iter().enumerate() {
            let x = left + CELL.0 * (j as f64 + 0.5) - 1.;
            pen.text(label, (x, top + 24.), 11., MUTED, Anchor::Center)?;
        }
        let below = top + 36. + self.panel().1 + 12.;
        pen.text(&self.columns.0, (left, below), 11., MUTED, Anchor::Left)
    }
}

/// From nearly white towards the accent, as far as letters stay legible: dark is much.
fn ground(share: f64) -> Color {
    let share = 0.7 * share;
    let mix = |pale: u8, dark: u8| (f64::from(pale) + share * (f64::from(dark) - f64::from(pale))).round() as u8;
    plotters::style::RGBColor(mix(0xee, ACCENT.0), mix(0xf3, ACCENT.1), mix(0xf8, ACCENT.2))
}

impl Drawing for Heat {
    fn size(&self) -> (f64, f64) {
        let (top, pitch) = self.top();
        let rows = self.panels.len().div_ceil(self.abreast()) as f64;
        (self.width(), top + rows * pitch + 15. * self.lines(&self.footer, 10.5).len() as f64 + MARGIN)
    }

    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        for (i, line) in self.lines(&self.title, 17.).iter().enumerate() {
            pen.strong(line, (MARGIN, MARGIN + 6. + 24. * i as f64), 17., INK)?;
        }
        let (top, pitch) = self.top();
        for panel in 0..self.panels.len() {
            let (down, across) = (panel / self.abreast(), panel % self.abreast());
            let top = top + pitch * down as f64;
            if across == 0 {
                pen.text(&self.rows.0, (MARGIN, top + 24.), 11., MUTED, Anchor::Left)?;
                for (i, label) in self.rows.1.iter().enumerate() {
                    let y = top + 36. + CELL.1 * (i as f64 + 0.5) - 1.;
                    pen.text(label, (MARGIN, y), 12., INK, Anchor::Left)?;
                }
            }
            let left = MARGIN + self.labels() + across as f64 * (self.panel().0 + GAP);
            self.one(pen, panel, (left, top))?;
        }
        let first = self.size().1 - MARGIN + 6. - 15. * self.lines(&self.footer, 10.5).len() as f64;
        for (i, line) in self.lines(&self.footer, 10.5).iter().enumerate() {
            pen.text(line, (MARGIN, first + 15. * i as f64), 10.5, MUTED, Anchor::Left)?;
        }
        Ok(())
    }
}
