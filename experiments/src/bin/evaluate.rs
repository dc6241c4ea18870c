//! Evaluates a checkpoint, ours or a published one, on clean and attacked test images.
//!
//! ```text
//! cargo run --release --bin evaluate -- --checkpoint resnet20.th --arch resnet20 --dataset cifar10 \
//!     --data-dir DIR --eps 1/255 --attack fgsm,pgd-20,cw --out results/resnet20
//! ```

use anyhow::Context;
use attacks::{Ball, Norm, Probe, UnknownAttack};
use clap::Parser;
use experiments::{
    cli::{DeviceChoice, Epsilon, at_least_one},
    evaluation::{CLEAN, Outcome, measure, write_examples},
    files,
};
use models::{Arch, Net, Normalization, checkpoint};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::ExitCode,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Evaluates a checkpoint on clean and attacked test images.
#[derive(Parser, Debug)]
#[command(version, about, max_term_width = 100)]
struct Args {
    /// Weights: safetensors, or a PyTorch .pt/.pth/.th state dict
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Architecture of the weights
    #[arg(long)]
    arch: Arch,
    /// Data set whose test images are used
    #[arg(long, default_value = "cifar10")]
    dataset: data::Name,
    /// Local copy of the data set
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Norm of the threat model: linf, l2
    #[arg(long, default_value = "linf")]
    norm: Norm,
    /// Radius of the threat model in pixel units
    #[arg(long, default_value = "8/255", allow_negative_numbers = true)]
    eps: Epsilon,
    /// Attacks, separated by commas: fgsm, pgd-K, pgd-KxRESTARTS, mim-K, cw, cw-K, apgd-ce, apgd-dlr; clean accuracy is always reported
    #[arg(long, value_delimiter = ',', value_parser = known)]
    attack: Vec<String>,
    /// The first N test images [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    examples: Option<usize>,
    /// Seed of the attacks' random starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Device: auto, cpu, cuda, cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Means the network subtracts, one a channel [default: the checkpoint's, else the architecture's]
    #[arg(long, value_delimiter = ',', value_name = "R,G,B", requires = "std")]
    mean: Vec<f32>,
    /// Deviations the network divides by, one a channel
    #[arg(long, value_delimiter = ',', value_name = "R,G,B", requires = "mean")]
    std: Vec<f32>,
    /// Folder for summary.csv and examples.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn known(attack: &str) -> Result<String, UnknownAttack> {
    if attack != CLEAN {
        // Whether there is such an attack does not depend on the radius.
        Probe::named(attack, Ball::grey_levels(8.))?;
    }
    Ok(attack.into())
}

/// A line of `summary.csv`.
#[derive(Serialize)]
struct Line<'a> {
    attack: &'a str,
    examples: usize,
    clean_percent: f64,
    robust_percent: f64,
    seconds: f64,
}

fn main() -> ExitCode {
    experiments::main(|args: &Args| Some(args.out.as_path()), evaluate)
}

fn evaluate(args: &Args) -> anyhow::Result<()> {
    files::create_folder(&args.out)?;
    let device = args.device.open()?;
    let ball = args.eps.ball(args.norm);
    let mut seen = BTreeSet::from([CLEAN]);
    let attacks: Vec<&String> = args.attack.iter().filter(|name| seen.insert(name.as_str())).collect();
    let probes = attacks.iter().map(|name| Probe::named(name, ball)).collect::<Result<Vec<_>, _>>()?;
    let test = data::load(args.dataset, args.data_dir.as_deref(), 0)?.test;
    let test = test.first(args.examples.unwrap_or(test.len()));
    let net = load(args, &test, &device)?;

    let mut outcomes: Vec<Outcome> = Vec::new();
    for probe in std::iter::once(None).chain(probes.iter().map(Some)) {
        let before = outcomes.first().map(Outcome::flags).unwrap_or_default();
        let title = args.arch.to_string();
        let measured = measure(&net.frozen(), &test, probe, &before, args.seed, &device, &title)?;
        let attack = probe.map_or(CLEAN, |probe| &probe.name);
        let (norm, epsilon) = (args.norm.to_string(), args.eps.to_string());
        let outcome = Outcome::new(&args.checkpoint.display().to_string(), attack, [&norm, &epsilon], measured);
        let Outcome { seconds, examples, .. } = outcome;
        println!("{attack:<12} {:6.2} %  ({examples} images, {seconds:.1} s)", outcome.percent());
        outcomes.push(outcome);
        write(args, &test, &outcomes)?;
    }
    Ok(())
}

fn load(args: &Args, test: &data::Dataset, device: &candle::Device) -> anyhow::Result<Net> {
    let path = &args.checkpoint;
    let weights = checkpoint::read(path).context("--checkpoint")?;
    let mut net = Net::new(args.arch, test.shape(), test.classes(), 0, device)?;
    let other = || {
        let path = path.display();
        format!("{path} does not fit --arch {}; give the architecture and data set it was trained with", args.arch)
    };
    net.load(&weights).with_context(other)?;
    let given = Normalization { mean: args.mean.clone(), std: args.std.clone() };
    let normalization = if given.mean.is_empty() { stored(&checkpoint::metadata(path)?) } else { Some(given) };
    match normalization {
        Some(normalization) => Ok(net.normalized_by(normalization.for_channels(test.shape()[0])?)),
        None => Ok(net),
    }
}

/// The normalisation our own checkpoints carry.
fn stored(metadata: &BTreeMap<String, String>) -> Option<Normalization> {
    let numbers =
        |key: &str| metadata.get(key)?.split(',').map(|number| number.parse().ok()).collect::<Option<Vec<f32>>>();
    Some(Normalization { mean: numbers("mean")?, std: numbers("std")? })
}

fn write(args: &Args, test: &data::Dataset, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let clean_percent = outcomes.first().map_or(0., Outcome::percent);
    let line = |o: &'_ Outcome| (o.attack.clone(), o.examples, o.percent(), o.seconds);
    let rows: Vec<_> = outcomes.iter().map(line).collect();
    let lines: Vec<Line<'_>> = rows
        .iter()
        .map(|(attack, examples, robust_percent, seconds)| Line {
            attack,
            examples: *examples,
            clean_percent,
            robust_percent: *robust_percent,
            seconds: *seconds,
        })
        .collect();
    files::write_csv(&args.out.join("summary.csv"), &lines)?;
    write_examples(&args.out.join("examples.csv"), test, &outcomes.iter().collect::<Vec<_>>())
}
