//! What a row looks like.

use super::super::Row;
use crate::drawing::pen::{ACCENT, CARD, CHANGED, CONTROL, Color, PLAIN, Pen, faded};
use anyhow::Result;
use plotters::backend::DrawingBackend;

/// Shapes differ as well as colours, so that the picture survives without them.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mark {
    Control,
    Plain,
    Regularized,
    /// With something other than I2FR.
    Changed,
}

impl Mark {
    pub(super) fn of(row: &Row) -> Self {
        match (row.is_regularized(), row.is_defended()) {
            (true, _) if row.regularizer.starts_with("i2fr") => Self::Regularized,
            (true, _) => Self::Changed,
            (false, true) => Self::Plain,
            (false, false) => Self::Control,
        }
    }

    pub(super) fn color(self) -> Color {
        match self {
            Self::Control => CONTROL,
            Self::Plain => PLAIN,
            Self::Regularized => ACCENT,
            Self::Changed => CHANGED,
        }
    }

    pub(super) fn stem(self) -> Color {
        faded(self.color())
    }

    pub(super) fn put<B: DrawingBackend>(self, pen: &Pen<'_, B>, (x, y): (f64, f64)) -> Result<()> {
        match self {
            Self::Control => pen.block((x - 3.5, y - 3.5), (7.0, 7.0), self.color()),
            Self::Plain => {
                pen.disc((x, y), 4.0, self.color())?;
                pen.disc((x, y), 2.0, CARD)
            }
            Self::Regularized => pen.disc((x, y), 4.0, self.color()),
            Self::Changed => {
                pen.block((x - 4.0, y - 4.0), (8.0, 8.0), self.color())?;
                pen.block((x - 2.0, y - 2.0), (4.0, 4.0), CARD)
            }
        }
    }
}
