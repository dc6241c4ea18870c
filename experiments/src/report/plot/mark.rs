//! What a row looks like.

use super::super::Row;
use super::pen::{ACCENT, CONTROL, Color, PLAIN, faded};

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
}
