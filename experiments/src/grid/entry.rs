//! Rows of a table, as its binary writes them.

use crate::{
    cli::TrainingArgs,
    config::{Regularizer, RunConfig},
    profile::{self, Profile},
    report::Row,
};
use anyhow::Result;
use std::sync::Arc;

/// One training, as it differs from what the command line asks for.
#[derive(Clone)]
pub struct Entry {
    framework: &'static str,
    awp: Option<f64>,
    averaging: Option<&'static str>,
    label_smoothing: Option<f64>,
    longer: bool,
    i2fr: Option<Variant>,
    beyond_quick: bool,
    on_request: bool,
}

/// I2FR as a row has it.
#[derive(Clone)]
struct Variant {
    /// What tells it from I2FR as the command line has it; empty for that itself.
    name: String,
    change: Arc<dyn Fn(&mut Regularizer) + Send + Sync>,
}

/// `framework` alone.
pub fn row(framework: &'static str) -> Entry {
    Entry {
        framework,
        awp: None,
        averaging: None,
        label_smoothing: None,
        longer: false,
        i2fr: None,
        beyond_quick: false,
        on_request: false,
    }
}

/// The frameworks that Table 1 compares, in its order.
pub const COMPARED: [&str; 5] = ["pgd-at", "trades", "mart", "alp", "fast-at"];

/// What Table 1 measures, in its order.
pub const ATTACKS: [&str; 7] = ["clean", "fgsm", "pgd-20", "pgd-100", "cw", "autoattack", "adaptive"];

/// Each of [`COMPARED`] alone and with I2FR.
pub fn pairs() -> Vec<Entry> {
    COMPARED.into_iter().flat_map(|framework| [row(framework), row(framework).i2fr()]).collect()
}

impl Entry {
    /// With I2FR.
    #[must_use]
    pub fn i2fr(self) -> Self {
        self.i2fr_as("", |_| {})
    }

    /// With I2FR changed by `change`, called `name`.
    #[must_use]
    pub fn i2fr_as(self, name: impl Into<String>, change: impl Fn(&mut Regularizer) + Send + Sync + 'static) -> Self {
        Self { i2fr: Some(Variant { name: name.into(), change: Arc::new(change) }), ..self }
    }

    /// With weights moved against training by `gamma` of their length.
    #[must_use]
    pub fn awp(self, gamma: f64) -> Self {
        Self { awp: Some(gamma), ..self }
    }

    /// With averaged weights: `ema-0.995`, `swa-0.5`.
    #[must_use]
    pub fn averaged(self, how: &'static str) -> Self {
        Self { averaging: Some(how), ..self }
    }

    /// With `share` of a label's weight spread over all classes.
    #[must_use]
    pub fn smoothed(self, share: f64) -> Self {
        Self { label_smoothing: Some(share), ..self }
    }

    /// For a quarter more epochs, rounded, and one at least: I2FR costs PGD-AT 20 to 35 % more time.
    #[must_use]
    pub fn longer(self) -> Self {
        Self { longer: true, ..self }
    }

    /// Left out by the quick profile, unless `--only` asks for it.
    #[must_use]
    pub fn beyond_quick(self) -> Self {
        Self { beyond_quick: true, ..self }
    }

    /// Left out unless `--only` asks for it by its whole name: `=trades+longer`.
    #[must_use]
    pub fn on_request(self) -> Self {
        Self { on_request: true, ..self }
    }

    /// Whether `only`, or where that is empty the profile, asks for its row, which is `named` so.
    pub(super) fn is_asked(&self, named: impl Fn(&str) -> bool, only: &[String], profile: Profile) -> bool {
        let by_name = |text: &String| named(text) && (!self.on_request || text.starts_with('='));
        only.is_empty() && !self.left_out(profile) || only.iter().any(by_name)
    }

    /// Whether it is not there unless `--only` asks for it.
    fn left_out(&self, profile: Profile) -> bool {
        self.on_request || self.beyond_quick && profile == Profile::Quick
    }

    pub(super) fn is_regularized(&self) -> bool {
        self.i2fr.is_some()
    }

    /// What `--only` may ask for.
    pub(super) fn name(&self, training: &TrainingArgs) -> String {
        let exactly = if self.on_request { "=" } else { "" };
        let longer = if self.longer { "+longer" } else { "" };
        format!("{exactly}{}{longer}", self.config(training).method())
    }

    pub(crate) fn framework(&self) -> &'static str {
        self.framework
    }

    /// Whether `text` could mean its row, where that cannot be and so has no name.
    pub(super) fn could_be_named(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        text.contains(self.framework) || self.framework.contains(&text)
    }

    /// The training, but for its seed.
    pub(super) fn config(&self, training: &TrainingArgs) -> RunConfig {
        let TrainingArgs { i2fr, attack_steps, attack_step, .. } = training;
        // What the method's own attack does not read tells no runs apart.
        let own = frameworks::own_steps(self.framework).is_some();
        let base = profile::resolve(&TrainingArgs {
            attack_steps: attack_steps.filter(|_| !own),
            attack_step: attack_step.clone().filter(|_| !own),
            ..training.clone()
        });
        let regularizer = self.i2fr.as_ref().map(|variant| {
            let mut regularizer = Regularizer::new(&i2fr.i2fr(), i2fr.i2fr_place);
            (variant.change)(&mut regularizer);
            regularizer
        });
        RunConfig {
            framework: self.framework.into(),
            regularizer,
            beta: base.beta.filter(|beta| frameworks::beta(self.framework).is_some_and(|usual| usual != *beta)),
            awp: self.awp.or(base.awp),
            averaging: self.averaging.map(str::to_owned).or_else(|| base.averaging.clone()),
            label_smoothing: self.label_smoothing.or(base.label_smoothing),
            epochs: if self.longer {
                ((1.25 * base.epochs as f64).round() as usize).max(base.epochs + 1)
            } else {
                base.epochs
            },
            ..base
        }
    }

    /// How the table names the training `config`.
    pub(super) fn row(&self, config: &RunConfig) -> Result<Row> {
        let (mut regularizer, mut label) = (config.regularizer_name().to_owned(), config.game()?.name);
        if self.longer {
            regularizer = if self.i2fr.is_some() { format!("{regularizer} longer") } else { "longer".into() };
            label += &format!(" ({} epochs)", config.epochs);
        }
        if let Some(Variant { name, .. }) = self.i2fr.as_ref().filter(|variant| !variant.name.is_empty()) {
            regularizer += &format!(" {name}");
            label += &format!(" ({name})");
        }
        Ok(Row { framework: config.method(), regularizer, label, audits: Vec::new() })
    }
}
