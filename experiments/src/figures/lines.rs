//! Panels of lines: accuracy over something that grows.

use crate::drawing::{
    Drawing,
    pen::{self, ACCENT, Anchor, CARD, Color, INK, LOSS, MUTED, Pen, RAIL},
};
use anyhow::Result;
use plotters::{backend::DrawingBackend, style::RGBColor};

/// A line's name and look. Full marks of heavy lines fit into the rings of the others, so that lines which coincide both
/// show.
pub(super) struct Key {
    pub(super) label: String,
    pub(super) color: Color,
    pub(super) heavy: bool,
}

/// An accuracy, and half its interval where there is one.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) percent: f64,
    pub(super) half_width: Option<f64>,
}

pub(super) struct Panel {
    pub(super) title: String,
    pub(super) axis: &'static str,
    /// Where each point stands, as a share of the axis, and what is written there if there is room.
    pub(super) ticks: Vec<(f64, String)>,
    /// By key, then by tick.
    pub(super) curves: Vec<Vec<Option<Point>>>,
}

/// The picture.
pub(super) struct Lines {
    pub(super) title: String,
    pub(super) keys: Vec<Key>,
    pub(super) panels: Vec<Panel>,
    /// Panels in a row.
    pub(super) abreast: usize,
    pub(super) footer: String,
}

const MARGIN: f64 = 26.;
const PANEL: (f64, f64) = (270., 220.);
const GAP: f64 = 56.;
/// From one row of panels to the next.
const PITCH: f64 = PANEL.1 + 82.;
const LEFT: f64 = 34.;
const LABELS_APART: f64 = 26.;
const MARKS_APART: f64 = 9.;
/// Okabe and Ito's colours that are dark enough on a light ground.
pub(super) const COLORS: [Color; 6] =
    [INK, ACCENT, LOSS, RGBColor(0x00, 0x9e, 0x73), RGBColor(0xcc, 0x79, 0xa7), RGBColor(0x9a, 0x7d, 0x00)];

impl Key {
    fn width(&self) -> f64 {
        if self.heavy { 2. } else { 1. }
    }

    fn mark<B: DrawingBackend>(&self, pen: &Pen<'_, B>, at: (f64, f64)) -> Result<()> {
        if self.heavy {
            return pen.disc(at, 2.6, self.color);
        }
        pen.disc(at, 4.8, self.color)?;
        pen.disc(at, 3.6, CARD)
    }
}

impl Lines {
    fn width(&self) -> f64 {
        2. * MARGIN + LEFT + self.abreast as f64 * (PANEL.0 + GAP) - GAP + 20.
    }

    fn wrapped(&self, text: &str, size: f64) -> Vec<String> {
        pen::wrap(text, size, self.width() - 2. * MARGIN)
    }

    /// The rows of the legend: each starts a new line where the one before is full.
    fn legend(&self) -> Vec<(&Key, (f64, f64))> {
        let (mut x, mut y) = (MARGIN + 6., MARGIN + 24. * self.wrapped(&self.title, 17.).len() as f64 + 8.);
        let mut places = Vec::new();
        for key in &self.keys {
            let width = 52. + pen::width(&key.label, 12.);
            if x + width > self.width() - MARGIN && x > MARGIN + 6. {
                (x, y) = (MARGIN + 6., y + 20.);
            }
            places.push((key, (x, y)));
            x += width;
        }
        places
    }

    fn top(&self) -> f64 {
        self.legend().last().map_or(MARGIN, |(_, (_, y))| *y) + 50.
    }

    /// The lower edge of the last row of panels.
    fn bottom(&self) -> f64 {
        self.top() + PITCH * (self.panels.len().div_ceil(self.abreast).max(1) - 1) as f64 + PANEL.1
    }

    /// [`scale`] of all panels.
    fn scale(&self) -> (u32, usize) {
        let points = self.panels.iter().flat_map(|panel| panel.curves.iter().flatten().flatten());
        scale(points.map(|point| point.percent + point.half_width.unwrap_or(0.)).fold(0., f64::max))
    }

    fn panel<B: DrawingBackend>(&self, pen: &Pen<'_, B>, panel: &Panel, (left, top): (f64, f64)) -> Result<()> {
        pen.strong(&panel.title, (left, top - 14.), 13., INK)?;
        let x = |share: f64| left + PANEL.0 * share;
        let (ceiling, step) = self.scale();
        let y = |percent: f64| top + PANEL.1 * (1. - percent / f64::from(ceiling));
        for percent in (0..=ceiling).step_by(step) {
            let at = y(f64::from(percent));
            pen.line((left, at), (left + PANEL.0, at), RAIL, 1.)?;
            let text = if percent == ceiling { format!("{percent} %") } else { percent.to_string() };
            pen.text(&text, (left - 20., at), 10., MUTED, Anchor::Center)?;
        }
        let mut labelled = f64::NEG_INFINITY;
        for (share, label) in &panel.ticks {
            let x = x(*share);
            pen.line((x, top + PANEL.1), (x, top + PANEL.1 + 4.), MUTED, 1.)?;
            if x - labelled < LABELS_APART {
                continue;
            }
            labelled = x;
            pen.text(label, (x, top + PANEL.1 + 13.), 10., MUTED, Anchor::Center)?;
        }
        pen.text(panel.axis, (left + PANEL.0 / 2., top + PANEL.1 + 30.), 11., MUTED, Anchor::Center)?;
        for (key, curve) in self.keys.iter().zip(&panel.curves) {
            let known = panel.ticks.iter().zip(curve).filter_map(|((share, _), point)| Some((x(*share), (*point)?)));
            let known: Vec<(f64, Point)> = known.collect();
            let points: Vec<(f64, f64)> = known.iter().map(|(x, point)| (*x, y(point.percent))).collect();
            if points.len() > 1 {
                pen.path(&points, key.color, key.width())?;
            }
            let mut marked = f64::NEG_INFINITY;
            for ((x, Point { percent, half_width }), at) in known.into_iter().zip(points) {
                if x - marked < MARKS_APART {
                    continue;
                }
                marked = x;
                if let Some(half) = half_width {
                    // Beside those of the lines that this one is compared with.
                    let x = if key.heavy { x + 1.5 } else { x - 1.5 };
                    let [low, high] = [percent - half, percent + half].map(|percent| y(percent.clamp(0., 100.)));
                    pen.line((x, low), (x, high), key.color, 1.)?;
                }
                key.mark(pen, at)?;
            }
        }
        Ok(())
    }
}

/// Where an axis ends that has room for `most`, and the distance of its lines; in percent.
fn scale(most: f64) -> (u32, usize) {
    let scales = [(20, 5), (40, 10), (60, 10), (80, 20)];
    scales.into_iter().find(|(ceiling, _)| most <= f64::from(*ceiling)).unwrap_or((100, 25))
}

impl Drawing for Lines {
    fn size(&self) -> (f64, f64) {
        (self.width(), self.bottom() + 48. + 15. * self.wrapped(&self.footer, 10.5).len() as f64 + MARGIN - 6.)
    }

    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        for (i, line) in self.wrapped(&self.title, 17.).iter().enumerate() {
            pen.strong(line, (MARGIN, MARGIN + 6. + 24. * i as f64), 17., INK)?;
        }
        for (key, (x, y)) in self.legend() {
            pen.line((x, y), (x + 20., y), key.color, key.width())?;
            key.mark(pen, (x + 10., y))?;
            pen.text(&key.label, (x + 26., y), 12., INK, Anchor::Left)?;
        }
        for (i, panel) in self.panels.iter().enumerate() {
            let (down, across) = (i / self.abreast, i % self.abreast);
            let left = MARGIN + LEFT + across as f64 * (PANEL.0 + GAP);
            self.panel(pen, panel, (left, self.top() + PITCH * down as f64))?;
        }
        for (i, line) in self.wrapped(&self.footer, 10.5).iter().enumerate() {
            let y = self.bottom() + 56. + 15. * i as f64;
            pen.text(line, (MARGIN, y), 10.5, MUTED, Anchor::Left)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::scale;

    #[test]
    fn axes_have_room_for_every_accuracy_and_end_on_a_line() {
        for most in [0., 19.9, 20., 20.1, 55., 60.1, 80., 80.1, 100., 103.] {
            let (ceiling, step) = scale(most);
            assert!(f64::from(ceiling) >= most.min(100.) && (ceiling as usize).is_multiple_of(step), "{most}");
        }
        assert_eq!((scale(20.).0, scale(20.1).0, scale(55.).0, scale(60.1).0, scale(99.).0), (20, 40, 60, 80, 100));
    }
}
