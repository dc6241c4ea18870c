//! Drawings that are both an SVG and a PNG file.
//!
//! Text is set in an embedded font, so that a picture needs none installed; an SVG file names a generic family, and
//! [`pen::width`] leaves room for wider letters.

pub(crate) mod pen;

use crate::files;
use anyhow::{Context, Result};
use image::{
    RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use pen::Pen;
use plotters::{
    backend::{BitMapBackend, DrawingBackend, SVGBackend},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
};
use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

/// Device pixels per unit, for sharp text on dense screens.
pub(crate) const SCALE: u32 = 2;

/// What can be drawn on any backend.
pub(crate) trait Drawing {
    /// Width and height in units.
    fn size(&self) -> (f64, f64);

    /// Draws all but the ground.
    ///
    /// # Errors
    /// When the backend fails.
    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()>;
}

/// The figure as an SVG file.
///
/// # Errors
/// When it cannot be drawn.
pub(crate) fn svg(drawing: &impl Drawing) -> Result<String> {
    let size = whole(drawing.size());
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        drawing.draw(&on_card(&root, size, 1, false)?)?;
        root.present()?;
    }
    Ok(text.replacen("<svg ", "<svg role=\"img\" ", 1))
}

/// The figure as a PNG file.
///
/// # Errors
/// When it cannot be drawn.
pub(crate) fn png(drawing: &impl Drawing) -> Result<Vec<u8>> {
    encoded(&bitmap(drawing.size(), |pen| drawing.draw(pen))?)
}

/// Writes `NAME.svg` and `NAME.png` below `out`; returns both paths.
///
/// # Errors
/// When it cannot be drawn, or a file cannot be written.
pub(crate) fn write(name: &str, drawing: &impl Drawing, out: &Path) -> Result<[PathBuf; 2]> {
    let paths = ["svg", "png"].map(|kind| out.join(format!("{name}.{kind}")));
    files::write(&paths[0], svg(drawing)?.as_bytes())?;
    files::write(&paths[1], &png(drawing)?)?;
    Ok(paths)
}

/// A picture of `width` by `height` units, drawn by `draw`.
pub(crate) fn bitmap(
    size: (f64, f64),
    draw: impl FnOnce(&Pen<'_, BitMapBackend<'_>>) -> Result<()>,
) -> Result<RgbImage> {
    let size = whole(size);
    let (width, height) = (size.0 * SCALE, size.1 * SCALE);
    let mut pixels = vec![0; (width * height * 3) as usize];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        draw(&on_card(&root, size, SCALE, true)?)?;
        root.present()?;
    }
    RgbImage::from_raw(width, height, pixels).context("a picture has three bytes a pixel")
}

/// Units that hold `size`.
fn whole((width, height): (f64, f64)) -> (u32, u32) {
    (width.ceil() as u32, height.ceil() as u32)
}

/// A pen on an opaque ground.
fn on_card<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    (width, height): (u32, u32),
    scale: u32,
    bitmap: bool,
) -> Result<Pen<'_, B>> {
    pen::load_font()?;
    let pen = Pen::new(area, f64::from(scale), bitmap);
    pen.card(width.into(), height.into())?;
    Ok(pen)
}

/// A picture as a PNG file.
pub(crate) fn encoded(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_with_encoder(PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive))?;
    Ok(bytes.into_inner())
}
