//! Lines and text in units that both files share.

use std::sync::OnceLock;

use anyhow::{Result, anyhow, ensure};
use plotters::backend::DrawingBackend;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, IntoTextStyle, RGBColor, ShapeStyle, register_font};

pub(crate) type Color = RGBColor;

pub(crate) const CARD: Color = RGBColor(0xfc, 0xfc, 0xfb);
const EDGE: Color = RGBColor(0xd0, 0xd4, 0xd9);
pub(crate) const INK: Color = RGBColor(0x1f, 0x23, 0x28);
pub(crate) const MUTED: Color = RGBColor(0x62, 0x6a, 0x73);
pub(crate) const RAIL: Color = RGBColor(0xe0, 0xe3, 0xe7);
pub(crate) const RULE: Color = RGBColor(0xec, 0xee, 0xf0);
// Okabe and Ito's blue and vermilion, told apart with any kind of colour vision; the rest is grey.
pub(crate) const ACCENT: Color = RGBColor(0x00, 0x72, 0xb2);
pub(crate) const LOSS: Color = RGBColor(0xc4, 0x4e, 0x00);
pub(crate) const PLAIN: Color = RGBColor(0x6e, 0x76, 0x80);
pub(crate) const CONTROL: Color = RGBColor(0x1f, 0x23, 0x28);
pub(crate) const CHANGED: Color = RGBColor(0x8a, 0x5a, 0x00);

/// Plotters counts a font's line, not its em.
const LINE_PER_EM: f64 = 1.24;

pub(crate) fn faded(color: Color) -> Color {
    let mix = |c: u8, card: u8| ((f64::from(c) + 2.0 * f64::from(card)) / 3.0) as u8;
    RGBColor(mix(color.0, CARD.0), mix(color.1, CARD.1), mix(color.2, CARD.2))
}

/// Makes the generic family an embedded font.
pub(crate) fn load_font() -> Result<()> {
    static LOADED: OnceLock<bool> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        register_font(FontFamily::SansSerif.as_str(), FontStyle::Normal, font).is_ok()
    });
    ensure!(*loaded, "the embedded font cannot be read; rebuild the program");
    Ok(())
}

/// The width of a text, with room for a viewer's own, wider font.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let font = FontDesc::new(FontFamily::SansSerif, size * LINE_PER_EM, FontStyle::Normal);
    // Whoever measures first loads it; whoever draws says so if that fails.
    let measured = load_font().ok().and_then(|()| font.box_size(text).ok()).map_or(0.0, |(width, _)| f64::from(width));
    1.06 * measured.max(0.4 * size * text.chars().count() as f64)
}

/// Breaks a text at spaces into lines of at most `most` units.
pub(crate) fn wrap(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(&format!("{line} {word}"), size) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Left,
    Center,
}

/// Draws on one backend.
pub(crate) struct Pen<'a, B: DrawingBackend> {
    area: &'a DrawingArea<B, Shift>,
    scale: f64,
    /// Text becomes pixels of the embedded font here, not words for a viewer to set.
    bitmap: bool,
}

impl<'a, B: DrawingBackend> Pen<'a, B> {
    pub(crate) fn new(area: &'a DrawingArea<B, Shift>, scale: f64, bitmap: bool) -> Self {
        Self { area, scale, bitmap }
    }

    /// An opaque ground with an edge, readable on light and dark pages.
    pub(crate) fn card(&self, width: f64, height: f64) -> Result<()> {
        drawn(self.area.fill(&CARD))?;
        let corners = [self.at((0.0, 0.0)), self.at((width - 1.0, height - 1.0))];
        drawn(self.area.draw(&Rectangle::new(corners, self.stroke(EDGE, 1.0))))
    }

    pub(crate) fn line(&self, from: (f64, f64), to: (f64, f64), color: Color, width: f64) -> Result<()> {
        self.path(&[from, to], color, width)
    }

    pub(crate) fn path(&self, points: &[(f64, f64)], color: Color, width: f64) -> Result<()> {
        let points: Vec<(i32, i32)> = points.iter().map(|&point| self.at(point)).collect();
        drawn(self.area.draw(&PathElement::new(points, self.stroke(color, width))))
    }

    /// A filled rectangle of `size` whose upper left corner is `at`.
    pub(crate) fn block(&self, at: (f64, f64), size: (f64, f64), color: Color) -> Result<()> {
        let corners = [self.at(at), self.at((at.0 + size.0, at.1 + size.1))];
        drawn(self.area.draw(&Rectangle::new(corners, ShapeStyle::from(&color).filled())))
    }

    pub(crate) fn disc(&self, at: (f64, f64), radius: f64, color: Color) -> Result<()> {
        let radius = (radius * self.scale).round() as i32;
        drawn(self.area.draw(&Circle::new(self.at(at), radius, ShapeStyle::from(&color).filled())))
    }

    /// Clears the ground for a text of `width` units that starts at `at`.
    pub(crate) fn clear(&self, at: (f64, f64), width: f64) -> Result<()> {
        let corners = [self.at((at.0 - 2.0, at.1 - 7.0)), self.at((at.0 + width, at.1 + 7.0))];
        drawn(self.area.draw(&Rectangle::new(corners, ShapeStyle::from(&CARD).filled())))
    }

    pub(crate) fn strong(&self, text: &str, at: (f64, f64), size: f64, color: Color) -> Result<()> {
        // The embedded font has one weight; a second stroke makes it heavier.
        let style = if self.bitmap { FontStyle::Normal } else { FontStyle::Bold };
        self.set(text, at, size, color, Anchor::Left, style)?;
        if self.bitmap {
            self.set(text, (at.0 + 1.0 / self.scale, at.1), size, color, Anchor::Left, style)?;
        }
        Ok(())
    }

    pub(crate) fn text(&self, text: &str, at: (f64, f64), size: f64, color: Color, anchor: Anchor) -> Result<()> {
        self.set(text, at, size, color, anchor, FontStyle::Normal)
    }

    /// Marks and what they mean, in a line that begins `at`.
    pub(crate) fn legend<M>(
        &self,
        at: (f64, f64),
        entries: &[(M, impl AsRef<str>)],
        put: impl Fn(&M, (f64, f64)) -> Result<()>,
    ) -> Result<()> {
        let (mut x, y) = at;
        for (mark, text) in entries {
            put(mark, (x, y))?;
            self.text(text.as_ref(), (x + 12.0, y), 12.0, INK, Anchor::Left)?;
            x += 12.0 + width(text.as_ref(), 12.0) + 26.0;
        }
        Ok(())
    }

    fn set(&self, text: &str, at: (f64, f64), size: f64, color: Color, anchor: Anchor, style: FontStyle) -> Result<()> {
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Center => HPos::Center,
        };
        let font = FontDesc::new(FontFamily::SansSerif, size * LINE_PER_EM * self.scale, style);
        // Plotters sets a bitmap's glyphs above the middle it is asked for.
        let at = if self.bitmap { (at.0, at.1 + 0.22 * size) } else { at };
        let style = font.into_text_style(self.area).pos(Pos::new(horizontal, VPos::Center));
        drawn(self.area.draw(&Text::new(text.to_owned(), self.at(at), style.color(&color))))
    }

    fn at(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn stroke(&self, color: Color, width: f64) -> ShapeStyle {
        ShapeStyle::from(&color).stroke_width((width * self.scale).round() as u32)
    }
}

/// Plotters' errors borrow from the backend, which does not live long enough.
fn drawn<E: std::error::Error + Send + Sync>(
    result: Result<(), plotters::drawing::DrawingAreaErrorKind<E>>,
) -> Result<()> {
    result.map_err(|e| anyhow!("cannot draw the plot: {e}"))
}
