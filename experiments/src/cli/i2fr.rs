//! The regulariser's options.

use crate::process::one_line;
use clap::{Args, ValueEnum};
use frameworks::Place;
use i2fr::{I2fr, Reference};

/// Parses an option of I2FR; whether it is possible is for the regulariser itself to say.
fn i2fr_option(s: &str, set: impl FnOnce(&mut I2fr, f64)) -> Result<f64, String> {
    let value = s.parse().map_err(|_| format!("`{s}` is not a number"))?;
    let mut options = I2fr::default();
    set(&mut options, value);
    options.objective().map(|_| value).map_err(|e| one_line(&e.to_string()))
}

fn weight(s: &str) -> Result<f64, String> {
    i2fr_option(s, |options, value| options.inter = value)
}

fn margin(s: &str) -> Result<f64, String> {
    i2fr_option(s, |options, value| options.margin = value)
}

fn decay(s: &str) -> Result<f64, String> {
    i2fr_option(s, |options, decay| options.reference = Reference::RunningMeans { decay })
}

/// How features enter distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Features {
    /// Divided by their Euclidean norm.
    L2,
    /// As they are.
    Raw,
}

/// What stands for a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassReference {
    /// Every clean sample of the batch.
    Pairs,
    /// The mean of the class in the batch.
    BatchMeans,
    /// The mean of the class over training.
    RunningMeans,
}

/// What I2FR is, in training and for an attack that ascends it; the definitions are in the documentation of the `i2fr`
/// crate.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "I2FR")]
pub struct TermArgs {
    /// Weight of the distance to the own clean image
    #[arg(long, value_name = "W", value_parser = weight, default_value_t = I2fr::default().intra_clean)]
    pub i2fr_intra_clean: f64,
    /// Weight of the distance to the own class
    #[arg(long, value_name = "W", value_parser = weight, default_value_t = I2fr::default().intra_class)]
    pub i2fr_intra_class: f64,
    /// Weight of the closeness to other classes
    #[arg(long, value_name = "W", value_parser = weight, default_value_t = I2fr::default().inter)]
    pub i2fr_inter: f64,
    /// Squared distance at which another class is far enough
    #[arg(long, value_name = "M", value_parser = margin, default_value_t = I2fr::default().margin)]
    pub i2fr_margin: f64,
    /// Features: l2 (divided by their norm) or raw
    #[arg(long, value_name = "F", value_enum, default_value_t = Features::L2)]
    pub i2fr_features: Features,
}

/// Options of the regulariser in training.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "I2FR")]
pub struct I2frArgs {
    /// Where I2FR acts: generation, training, both
    #[arg(long, value_name = "PLACE", default_value_t = Place::Both)]
    pub i2fr_place: Place,
    #[command(flatten)]
    terms: TermArgs,
    /// What stands for a class: pairs, batch-means, running-means
    #[arg(long, value_name = "R", value_enum, default_value_t = ClassReference::Pairs)]
    pub i2fr_reference: ClassReference,
    /// Weight of the past in running means; 0.9 if not given
    #[arg(long, value_name = "D", value_parser = decay)]
    pub i2fr_decay: Option<f64>,
    /// Treat clean features as constants in training too
    #[arg(long)]
    pub i2fr_clean_constant: bool,
}

impl TermArgs {
    /// Whether they are I2FR as the abstract is read.
    pub fn are_usual(&self) -> bool {
        self.i2fr() == I2fr::default()
    }

    /// What differs from that, as one types it: ` --i2fr-inter 2`.
    pub fn said(&self) -> String {
        let (ours, usual) = (self.i2fr(), I2fr::default());
        let number = |option: &str, ours: f64, usual: f64| match ours == usual {
            true => String::new(),
            false => format!(" --i2fr-{option} {ours}"),
        };
        [
            number("intra-clean", ours.intra_clean, usual.intra_clean),
            number("intra-class", ours.intra_class, usual.intra_class),
            number("inter", ours.inter, usual.inter),
            number("margin", ours.margin, usual.margin),
            if ours.normalize { "" } else { " --i2fr-features raw" }.to_owned(),
        ]
        .concat()
    }

    /// The regulariser they describe, otherwise as usual.
    pub fn i2fr(&self) -> I2fr {
        I2fr {
            intra_clean: self.i2fr_intra_clean,
            intra_class: self.i2fr_intra_class,
            inter: self.i2fr_inter,
            margin: self.i2fr_margin,
            normalize: self.i2fr_features == Features::L2,
            ..I2fr::default()
        }
    }
}

impl I2frArgs {
    /// What is wrong with options that are each possible but not together; `used` where there is I2FR at all.
    pub(crate) fn conflict(&self, used: bool) -> Option<&'static str> {
        if !used && (self.i2fr() != I2fr::default() || self.i2fr_place != Place::Both) {
            return Some("--i2fr-... changes nothing without I2FR: add --i2fr, or a row that has it");
        }
        if self.i2fr_decay.is_some() && self.i2fr_reference != ClassReference::RunningMeans {
            return Some("--i2fr-decay is for running means: add --i2fr-reference running-means");
        }
        let unmoved = self.i2fr_place == Place::Generation && self.i2fr_reference == ClassReference::RunningMeans;
        unmoved.then_some("--i2fr-reference running-means needs I2FR in training: it is training that moves the means")
    }

    /// What differs from I2FR as the abstract is read, as one types it: ` --i2fr-inter 2`.
    pub(crate) fn said(&self) -> String {
        let ours = self.i2fr();
        let place = match self.i2fr_place {
            Place::Both => String::new(),
            place => format!(" --i2fr-place {place}"),
        };
        let reference = match ours.reference {
            Reference::Pairs => String::new(),
            Reference::BatchMeans => " --i2fr-reference batch-means".to_owned(),
            Reference::RunningMeans { decay } => format!(" --i2fr-reference running-means --i2fr-decay {decay}"),
        };
        let constant = if ours.clean_gradient { "" } else { " --i2fr-clean-constant" };
        [place, self.terms.said(), reference, constant.to_owned()].concat()
    }

    /// The regulariser they describe.
    pub fn i2fr(&self) -> I2fr {
        I2fr {
            reference: match self.i2fr_reference {
                ClassReference::Pairs => Reference::Pairs,
                ClassReference::BatchMeans => Reference::BatchMeans,
                ClassReference::RunningMeans => Reference::RunningMeans { decay: self.i2fr_decay.unwrap_or(0.9) },
            },
            clean_gradient: !self.i2fr_clean_constant,
            ..self.terms.i2fr()
        }
    }
}
