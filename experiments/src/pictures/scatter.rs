//! Clean and adversarial features in the plane in which both together differ most.

use super::{Scene, bitmap, plane};
use crate::report::plot::pen::{Anchor, INK, MUTED, RAIL};
use anyhow::Result;
use image::RgbImage;
use plotters::style::RGBColor;

const MARGIN: f64 = 22.0;
const TOP: f64 = 40.0;
const SIDE: f64 = 320.0;
const BOTTOM: f64 = 34.0;

/// Paul Tol's muted scheme, its light colours darkened for letters. The numbers carry the meaning.
const COLORS: [RGBColor; 10] = [
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0x2e, 0x86, 0xb8),
    RGBColor(0x1f, 0x83, 0x75),
    RGBColor(0x11, 0x77, 0x33),
    RGBColor(0x7a, 0x7a, 0x1e),
    RGBColor(0xa5, 0x82, 0x1b),
    RGBColor(0xcc, 0x55, 0x6a),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0xaa, 0x44, 0x99),
    RGBColor(0x55, 0x55, 0x55),
];

pub(super) fn draw(scene: &Scene) -> Result<RgbImage> {
    let Scene { labels, clean, adversarial, .. } = scene;
    let points: Vec<Vec<f32>> = clean.features.iter().chain(&adversarial.features).cloned().collect();
    let (places, share) = plane::principal(&points);
    let (x, y) = (middle(places.iter().map(|place| place.0)), middle(places.iter().map(|place| place.1)));
    // One scale for both axes: distances in the picture are distances in the plane.
    let reach = x.1.max(y.1).max(f64::MIN_POSITIVE);
    let size = (3.0 * MARGIN + 2.0 * SIDE, TOP + SIDE + BOTTOM);
    bitmap(size, |pen| {
        for (panel, (title, places)) in
            ["clean", "adversarial"].into_iter().zip(places.chunks(labels.len().max(1))).enumerate()
        {
            let left = MARGIN + panel as f64 * (SIDE + MARGIN);
            let corners = [(0.0, 0.0), (SIDE, 0.0), (SIDE, SIDE), (0.0, SIDE), (0.0, 0.0)];
            pen.path(&corners.map(|(x, y)| (left + x, TOP + y)), RAIL, 1.0)?;
            pen.strong(title, (left, 22.0), 13.0, INK)?;
            let at = |value: f64, middle: f64| SIDE / 2.0 + (value - middle) / reach * (SIDE / 2.0 - 9.0);
            for (&label, &(a, b)) in labels.iter().zip(places) {
                let color = COLORS[label as usize % COLORS.len()];
                let place = (left + at(a, x.0), TOP + SIDE - at(b, y.0));
                pen.text(&label.to_string(), place, 10.5, color, Anchor::Center)?;
            }
        }
        let images = labels.len();
        let text = format!(
            "{images} test images by class, in the plane of both panels' first two principal components ({:.0} % of the variance)",
            100. * share
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
