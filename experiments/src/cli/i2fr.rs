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

fn intra_clean(s: &str) -> Result<f64, String> {
    i2fr_option(s, |options, value| options.intra_clean = value)
}

fn intra_class(s: &str) -> Result<f64, String> {
    i2fr_option(s, |options, value| options.intra_class = value)
}

fn inter(s: &str) -> Result<f64, String> {
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
    /// Weight of the distance to the own clean image [usual: 1]
    #[arg(long, value_name = "W", value_parser = intra_clean)]
    pub i2fr_intra_clean: Option<f64>,
    /// Weight of the distance to the own class [usual: 0.5]
    #[arg(long, value_name = "W", value_parser = intra_class)]
    pub i2fr_intra_class: Option<f64>,
    /// Weight of the closeness to other classes [usual: 1]
    #[arg(long, value_name = "W", value_parser = inter)]
    pub i2fr_inter: Option<f64>,
    /// Squared distance at which another class is far enough [usual: 1]
    #[arg(long, value_name = "M", value_parser = margin)]
    pub i2fr_margin: Option<f64>,
    /// Features: l2 (divided by their norm) or raw [usual: l2]
    #[arg(long, value_name = "F", value_enum, hide_possible_values = true)]
    pub i2fr_features: Option<Features>,
}

/// What differs in a training with `ours` at `place` from I2FR as the abstract is read, as one types it.
pub(crate) fn said_in_training(ours: &I2fr, place: Place) -> String {
    let place = match place {
        Place::Both => String::new(),
        place => format!(" --i2fr-place {place}"),
    };
    let reference = match ours.reference {
        Reference::Pairs => String::new(),
        Reference::BatchMeans => " --i2fr-reference batch-means".to_owned(),
        Reference::RunningMeans { decay } => format!(" --i2fr-reference running-means --i2fr-decay {decay}"),
    };
    let constant = if ours.clean_gradient { "" } else { " --i2fr-clean-constant" };
    [place, said(ours), reference, constant.to_owned()].concat()
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
    /// Whether none of them was given.
    pub fn are_silent(&self) -> bool {
        let Self { i2fr_intra_clean, i2fr_intra_class, i2fr_inter, i2fr_margin, i2fr_features } = self;
        [i2fr_intra_clean, i2fr_intra_class, i2fr_inter, i2fr_margin].iter().all(|given| given.is_none())
            && i2fr_features.is_none()
    }

    /// `usual` with what was given.
    pub fn over(&self, usual: &I2fr) -> I2fr {
        I2fr {
            intra_clean: self.i2fr_intra_clean.unwrap_or(usual.intra_clean),
            intra_class: self.i2fr_intra_class.unwrap_or(usual.intra_class),
            inter: self.i2fr_inter.unwrap_or(usual.inter),
            margin: self.i2fr_margin.unwrap_or(usual.margin),
            normalize: self.i2fr_features.map_or(usual.normalize, |features| features == Features::L2),
            ..usual.clone()
        }
    }
}

/// What differs in the terms of `ours` from I2FR as the abstract is read, as one types it: ` --i2fr-inter 2`.
pub fn said(ours: &I2fr) -> String {
    let usual = I2fr::default();
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
        said_in_training(&self.i2fr(), self.i2fr_place)
    }

    /// Each option that is not as usual, and all but it.
    pub(crate) fn each_silenced(&self) -> Vec<(&'static str, Self)> {
        type Silence = fn(&mut I2frArgs);
        let silences: [(&str, Silence); 9] = [
            ("--i2fr-place", |args| args.i2fr_place = Place::Both),
            ("--i2fr-intra-clean", |args| args.terms.i2fr_intra_clean = None),
            ("--i2fr-intra-class", |args| args.terms.i2fr_intra_class = None),
            ("--i2fr-inter", |args| args.terms.i2fr_inter = None),
            ("--i2fr-margin", |args| args.terms.i2fr_margin = None),
            ("--i2fr-features", |args| args.terms.i2fr_features = None),
            ("--i2fr-reference", |args| args.i2fr_reference = ClassReference::Pairs),
            ("--i2fr-decay", |args| args.i2fr_decay = None),
            ("--i2fr-clean-constant", |args| args.i2fr_clean_constant = false),
        ];
        let silenced = silences.map(|(option, silence)| {
            let mut silent = self.clone();
            silence(&mut silent);
            (option, silent)
        });
        let matters = |(_, silent): &(_, Self)| silent.i2fr() != self.i2fr() || silent.i2fr_place != self.i2fr_place;
        silenced.into_iter().filter(matters).collect()
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
            ..self.terms.over(&I2fr::default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        terms: TermArgs,
    }

    #[test]
    fn help_says_what_is_usual() {
        let help = Line::command().render_long_help().to_string();
        let I2fr { intra_clean, intra_class, inter, margin, normalize, .. } = I2fr::default();
        assert!(normalize && help.contains("[usual: l2]"), "{help}");
        for default in [intra_clean, intra_class, inter, margin] {
            assert!(help.contains(&format!("[usual: {default}]")), "{default}: {help}");
        }
        assert_eq!(help.matches("[usual: 1]").count(), 3, "{help}");
    }
}
