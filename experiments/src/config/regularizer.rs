//! I2FR in a stored configuration.

use anyhow::Result;
use frameworks::Place;
use i2fr::{I2fr, Reference};
use serde::{Deserialize, Serialize};

/// I2FR as a run uses it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of `i2fr::I2fr`, which documents them")]
pub struct Regularizer {
    pub place: String,
    pub intra_clean: f64,
    pub intra_class: f64,
    pub inter: f64,
    pub margin: f64,
    pub normalize: bool,
    /// `pairs`, `batch-means` or `running-means DECAY`.
    pub reference: String,
    pub clean_gradient: bool,
}

impl Regularizer {
    /// I2FR with `options` at `place`.
    pub fn new(options: &I2fr, place: Place) -> Self {
        let I2fr { intra_clean, intra_class, inter, margin, normalize, reference, clean_gradient } = *options;
        let reference = match reference {
            Reference::Pairs => "pairs".into(),
            Reference::BatchMeans => "batch-means".into(),
            Reference::RunningMeans { decay } => format!("running-means {decay}"),
        };
        let place = place.to_string();
        Self { place, intra_clean, intra_class, inter, margin, normalize, reference, clean_gradient }
    }

    /// The options.
    ///
    /// # Errors
    /// When a stored one names a class reference that is none.
    pub(crate) fn options(&self) -> Result<I2fr> {
        let Self { intra_clean, intra_class, inter, margin, normalize, clean_gradient, .. } = *self;
        let reference = match self.reference.split_once(' ') {
            None if self.reference == "pairs" => Reference::Pairs,
            None if self.reference == "batch-means" => Reference::BatchMeans,
            Some(("running-means", decay)) => Reference::RunningMeans { decay: decay.parse()? },
            _ => anyhow::bail!("unknown class reference `{}`", self.reference),
        };
        Ok(I2fr { intra_clean, intra_class, inter, margin, normalize, reference, clean_gradient })
    }

    /// It with the usual values of what moves nothing: a margin to classes that nothing pushes away, and whether clean
    /// features are constants where no weights are trained with it.
    pub(super) fn effective(self) -> Self {
        let usual = I2fr::default();
        Self {
            margin: if self.inter == 0. { usual.margin } else { self.margin },
            clean_gradient: self.clean_gradient || self.place == Place::Generation.to_string(),
            ..self
        }
    }
}
