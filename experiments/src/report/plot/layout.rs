//! Panels of rows that have a label each, the rows of a framework together.

use crate::drawing::pen::{self, Anchor, Color, INK, MUTED, Pen, RULE};
use anyhow::Result;
use plotters::backend::DrawingBackend;

const MARGIN: f64 = 26.0;
const ROW: f64 = 22.0;
const GROUP_GAP: f64 = 10.0;
const PANELS_ABREAST: usize = 5;

/// Where everything stands, in units.
pub(super) struct Layout {
    width: f64,
    height: f64,
    panels: usize,
    panel: f64,
    abreast: usize,
    /// Of labels, left of the panels.
    room: f64,
    title: Vec<String>,
    footer: Vec<String>,
    /// Where the first panel's title stands, and how far apart rows of panels are.
    top: f64,
    pitch: f64,
    /// From the top of a panel.
    rows: Vec<(f64, Label)>,
}

/// What stands before a row.
pub(super) struct Label {
    pub(super) text: String,
    /// Rows of one are together.
    pub(super) framework: String,
    /// Its colour if it stands out.
    pub(super) strong: Option<Color>,
}

impl Layout {
    /// That of so many panels, each `panel` wide, of rows with these labels.
    pub(super) fn new(labels: Vec<Label>, panels: usize, panel: f64, title: &str, footer: &[String]) -> Self {
        let columns = panels.max(1);
        let abreast = columns.div_ceil(columns.div_ceil(PANELS_ABREAST));
        let widest = labels.iter().map(|label| pen::width(&label.text, 12.0));
        // Heavy letters are wider than the light ones that were measured.
        let room = 1.1 * widest.fold(60.0, f64::max) + 16.0;
        // Even a narrow table has a legend and a footer of readable lines.
        let width = (2.0 * MARGIN + room + abreast as f64 * panel).max(680.0);
        let title = pen::wrap(title, 17.0, 0.9 * (width - 2.0 * MARGIN));
        let footer = footer.iter().flat_map(|line| pen::wrap(&line.replace('`', ""), 10.5, width - 2.0 * MARGIN));
        let footer: Vec<String> = footer.collect();
        let mut y = 34.0;
        let mut rows: Vec<(f64, Label)> = Vec::new();
        for label in labels {
            if let Some((_, before)) = rows.last() {
                y += if label.framework == before.framework { ROW } else { ROW + GROUP_GAP };
            }
            rows.push((y, label));
        }
        let top = MARGIN + 24.0 * title.len() as f64 + 34.0;
        let pitch = y + 56.0;
        let height = top + columns.div_ceil(abreast) as f64 * pitch + 15.0 * footer.len() as f64 + MARGIN - 6.0;
        Self { width, height, panels, panel, abreast, room, title, footer, top, pitch, rows }
    }

    pub(super) fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// Where a line below the title begins.
    pub(super) fn legend(&self) -> (f64, f64) {
        (MARGIN + 6.0, MARGIN + 24.0 * self.title.len() as f64 + 8.0)
    }

    /// Where a panel begins: its left, and the middle of its title less 6.
    pub(super) fn corner(&self, panel: usize) -> (f64, f64) {
        let (down, across) = (panel / self.abreast, panel % self.abreast);
        (MARGIN + self.room + across as f64 * self.panel, self.top + down as f64 * self.pitch)
    }

    /// How far below the top of a panel each row is.
    pub(super) fn rows(&self) -> impl Iterator<Item = f64> {
        self.rows.iter().map(|(y, _)| *y)
    }

    /// How far below the top of a panel its axis is.
    pub(super) fn bottom(&self) -> f64 {
        self.rows().last().unwrap_or(0.0) + ROW / 2.0 + 3.0
    }

    /// Draws all but the panels.
    pub(super) fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        for (i, line) in self.title.iter().enumerate() {
            pen.strong(line, (MARGIN, MARGIN + 6.0 + 24.0 * i as f64), 17.0, INK)?;
        }
        for first in (0..self.panels).step_by(self.abreast) {
            self.labels(pen, self.corner(first).1)?;
        }
        let first = self.height - MARGIN + 8.0 - 15.0 * self.footer.len() as f64;
        for (i, line) in self.footer.iter().enumerate() {
            pen.text(line, (MARGIN, first + 15.0 * i as f64), 10.5, MUTED, Anchor::Left)?;
        }
        Ok(())
    }

    fn labels<B: DrawingBackend>(&self, pen: &Pen<'_, B>, top: f64) -> Result<()> {
        for (i, (y, Label { text, framework, strong })) in self.rows.iter().enumerate() {
            let at = (MARGIN, top + y);
            match strong {
                Some(color) => pen.strong(text, at, 12.0, *color)?,
                None => pen.text(text, at, 12.0, INK, Anchor::Left)?,
            }
            if i > 0 && *framework != self.rows[i - 1].1.framework {
                let y = top + y - (ROW + GROUP_GAP) / 2.0;
                pen.line((MARGIN, y), (self.width - MARGIN, y), RULE, 1.0)?;
            }
        }
        Ok(())
    }
}
