//! What a row looks like.

use super::super::Row;
use crate::drawing::pen::{ACCENT, CARD, CONTROL, Color, PLAIN, Pen, faded};
use anyhow::Result;
use plotters::backend::DrawingBackend;

/// Shapes differ as well as colours, so that the picture survives without them.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mark {
    Control,
    Plain,
    Regularized,
}

impl Mark {
    pub(super) fn of(row: &Row) -> Self {
        match (row.is_regularized(), row.is_defended()) {
            (true, _) => Self::Regularized,
            (false, true) => Self::Plain,
            (false, false) => Self::Control,
        }
    }

    pub(super) fn color(self) -> Color {
        match self {
            Self::Control => CONTROL,
            Self::Plain => PLAIN,
            Self::Regularized => ACCENT,
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
        }
    }
}
