//! Contact sheets: some images of each class under its name.

use crate::{
    drawing::{
        SCALE, bitmap, encoded,
        pen::{self, Anchor, INK, MUTED},
    },
    files,
    pictures::sheet,
};
use anyhow::Result;
use data::Dataset;
use image::RgbImage;
use std::path::Path;

/// Which images of a class are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// How many.
    pub images: usize,
    /// Drawn by lot with this seed; otherwise the first ones.
    pub seed: Option<u64>,
}

/// Space around, between tiles, and for a line of text.
const MARGIN: f64 = 14.0;
const GAP: f64 = 4.0;
const LINE: f64 = 22.0;
/// Classes below each other, before another column begins.
const ROWS: usize = 20;
/// Tiles beside each other on the sheet of a single class.
const ACROSS: usize = 10;
const SIZE: f64 = 12.0;

/// Draws images of every class of `set`: into `out` if that is called `.png`, otherwise a file a class in the
/// folder `out`.
///
/// # Errors
/// When a file cannot be written.
pub fn show(set: &Dataset, choice: Choice, out: &Path) -> Result<()> {
    let classes = chosen(set, choice);
    if out.extension().is_some_and(|extension| extension == "png") {
        return files::write(out, &encoded(&all(set, &classes)?)?);
    }
    for (label, positions) in classes.iter().enumerate() {
        let name: String = title(set, label).replace(|c: char| !c.is_alphanumeric(), "-");
        files::write(&out.join(format!("{label:03}-{name}.png")), &encoded(&one(set, label, positions)?)?)?;
    }
    Ok(())
}

/// Positions of the images of each class.
fn chosen(set: &Dataset, choice: Choice) -> Vec<Vec<usize>> {
    let order = match choice.seed {
        Some(seed) => set.epoch(seed, 0, set.len()).concat(),
        None => (0..set.len()).collect(),
    };
    let mut classes = vec![Vec::new(); set.classes()];
    for i in order {
        let class: &mut Vec<usize> = &mut classes[set.label(i) as usize];
        if class.len() < choice.images {
            class.push(i);
        }
    }
    classes
}

/// The side of an image's place: an image is drawn with whole device pixels for each of its own.
fn tile(set: &Dataset) -> f64 {
    let [_, height, width] = set.shape();
    height.max(width).max(48) as f64
}

fn title(set: &Dataset, label: usize) -> &'static str {
    set.name().class_names()[label]
}

/// Every class in a line, its name before its images.
fn all(set: &Dataset, classes: &[Vec<usize>]) -> Result<RgbImage> {
    let step = tile(set) + GAP;
    let names = (0..classes.len()).map(|label| pen::width(title(set, label), SIZE)).fold(0f64, f64::max).ceil();
    let most = classes.iter().map(Vec::len).max().unwrap_or(0);
    let column = MARGIN + names + GAP + step * most as f64;
    let rows = classes.len().min(ROWS);
    let size = (column * classes.len().div_ceil(ROWS) as f64 + MARGIN, 2.0 * MARGIN + step * rows as f64 - GAP);
    let corner = |label: usize| (MARGIN + column * (label / ROWS) as f64, MARGIN + step * (label % ROWS) as f64);
    let mut picture = bitmap(size, |pen| {
        (0..classes.len()).try_for_each(|label| {
            let (left, top) = corner(label);
            pen.text(title(set, label), (left, top + tile(set) / 2.0), SIZE, INK, Anchor::Left)
        })
    })?;
    for (label, positions) in classes.iter().enumerate() {
        let (left, top) = corner(label);
        for (i, &position) in positions.iter().enumerate() {
            paste(&mut picture, (left + names + GAP + step * i as f64, top), set, position);
        }
    }
    Ok(picture)
}

/// The images of one class below its name, each above its position in the original split.
fn one(set: &Dataset, label: usize, positions: &[usize]) -> Result<RgbImage> {
    let step = (tile(set) + GAP, tile(set) + LINE);
    let across = positions.len().clamp(1, ACROSS);
    let heading = format!("{}: {} ({label})", set.name(), title(set, label));
    let width = (step.0 * across as f64 - GAP).max(pen::width(&heading, SIZE)) + 2.0 * MARGIN;
    let size = (width.ceil(), MARGIN + LINE + step.1 * positions.len().div_ceil(across) as f64);
    let corner = |i: usize| (MARGIN + step.0 * (i % across) as f64, MARGIN + LINE + step.1 * (i / across) as f64);
    let mut picture = bitmap(size, |pen| {
        pen.strong(&heading, (MARGIN, MARGIN + 4.0), SIZE, INK)?;
        positions.iter().enumerate().try_for_each(|(i, &position)| {
            let (left, top) = corner(i);
            let below = (left + tile(set) / 2.0, top + tile(set) + 9.0);
            pen.text(&set.index(position).to_string(), below, 10.5, MUTED, Anchor::Center)
        })
    })?;
    for (i, &position) in positions.iter().enumerate() {
        paste(&mut picture, corner(i), set, position);
    }
    Ok(picture)
}

fn paste(picture: &mut RgbImage, (left, top): (f64, f64), set: &Dataset, position: usize) {
    let pixels: Vec<f32> = set.pixels(position).iter().map(|&pixel| f32::from(pixel) / 255.).collect();
    let corner = [left, top].map(|at| at as u32 * SCALE);
    sheet::paste(picture, corner, tile(set) as u32 * SCALE, &pixels, set.shape());
}
