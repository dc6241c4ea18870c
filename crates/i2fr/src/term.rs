//! The regulariser with its options.

use crate::{means::Means, reference::Distances};
use candle::{D, Result, Tensor};
use objectives::{Objective, Passes, Term, normalized};
use std::{collections::BTreeMap, fmt};

/// What an adversarial feature is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reference {
    /// Every clean sample of the batch.
    Pairs,
    /// The mean clean feature of each class in the batch.
    BatchMeans,
    /// A running mean of each class over training, `m <- decay m + (1 - decay) batch mean`; attacks
    /// read it, training steps read it and then move it.
    RunningMeans {
        /// Weight of the past, in `[0, 1)`.
        decay: f64,
    },
}

/// Weights and variants of I2FR; [`I2fr::objective`] makes the objective.
#[derive(Clone, Debug, PartialEq)]
pub struct I2fr {
    /// w_c: weight of the distance to the own clean image.
    pub intra_clean: f64,
    /// w_s: weight of the distance to the own class.
    pub intra_class: f64,
    /// w_x: weight of the closeness to other classes.
    pub inter: f64,
    /// Squared distance at which another class is far enough.
    pub margin: f64,
    /// Whether features are divided by their Euclidean norm first.
    pub normalize: bool,
    /// What stands for a class.
    pub reference: Reference,
    /// Whether training moves clean features towards adversarial ones too, or treats them as constants.
    /// In an attack they are constants either way.
    pub clean_gradient: bool,
}

impl Default for I2fr {
    /// Our reading's defaults, not the paper's constants (which are not known to us).
    fn default() -> Self {
        Self {
            intra_clean: 1.,
            intra_class: 0.5,
            inter: 1.,
            margin: 1.,
            normalize: true,
            reference: Reference::Pairs,
            clean_gradient: true,
        }
    }
}

impl I2fr {
    /// Whether a term has a weight: else there is nothing to ascend or descend.
    pub fn weighs(&self) -> bool {
        self.intra_clean > 0. || self.intra_class > 0. || self.inter > 0.
    }

    /// The regulariser as an objective: the same value goes into generation and into training.
    ///
    /// # Errors
    /// When a weight or the margin is negative or not finite, or the decay is outside `[0, 1)`.
    pub fn objective(&self) -> Result<Objective> {
        let Self { intra_clean, intra_class, inter, margin, reference, .. } = *self;
        for (name, value) in
            [("intra-clean", intra_clean), ("intra-class", intra_class), ("inter", inter), ("margin", margin)]
        {
            if !(value.is_finite() && value >= 0.) {
                candle::bail!("I2FR: {name} must be a finite number, at least 0, not {value}")
            }
        }
        if let Reference::RunningMeans { decay } = reference
            && !(0. ..1.).contains(&decay)
        {
            candle::bail!("I2FR: the decay of running means must be in [0, 1), not {decay}")
        }
        Ok(Regularizer { options: self.clone(), means: Means::default() }.into())
    }
}

impl fmt::Display for I2fr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("intra-clean", self.intra_clean), ("intra-class", self.intra_class), ("inter", self.inter)];
        write!(f, "i2fr(")?;
        for (name, weight) in parts.into_iter().filter(|(_, weight)| *weight != 0.) {
            write!(f, "{weight} {name}, ")?;
        }
        match self.reference {
            Reference::Pairs => write!(f, "pairs")?,
            Reference::BatchMeans => write!(f, "batch means")?,
            Reference::RunningMeans { decay } => write!(f, "running means {decay}")?,
        }
        write!(f, ", margin {}, {}", self.margin, if self.normalize { "l2" } else { "raw" })?;
        if !self.clean_gradient {
            write!(f, ", clean constant")?;
        }
        write!(f, ")")
    }
}

struct Regularizer {
    options: I2fr,
    means: Means,
}

impl Term for Regularizer {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let I2fr { intra_clean, intra_class, inter, margin, normalize, reference, clean_gradient } = self.options;
        let prepare = |features: &Tensor| if normalize { normalized(features) } else { Ok(features.clone()) };
        let clean = prepare(&passes.clean()?.features)?;
        let clean = if clean_gradient { clean } else { clean.detach() };
        let adv = prepare(&passes.adv()?.features)?;

        let mut sum = ((&adv - &clean)?.sqr()?.sum(D::Minus1)? * intra_clean)?;
        if intra_class == 0. && inter == 0. {
            return Ok(sum);
        }
        let classes = passes.clean()?.logits.dim(D::Minus1)?;
        let distances = match reference {
            Reference::Pairs => Distances::to_samples(&adv, &clean, passes.labels(), classes)?,
            Reference::BatchMeans => Distances::to_batch_means(&adv, &clean, passes.labels(), classes)?,
            Reference::RunningMeans { decay } => {
                self.means.distances(&adv, &clean, passes.labels(), classes, decay, passes.stage())?
            }
        };
        if intra_class != 0. {
            sum = (sum + (distances.to_own_class()? * intra_class)?)?;
        }
        if inter != 0. {
            sum = (sum + (distances.closeness_to_others(margin)? * inter)?)?;
        }
        Ok(sum)
    }

    fn memory(&self) -> BTreeMap<String, Tensor> {
        self.means.memory()
    }

    fn restore(&self, memory: &BTreeMap<String, Tensor>) -> Result<()> {
        self.means.restore(memory)
    }
}

impl fmt::Display for Regularizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}
