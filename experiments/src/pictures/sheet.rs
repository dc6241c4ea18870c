//! One test image of each class, its adversarial example, and what changed.

use super::{Scene, Seen};
use crate::drawing::{
    SCALE, bitmap,
    pen::{Anchor, INK, LOSS, MUTED},
};
use anyhow::Result;
use image::{Rgb, RgbImage};

const LEFT: f64 = 92.0;
const TOP: f64 = 34.0;
const TILE: f64 = 48.0;
/// From one tile to the next, across and down.
const STEP: (f64, f64) = (58.0, 70.0);

pub(super) fn draw(scene: &Scene) -> Result<RgbImage> {
    let Scene { shape, labels, clean, adversarial } = scene;
    // The first image of each class.
    let shown: Vec<usize> = (0..labels.len()).filter(|&i| i == 0 || labels[i] != labels[i - 1]).collect();
    let change = |i: usize| clean.pixels[i].iter().zip(&adversarial.pixels[i]).map(|(a, b)| b - a);
    let most = shown.iter().flat_map(|&i| change(i)).fold(0f32, |most, d| most.max(d.abs())).max(f32::MIN_POSITIVE);
    let size = (LEFT + STEP.0 * shown.len() as f64, TOP + 3.0 * STEP.1);
    let center = |column: usize| LEFT + STEP.0 * column as f64 + TILE / 2.0;
    let below = |row: usize| TOP + STEP.1 * row as f64 + TILE + 9.0;
    let mut sheet = bitmap(size, |pen| {
        let largest = format!("up to {:.1}/255", most * 255.);
        for (row, lines) in
            [["clean", "as class"], ["adversarial", "as class"], ["change", &largest]].iter().enumerate()
        {
            pen.strong(lines[0], (14.0, below(row) - 9.0 - TILE / 2.0), 12.0, INK)?;
            pen.text(lines[1], (14.0, below(row)), 10.5, MUTED, Anchor::Left)?;
        }
        pen.strong("class", (14.0, 18.0), 12.0, INK)?;
        for (column, &i) in shown.iter().enumerate() {
            pen.text(&labels[i].to_string(), (center(column), 18.0), 12.0, INK, Anchor::Center)?;
            for (row, Seen { predicted, .. }) in [clean, adversarial].into_iter().enumerate() {
                let (text, color) = match predicted[i] == labels[i] {
                    true => (predicted[i].to_string(), MUTED),
                    false => (format!("{} (wrong)", predicted[i]), LOSS),
                };
                pen.text(&text, (center(column), below(row)), 10.5, color, Anchor::Center)?;
            }
        }
        Ok(())
    })?;
    for (column, &i) in shown.iter().enumerate() {
        let grey = change(i).map(|d| 0.5 + d / most / 2.).collect();
        for (row, pixels) in [&clean.pixels[i], &adversarial.pixels[i], &grey].into_iter().enumerate() {
            let corner = [LEFT + STEP.0 * column as f64, TOP + STEP.1 * row as f64];
            paste(&mut sheet, corner.map(|at| at as u32 * SCALE), TILE as u32 * SCALE, pixels, *shape);
        }
    }
    Ok(sheet)
}

/// Sets an image into a tile of `side` device pixels, every pixel as a square of whole device pixels.
pub(crate) fn paste(
    sheet: &mut RgbImage,
    [left, top]: [u32; 2],
    side: u32,
    pixels: &[f32],
    [channels, height, width]: [usize; 3],
) {
    let zoom = (side / height.max(width) as u32).max(1);
    let indent = |length: usize| side.saturating_sub(length as u32 * zoom) / 2;
    for y in 0..height as u32 * zoom {
        for x in 0..width as u32 * zoom {
            let at = (y / zoom) as usize * width + (x / zoom) as usize;
            let level = |channel: usize| (pixels[channel % channels * height * width + at] * 255.).round() as u8;
            sheet.put_pixel(left + indent(width) + x, top + indent(height) + y, Rgb([0, 1, 2].map(level)));
        }
    }
}
