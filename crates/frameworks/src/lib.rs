//! Adversarial-training frameworks, and the loop that trains them.
//!
//! A framework is a value: how adversarial examples are crafted, what crafting ascends and what
//! training descends. [`Framework::regularized`] adds a regulariser to either side or both.

mod adr;
mod alp;
mod average;
mod awp;
mod fast_at;
mod feature_scattering;
mod framework;
mod friendly_at;
mod he;
mod mart;
mod mixed_at;
mod optimizer;
mod pcl;
mod pgd_at;
mod schedule;
mod standard;
mod tla;
mod trades;
mod trainer;
mod training;
mod warm_up;

pub use adr::adr;
pub use alp::alp;
pub use average::{Averaging, UnknownAveraging};
pub use awp::{Awp, Directions, weight_direction};
pub use fast_at::fast_at;
pub use feature_scattering::feature_scattering;
pub use framework::{Framework, Place};
pub use friendly_at::friendly_at;
pub use he::he;
pub use mart::mart;
pub use mixed_at::mixed_at;
pub use optimizer::{Optimizer, OptimizerConfig};
pub use pcl::pcl;
pub use pgd_at::pgd_at;
pub use schedule::Schedule;
pub use standard::standard;
pub use tla::tla;
pub use trades::trades;
pub use trainer::Trainer;
pub use training::{Epoch, Resume, Step, TrainingConfig};

use attacks::{Ball, Norm, Pgd};

/// What a framework may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The threat model.
    pub ball: Ball,
    /// Gradient steps of the attack (10 in the literature; methods that define their own number ignore it).
    pub steps: usize,
    /// How far such a step goes, in pixel units, where it is not a quarter of the radius.
    pub step: Option<f64>,
    /// Epochs that training takes.
    pub epochs: usize,
    /// Seed of what a method itself learns.
    pub seed: u64,
    /// Epochs at the beginning over which the attack's radius rises to that of the threat model.
    pub warm_up: usize,
    /// Another weight than [`beta`] says, for methods that it knows.
    pub beta: Option<f64>,
    /// Whether images have one channel, as digits have: for these Fast-AT has another recipe.
    pub grey: bool,
}

impl Setting {
    /// Projected gradient ascent of its steps, from anywhere in its ball.
    pub fn pgd(&self) -> Pgd {
        let usual = Pgd::new(self.ball, self.steps);
        Pgd { step: self.step.unwrap_or(usual.step), ..usual }
    }
}

/// Makes a framework.
pub type Make = fn(Setting) -> Framework;

/// Every framework by the name the command line and CSV files use, in the order tables list them.
pub const ALL: &[(&str, Make)] = &[
    ("standard", |_| standard()),
    ("pgd-at", |s| pgd_at(s.pgd())),
    ("mixed-at", |s| mixed_at(s.pgd())),
    ("trades", |s| trades(s.pgd(), s.beta.unwrap_or(trades::BETA))),
    ("mart", |s| mart(s.pgd(), s.beta.unwrap_or(mart::LAMBDA))),
    ("alp", |s| alp(s.pgd(), s.beta.unwrap_or(alp::WEIGHT))),
    ("fast-at", |s| fast_at(s.ball, s.grey)),
    ("friendly-at", |s| friendly_at(s.pgd(), s.epochs)),
    ("adr", |s| adr(s.pgd())),
    ("tla", |s| tla(s.pgd())),
    ("pcl", |s| pcl(s.pgd(), s.seed)),
    ("he", |s| he(s.pgd())),
    ("feature-scattering", |s| feature_scattering(s.ball)),
];

/// Weight of the term that the framework called `name` adds to a cross-entropy, where its authors leave it open, as
/// tables have it: TRADES's and MART's beta, ALP's weight of pairing.
pub fn beta(name: &str) -> Option<f64> {
    match name {
        "trades" => Some(trades::BETA),
        "mart" => Some(mart::LAMBDA),
        "alp" => Some(alp::WEIGHT),
        _ => None,
    }
}

/// How many steps the attack of the framework called `name` takes, where number and length are the method's own and not
/// those of [`Setting`].
pub fn own_steps(name: &str) -> Option<usize> {
    match name {
        "standard" => Some(0),
        "fast-at" | "feature-scattering" => Some(1),
        _ => None,
    }
}

/// How often what the framework called `name` trains against balls of `norm`, on `grey` images or others, has changed, from 1
/// on: stored runs of another revision are others.
pub fn revision(name: &str, norm: Norm, grey: bool) -> u32 {
    let own = match name {
        // Their attacks saw batch statistics, and those of ALP, HE and PCL began anywhere in the ball.
        "alp" | "he" | "adr" | "tla" | "pcl" => 2,
        // Its attack projected before it added noise, too.
        "friendly-at" => 2,
        // Its start was put back into [0, 1].
        "fast-at" if grey => 2,
        _ => 1,
    };
    // Friendly-AT has a step of its own, and the control none.
    let steps = if ["standard", "friendly-at"].contains(&name) { 1 } else { attacks::revision("pgd", norm) };
    own + steps - 1
}

/// A framework nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown framework `{name}`; known: {known}")]
pub struct UnknownFramework {
    name: String,
    known: String,
}

/// The framework called `name`.
///
/// # Errors
/// When no framework has that name.
pub fn named(name: &str, setting: Setting) -> Result<Framework, UnknownFramework> {
    let found = ALL.iter().find(|(known, _)| *known == name);
    let known = || ALL.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
    // Without an attack there is no radius to rise.
    let warm_up = if own_steps(name) == Some(0) { 0 } else { setting.warm_up };
    found
        .map(|(_, make)| Framework::warmed_up(make, Setting { warm_up, ..setting }))
        .ok_or_else(|| UnknownFramework { name: name.into(), known: known() })
}
