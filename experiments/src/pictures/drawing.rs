//! Figures that are both an SVG and a PNG file.

use super::{bitmap, encoded};
use crate::report::plot::pen::{self, Pen};
use anyhow::Result;
use plotters::{
    backend::{DrawingBackend, SVGBackend},
    drawing::IntoDrawingArea,
};

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
    pen::load_font()?;
    let (width, height) = drawing.size();
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (width as u32, height as u32)).into_drawing_area();
        let pen = Pen::new(&root, 1.0, false);
        pen.card(width, height)?;
        drawing.draw(&pen)?;
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
