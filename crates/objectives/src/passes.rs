//! The forward passes a batch goes through, each run at most once and only if a term asks.

use candle::{Result, Tensor};
use models::{Mode, Model, Output};
use std::{cell::OnceCell, fmt};

/// Which of the two passes over a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Over the images as they are.
    Clean,
    /// Over their adversarial examples.
    Adv,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::Adv => "adv",
        })
    }
}

/// What an objective is evaluated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// An attack, on images or on weights, ascends it; nothing may be remembered.
    Generation,
    /// Training descends it; a term may follow statistics of the features.
    Training,
}

/// A pass that runs when it is first needed.
struct Lazy<'a> {
    source: Option<(&'a dyn Model, Mode, &'a Tensor)>,
    output: OnceCell<Output>,
}

impl<'a> Lazy<'a> {
    fn new(model: &'a dyn Model, mode: Mode, images: &'a Tensor) -> Self {
        Self { source: Some((model, mode, images)), output: OnceCell::new() }
    }

    fn known(output: Output) -> Self {
        Self { source: None, output: OnceCell::from(output) }
    }

    fn get(&self) -> Result<&Output> {
        match (self.output.get(), self.source) {
            (Some(output), _) => Ok(output),
            (None, Some((model, mode, images))) => {
                let output = model.forward(images, mode)?;
                Ok(self.output.get_or_init(|| output))
            }
            (None, None) => candle::bail!("a pass without a model has no output"),
        }
    }
}

/// A batch of clean images, which adversarial ones are set against.
pub struct Clean<'a> {
    labels: &'a Tensor,
    smoothing: f64,
    stage: Stage,
    model: Option<(&'a dyn Model, Mode)>,
    pass: Lazy<'a>,
}

impl<'a> Clean<'a> {
    /// `images` `(N, C, H, W)` in `[0, 1]` with `labels` `(N,)` of type `u32`; nothing is computed yet.
    pub fn new(model: &'a dyn Model, mode: Mode, images: &'a Tensor, labels: &'a Tensor, stage: Stage) -> Self {
        Self { labels, smoothing: 0., stage, model: Some((model, mode)), pass: Lazy::new(model, mode, images) }
    }

    /// The same batch with labels that [`crate::ce`] smooths by `smoothing`, in `[0, 1)`.
    #[must_use]
    pub fn smoothed(self, smoothing: f64) -> Self {
        Self { smoothing, ..self }
    }

    /// A batch whose clean pass is already known.
    pub fn known(output: Output, labels: &'a Tensor, stage: Stage) -> Self {
        Self { labels, smoothing: 0., stage, model: None, pass: Lazy::known(output) }
    }

    /// Sets the adversarial `images` `(N, C, H, W)` beside the clean ones.
    ///
    /// # Errors
    /// When this batch was made without a model.
    pub fn against<'b>(&'b self, images: &'b Tensor) -> Result<Passes<'b>> {
        self.set_beside(images, None)
    }

    /// As [`Clean::against`], with the adversarial pass in another batch-norm mode than the clean one.
    ///
    /// # Errors
    /// When this batch was made without a model.
    pub fn against_in<'b>(&'b self, mode: Mode, images: &'b Tensor) -> Result<Passes<'b>> {
        self.set_beside(images, Some(mode))
    }

    fn set_beside<'b>(&'b self, images: &'b Tensor, other: Option<Mode>) -> Result<Passes<'b>> {
        match self.model {
            Some((model, mode)) => Ok(Passes { clean: self, adv: Lazy::new(model, other.unwrap_or(mode), images) }),
            None => candle::bail!("a batch of known outputs has no model to run adversarial images through"),
        }
    }

    /// Sets a known adversarial pass beside the clean one.
    pub fn against_known(&self, adv: Output) -> Passes<'_> {
        Passes { clean: self, adv: Lazy::known(adv) }
    }
}

/// Everything an objective may read about one batch.
pub struct Passes<'a> {
    clean: &'a Clean<'a>,
    adv: Lazy<'a>,
}

impl Passes<'_> {
    /// True (or, for a targeted attack, wanted) classes, `(N,)`, `u32`.
    pub fn labels(&self) -> &Tensor {
        self.clean.labels
    }

    /// How much of a label's weight is spread over all classes.
    pub fn smoothing(&self) -> f64 {
        self.clean.smoothing
    }

    /// What the objective is evaluated for.
    pub fn stage(&self) -> Stage {
        self.clean.stage
    }

    /// The pass over clean images: constant in an attack, differentiated in training.
    ///
    /// # Errors
    /// When the network fails on them.
    pub fn clean(&self) -> Result<&Output> {
        self.clean.pass.get()
    }

    /// The pass over adversarial images.
    ///
    /// # Errors
    /// When the network fails on them.
    pub fn adv(&self) -> Result<&Output> {
        self.adv.get()
    }

    /// The pass `which` names.
    ///
    /// # Errors
    /// When the network fails on its images.
    pub fn get(&self, which: Pass) -> Result<&Output> {
        match which {
            Pass::Clean => self.clean(),
            Pass::Adv => self.adv(),
        }
    }
}
