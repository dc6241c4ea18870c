//! The command line that every binary shares.

mod device;
mod i2fr;
mod source;
mod threat;
mod weights;

use crate::profile::Profile;
use attacks::Norm;
use clap::{Args, ValueEnum};
use data::Name;
use frameworks::{Averaging, Schedule};
use models::Arch;
use std::{path::PathBuf, str::FromStr, time::Duration};

pub use device::DeviceArgs;
pub(crate) use i2fr::said_in_training;
pub use i2fr::{ClassReference, Features, I2frArgs, TermArgs, said};
pub use source::SourceArgs;
pub use threat::{Epsilon, StepLength, Threat};
pub use weights::Weights;

/// One of several parts of a grid, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    of: usize,
}

impl Shard {
    /// Whether the run at `position` belongs to this part.
    pub fn contains(self, position: usize) -> bool {
        position % self.of == self.part - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let parsed = s.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((part, of)) if (1..=of).contains(&part) => Ok(Self { part, of }),
            _ => Err(format!("`{s}` is not a shard; write I/N with I from 1 to N, such as 1/4")),
        }
    }
}

/// More than anybody counts here, and few enough to be multiplied.
const MOST: usize = 1_000_000_000;

/// Parses a whole number of at least 1.
///
/// # Errors
/// When it is none, or more than a billion.
pub fn at_least_one(s: &str) -> Result<usize, String> {
    match s.parse() {
        Ok(n) if n > MOST => Err(format!("`{s}` is more than {MOST}")),
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("`{s}` is not a whole number of at least 1")),
    }
}

fn learning_rate(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(lr) if lr.is_finite() && lr > 0. => Ok(lr),
        _ => Err(format!("`{s}` is not a learning rate: a number above 0")),
    }
}

fn weight_decay(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(decay) if decay.is_finite() && decay >= 0. => Ok(decay),
        _ => Err(format!("`{s}` is not a weight decay: a number, at least 0, such as 5e-4")),
    }
}

fn beta(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(beta) if beta.is_finite() && beta >= 0. => Ok(beta),
        _ => Err(format!("`{s}` is not the weight of a term: a number, at least 0")),
    }
}

fn gamma(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(gamma) if gamma.is_finite() && gamma > 0. => Ok(gamma),
        _ => Err(format!("`{s}` is not how far weights are moved: a share of their length above 0, such as 0.005")),
    }
}

fn smoothing(s: &str) -> Result<f64, String> {
    match s.parse::<f64>() {
        Ok(smoothing) if smoothing > 0. && smoothing < 1. => Ok(smoothing),
        _ => Err(format!("`{s}` is not a share of a label's weight: a number between 0 and 1, such as 0.1")),
    }
}

fn minutes(s: &str) -> Result<Duration, String> {
    let seconds = s.parse::<f64>().ok().and_then(|minutes| Duration::try_from_secs_f64(60. * minutes).ok());
    seconds.ok_or_else(|| format!("`{s}` is not a number of minutes, at least 0"))
}

/// How weights follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Optimizer {
    /// Gradient descent with momentum.
    Sgd,
    /// Adam.
    Adam,
}

/// Data, network and training; what is not given comes from the profile.
#[derive(Args, Clone, Debug)]
pub struct TrainingArgs {
    /// How much to spend: quick (minutes, no files), mnist (all of MNIST), cpu (an evening, real CIFAR-10), gpu, paper
    #[arg(long, value_enum, default_value_t = Profile::Quick)]
    pub profile: Profile,
    /// Data set: synthetic, cifar10, cifar100, svhn, mnist, fashion-mnist,
    /// tiny-imagenet
    #[arg(long)]
    pub dataset: Option<Name>,
    /// Where its files are
    #[command(flatten)]
    pub source: SourceArgs,
    /// Architecture: tiny, resnet8..56, resnet18, preact-resnet18 (also -fast), wrn-D-K, mnist-cnn, lenet5
    #[arg(long)]
    pub arch: Option<Arch>,
    /// What computes
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Epochs
    #[arg(long, value_parser = at_least_one)]
    pub epochs: Option<usize>,
    /// Training images (the first N; held-out ones are taken from them)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub train_examples: Option<usize>,
    /// Test images (the first N)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub eval_examples: Option<usize>,
    /// Test images under AutoAttack and the adaptive attack (the first N)
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub autoattack_examples: Option<usize>,
    /// Images per step
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub batch: Option<usize>,
    /// Peak learning rate
    #[arg(long, value_parser = learning_rate)]
    pub lr: Option<f64>,
    /// Learning-rate schedule: piecewise, cosine, one-cycle, constant
    #[arg(long)]
    pub schedule: Option<Schedule>,
    /// Optimiser: sgd (momentum 0.9), adam [default: adam for grey images, else sgd]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub optimizer: Option<Optimizer>,
    /// Weight decay [default: 5e-4 with sgd, 0 with adam]
    #[arg(long, value_name = "W", value_parser = weight_decay)]
    pub weight_decay: Option<f64>,
    /// Gradient steps of the training attack (frameworks with a number of their own ignore it)
    #[arg(long, value_name = "K", value_parser = at_least_one)]
    pub attack_steps: Option<usize>,
    /// How far each of them goes, in pixel units: 0.007, 2/255, ... (less while the radius rises; ignored likewise)
    /// [default: eps/4]
    #[arg(long, value_name = "LENGTH")]
    pub attack_step: Option<StepLength>,
    /// Epochs over which the training attack's radius rises [default: 2 for grey images, else 0]
    #[arg(long, value_name = "N")]
    pub eps_warm_up: Option<usize>,
    /// Weight of what TRADES, MART and ALP add to a cross-entropy [default: 6, 5 and 1]
    #[arg(long, value_parser = beta)]
    pub beta: Option<f64>,
    /// Adversarial weight perturbation: move weights against training by this share of their length (0.01, 0.005)
    #[arg(long, value_name = "GAMMA", value_parser = gamma)]
    pub awp: Option<f64>,
    /// Measure and keep averaged weights: ema-DECAY (every step), swa-FROM (epochs past that share of training)
    #[arg(long, value_name = "HOW")]
    pub average: Option<Averaging>,
    /// Share of a label's weight that training spreads over all classes
    #[arg(long, value_name = "S", value_parser = smoothing)]
    pub label_smoothing: Option<f64>,
    /// Norm of the threat model: linf, l2
    #[arg(long, default_value = "linf")]
    pub norm: Norm,
    /// Radius of the threat model in pixel units: 8/255, 0.5, ...
    #[arg(long)]
    pub eps: Option<Epsilon>,
    /// Save every M minutes within an epoch; a killed run loses no more than that
    #[arg(long, value_name = "M", value_parser = minutes, default_value = "10")]
    pub save_minutes: Duration,
    /// Folder for results
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Weights and variants of I2FR
    #[command(flatten)]
    pub i2fr: I2frArgs,
}

/// A mean or a deviation of pixels, for a command line: those of 8-bit pixels are a mistake.
///
/// # Errors
/// When it is no number, or more than 1.
pub fn of_pixels(text: &str) -> anyhow::Result<f32> {
    let value: f32 = text.trim().parse()?;
    // What is no number is refused where the network is.
    anyhow::ensure!(value.is_nan() || value <= 1., "pixels are in [0, 1]: divide by 255");
    Ok(value)
}
