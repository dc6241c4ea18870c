//! Clean and adversarial features in the plane in which both together differ most.

use super::Scene;
use crate::{
    drawing::{
        bitmap,
        pen::{Anchor, INK, MUTED, Pen, RAIL},
    },
    features::pca::{Projection, pca},
};
use anyhow::Result;
use image::RgbImage;
use plotters::{backend::DrawingBackend, style::RGBColor};

const MARGIN: f64 = 22.0;
const TOP: f64 = 40.0;
const SIDE: f64 = 320.0;
const BOTTOM: f64 = 34.0;

/// Between a point and the edge of its panel.
const PADDING: f64 = 9.0;

/// Paul Tol's muted scheme, its light colours darkened for letters. Colours alone carry no meaning.
pub(crate) const COLORS: [RGBColor; 10] = [
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0x2e, 0x86, 0xb8),
    RGBColor(0x1f, 0x83, 0x75),
    RGBColor(0x11, 0x77, 0x33),
    RGBColor(0x7a, 0x7a, 0x1e),
    RGBColor(0xa5, 0x82, 0x1b),
    RGBColor(0xcc, 0x55, 0x6a),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0xaa, 0x44, 0x99),
    INK,
];

/// A square panel that holds some points. One scale for both axes: distances in the picture are distances in the plane.
pub(crate) struct Frame {
    side: f64,
    middle: [f64; 2],
    reach: f64,
}

impl Frame {
    /// With room for `places`, `side` units wide and high.
    pub(crate) fn of(places: &[[f64; 2]], side: f64) -> Self {
        let [x, y] = [0, 1].map(|axis| middle(places.iter().map(move |place| place[axis])));
        Self { side, middle: [x.0, y.0], reach: x.1.max(y.1).max(f64::MIN_POSITIVE) }
    }

    /// Gives all the scale of the one that holds most, so that distances in one can be compared with those in another.
    pub(crate) fn one_scale(frames: &mut [Self]) {
        let reach = frames.iter().map(|frame| frame.reach).fold(0.0, f64::max);
        frames.iter_mut().for_each(|frame| frame.reach = reach);
    }

    /// Draws its edge, with the upper left corner at `(left, top)`.
    pub(crate) fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>, (left, top): (f64, f64)) -> Result<()> {
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)];
        pen.path(&corners.map(|(x, y)| (left + x * self.side, top + y * self.side)), RAIL, 1.0)
    }

    /// Where `place` is in the picture.
    pub(crate) fn at(&self, (left, top): (f64, f64), place: [f64; 2]) -> (f64, f64) {
        let half = self.side / 2.0;
        let [x, y] = [0, 1].map(|axis| (place[axis] - self.middle[axis]) / self.reach * (half - PADDING));
        (left + half + x, top + half - y)
    }
}

pub(super) fn draw(scene: &Scene) -> Result<RgbImage> {
    let Scene { labels, clean, adversarial, .. } = scene;
    let points: Vec<Vec<f32>> = clean.features.iter().chain(&adversarial.features).cloned().collect();
    let Projection { places, shares } = pca(&points, 2);
    let places: Vec<[f64; 2]> = places.iter().map(|place| [place[0], place[1]]).collect();
    let frame = Frame::of(&places, SIDE);
    let size = (3.0 * MARGIN + 2.0 * SIDE, TOP + SIDE + BOTTOM);
    bitmap(size, |pen| {
        for (panel, (title, places)) in
            ["clean", "adversarial"].into_iter().zip(places.chunks(labels.len().max(1))).enumerate()
        {
            let corner = (MARGIN + panel as f64 * (SIDE + MARGIN), TOP);
            frame.draw(pen, corner)?;
            pen.strong(title, (corner.0, 22.0), 13.0, INK)?;
            for (&label, &place) in labels.iter().zip(places) {
                let color = COLORS[label as usize % COLORS.len()];
                pen.text(&label.to_string(), frame.at(corner, place), 10.5, color, Anchor::Center)?;
            }
        }
        let images = labels.len();
        let text = format!(
            "{images} test images by class, in the plane of both panels' first two principal components ({:.0} % of the variance)",
            100. * shares.iter().sum::<f64>()
        );
        pen.text(&text, (MARGIN, TOP + SIDE + 18.0), 10.5, MUTED, Anchor::Left)
    })
}

/// The middle of `values`, and how far they reach from it.
fn middle(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    ((low + high) / 2., (high - low) / 2.)
}
