//! How much to spend on a run.

mod budget;
mod recipe;

use crate::{
    arsenal,
    cli::{Optimizer, Threat, TrainingArgs},
    config::RunConfig,
    verdicts::CLEAN,
};
use clap::{ValueEnum, builder::PossibleValue};
use data::Name;
use frameworks::Schedule;
use models::Arch;
use std::fmt;

pub use budget::{budget, size};
pub use recipe::recipe;

/// Adam's peak learning rate, for grey digits.
const GREY_LR: f64 = 5e-3;

/// Epochs over which the radius rises, for grey digits: begun at the whole 0.3, PGD-AT learns nothing.
const GREY_WARM_UP: usize = 2;

/// A preset of data, network and effort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Embedded synthetic images, a whole grid in minutes on two cores; no network, no files.
    Quick,
    /// Real MNIST at full scale, a small network.
    Mnist,
    /// Real CIFAR-10, a small network, an evening on two cores.
    Cpu,
    /// CIFAR-10, ResNet-18, for a data-centre GPU; not run yet.
    Gpu,
    /// The field's full recipe.
    Paper,
}

/// What a profile stands for where the command line is silent.
struct Preset {
    dataset: Name,
    arch: Arch,
    epochs: usize,
    /// Training images; 0: all.
    train_examples: usize,
    held_out: usize,
    /// Test images; 0: all.
    eval_examples: usize,
    /// Of those, how many AutoAttack and the adaptive attack take; 0: all.
    autoattack_examples: usize,
    batch: usize,
    lr: f64,
    schedule: Schedule,
    attack_steps: usize,
    seeds: &'static [u64],
}

impl Profile {
    fn preset(self) -> Preset {
        match self {
            Self::Quick => Preset {
                dataset: Name::Synthetic,
                arch: Arch::Tiny,
                epochs: 7,
                train_examples: 0,
                held_out: 400,
                eval_examples: 500,
                autoattack_examples: 64,
                batch: 50,
                lr: 0.1,
                schedule: Schedule::OneCycle,
                attack_steps: 5,
                seeds: &[0],
            },
            Self::Mnist => Preset {
                dataset: Name::Mnist,
                arch: Arch::MnistCnn,
                epochs: 10,
                train_examples: 0,
                held_out: 1_000,
                eval_examples: 0,
                // Five seeds of so many take as long as one of all, and tell more.
                autoattack_examples: 2_000,
                batch: 100,
                lr: GREY_LR,
                schedule: Schedule::OneCycle,
                attack_steps: 40,
                seeds: &[0],
            },
            Self::Cpu => Preset {
                dataset: Name::Cifar10,
                arch: Arch::CifarResNet(8),
                epochs: 20,
                train_examples: 13_000,
                held_out: 1_000,
                eval_examples: 0,
                autoattack_examples: 1_000,
                batch: 64,
                lr: 0.2,
                schedule: Schedule::OneCycle,
                attack_steps: 5,
                seeds: &[0],
            },
            Self::Gpu => Preset {
                dataset: Name::Cifar10,
                arch: Arch::ResNet18,
                epochs: 20,
                train_examples: 0,
                held_out: 1_000,
                eval_examples: 0,
                autoattack_examples: 1_000,
                batch: 128,
                lr: 0.1,
                schedule: Schedule::OneCycle,
                attack_steps: 10,
                seeds: &[0],
            },
            Self::Paper => Preset {
                dataset: Name::Cifar10,
                arch: Arch::PreActResNet18,
                epochs: 110,
                train_examples: 0,
                held_out: 1_000,
                eval_examples: 0,
                autoattack_examples: 0,
                batch: 128,
                lr: 0.1,
                schedule: Schedule::Piecewise,
                attack_steps: 10,
                seeds: &[0, 1, 2],
            },
        }
    }

    /// Seeds where the command line names none.
    pub fn seeds(self) -> Vec<u64> {
        self.preset().seeds.to_vec()
    }
}

/// A run's settings before framework, regulariser and seed are chosen.
pub fn resolve(args: &TrainingArgs) -> RunConfig {
    let preset = args.profile.preset();
    let dataset = args.dataset.unwrap_or(preset.dataset);
    let grey = dataset.shape()[0] == 1;
    // A colour profile's network does not suit grey digits, and their literature has its own radius.
    let arch = args.arch.unwrap_or(if grey { Arch::MnistCnn } else { preset.arch });
    let epochs = args.epochs.unwrap_or(preset.epochs);
    // A short training is still to reach the whole radius.
    let usual = if grey { GREY_WARM_UP.min(epochs / 2) } else { 0 };
    let warm_up = args.eps_warm_up.unwrap_or(usual);
    // Nor does its optimiser leave the constant prediction at their radius.
    let adam = args.optimizer.map_or(grey, |optimizer| optimizer == Optimizer::Adam);
    let eps = args.eps.clone().unwrap_or_else(|| Threat::usual(args.norm, dataset.shape()[0]).epsilon);
    // The usual length by another name is no other training.
    let step = args.attack_step.as_ref().filter(|step| step.value() != eps.value() / 4.);
    RunConfig {
        format: 1,
        dataset: dataset.to_string(),
        arch: arch.to_string(),
        framework: String::new(),
        regularizer: None,
        beta: args.beta,
        awp: args.awp,
        averaging: args.average.map(|how| how.to_string()),
        label_smoothing: args.label_smoothing,
        norm: args.norm.to_string(),
        epsilon: eps.to_string(),
        attack_steps: args.attack_steps.unwrap_or(preset.attack_steps),
        attack_step: step.map(ToString::to_string),
        warm_up: Some(warm_up).filter(|epochs| *epochs > 0),
        epochs,
        train_examples: match args.train_examples {
            Some(all) if all >= dataset.train_len() => 0,
            some => some.unwrap_or(preset.train_examples),
        },
        held_out: preset.held_out,
        batch: args.batch.unwrap_or(preset.batch),
        lr: args.lr.unwrap_or(if adam { GREY_LR } else { preset.lr }),
        schedule: args.schedule.unwrap_or(preset.schedule).to_string(),
        optimizer: adam.then(|| "adam".to_owned()),
        momentum: 0.9,
        weight_decay: args.weight_decay.unwrap_or(if adam { 0. } else { 5e-4 }),
        crop_padding: if grey { 0 } else { 4 },
        // Mirrored digits and letters are other digits and letters.
        flip: !grey && dataset != Name::Svhn,
        seed: 0,
        device: args.device.kind().into(),
        precision: args.device.precision.to_string(),
    }
}

/// How many test images `attack` takes, the first of them; 0: all.
pub fn examples(args: &TrainingArgs, attack: &str) -> usize {
    let preset = args.profile.preset();
    let all = args.eval_examples.unwrap_or(preset.eval_examples);
    let few = args.autoattack_examples.unwrap_or(preset.autoattack_examples);
    // A sequence of attacks takes thousands of passes an image.
    let dear = arsenal::stages(attack, None).is_ok_and(|stages| stages.len() > 1);
    match (dear, all, few) {
        (false, _, _) | (true, _, 0) => all,
        (true, 0, few) => few,
        (true, all, few) => few.min(all),
    }
}

/// As many test images as any attack alone takes, but at most `most`.
pub(crate) fn examples_at_most(args: &TrainingArgs, most: usize) -> usize {
    match examples(args, CLEAN) {
        0 => most,
        wanted => wanted.min(most),
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", PossibleValue::get_name))
    }
}
