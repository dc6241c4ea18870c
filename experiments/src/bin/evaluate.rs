//! Evaluates a checkpoint, ours or a published one, on clean and attacked test images.
//!
//! ```text
//! cargo run --release --bin evaluate -- --checkpoint resnet20.th --arch resnet20 --dataset cifar10 \
//!     --data-dir DIR --eps 1/255 --attack fgsm,pgd-20,cw --out results/resnet20
//! ```

use anyhow::{Context, Result};
use attacks::Norm;
use clap::Parser;
use data::Dataset;
use experiments::{
    Usage,
    arsenal::{self, Arsenal, Surrogate},
    audit::{Audit, Examined, Subject, Verdict},
    cli::{DeviceChoice, Epsilon, at_least_one},
    evaluation::Examination,
    files,
    lock::Lock,
    provenance::sha256,
    score::{self, About},
    verdicts::{CLEAN, Place, Verdicts},
};
use models::{Arch, Head, Model, Net, Normalization, checkpoint};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
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
    /// Last layer: linear, cosine-SCALE; of --checkpoint only [default: the checkpoint's, else linear]
    #[arg(long)]
    head: Option<Head>,
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
    /// Attacks, separated by commas: fgsm, pgd-K, pgd-KxRESTARTS, mim-K, cw, apgd-ce, apgd-dlr, apgd-t, fab-t, square, noise, autoattack (also -plus, -rand), adaptive, transfer; clean accuracy is always reported
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
    /// Weights whose adversarial examples `transfer` tries
    #[arg(long, value_name = "FILE")]
    surrogate: Option<PathBuf>,
    /// Architecture of the surrogate [default: that of --arch]
    #[arg(long, value_name = "ARCH", requires = "surrogate")]
    surrogate_arch: Option<Arch>,
    /// Weights of an undefended network of the same architecture, which every attack should break
    #[arg(long, value_name = "FILE")]
    control: Option<PathBuf>,
    /// Run every attack the audit asks for; without it, only what was measured is audited
    #[arg(long)]
    audit: bool,
    /// Folder for summary.csv, intervals.csv, examples.csv, stages.csv, robustbench.json, audit.md and audit.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn known(attack: &str) -> Result<String> {
    arsenal::stages(attack, Some("any"))?;
    Ok(attack.into())
}

fn main() -> ExitCode {
    experiments::main(|args: &Args| Some(args.out.as_path()), evaluate)
}

fn evaluate(args: &Args) -> Result<()> {
    files::create_folder(&args.out)?;
    let device = args.device.open()?;
    let attacks: Vec<&str> = args.attack.iter().map(String::as_str).filter(|attack| *attack != CLEAN).collect();
    if attacks.contains(&"transfer") && args.surrogate.is_none() {
        return Err(Usage("--attack transfer needs another network: give its weights with --surrogate".into()).into());
    }
    let _alone = Lock::take(&args.out, "choose another folder with --out")?;
    let all = data::load(args.dataset, args.data_dir.as_deref(), 0)?.test;
    let examples = args.examples.unwrap_or(all.len()).min(all.len());
    let net = load(&args.checkpoint, args.arch, args, &all, &device).context("--checkpoint")?;
    let surrogate = args.surrogate.as_deref().map(|path| surrogate(path, args, &all, &device)).transpose()?;
    // Before the network itself: both keep their verdicts in one file.
    let control = args.control.as_deref().map(|path| control(path, args, &all, examples, &device)).transpose()?;
    let model = net.frozen();
    let place = place(&args.checkpoint, args, &net, &all)?;
    let mut examination = examine(args, &model, place, &all, &device, surrogate)?;
    let mut about = About {
        name: file_name(&args.checkpoint),
        architecture: args.arch.to_string(),
        dataset: args.dataset.to_string(),
        checkpoint_sha256: sha256(&std::fs::read(&args.checkpoint)?),
        unreliable: None,
    };

    let mut seen = BTreeSet::new();
    let mut outcomes = Vec::new();
    for attack in std::iter::once(CLEAN).chain(attacks).filter(|name| seen.insert(*name)) {
        let outcome = examination.outcome(attack, examples)?;
        println!("{}", score::line(&outcome));
        outcomes.push(outcome);
        score::write(&args.out, &examination, &outcomes, &about)?;
    }
    let worst = score::worst_case(&outcomes);
    if outcomes.len() > 2 {
        println!("{}", score::line(&worst));
    }

    let subject = Subject {
        name: &about.name,
        about: &format!("{}; seed {}", args.arch, args.seed),
        model: &model,
        data: &all.first(examples),
        ball: args.eps.ball(args.norm),
        device: &device,
        control: control.map(|percent| ("an undefended network", percent)),
    };
    let mut evidence = Examined { examination: &mut examination, examples, measure: args.audit };
    let audit = Audit::of(&subject, &mut evidence)?;
    audit.write(&args.out.join("audit"))?;
    println!("audit: {}", audit.summary());
    about.unreliable = Some(audit.verdict() == Verdict::Fail);
    score::write(&args.out, &examination, &outcomes, &about)
}

fn examine<'a>(
    args: &Args,
    model: &'a dyn Model,
    place: Place,
    test: &'a Dataset,
    device: &'a candle::Device,
    surrogate: Option<Surrogate>,
) -> Result<Examination<'a>> {
    Ok(Examination {
        name: args.arch.to_string(),
        model,
        test,
        place,
        seed: args.seed,
        device,
        arsenal: Arsenal::new(test, device, None, surrogate),
        verdicts: Verdicts::read(args.out.join("evaluations.csv"))?,
    })
}

/// The accuracy of an undefended network under PGD-20.
fn control(path: &Path, args: &Args, test: &Dataset, examples: usize, device: &candle::Device) -> Result<f64> {
    let net = load(path, args.arch, args, test, device).context("--control")?;
    let place = place(path, args, &net, test)?;
    let model = net.frozen();
    Ok(examine(args, &model, place, test, device, None)?.outcome("pgd-20", examples)?.percent())
}

/// Where verdicts are kept: they depend on everything that the name says or the hash was made of.
fn place(path: &Path, args: &Args, net: &Net, test: &Dataset) -> Result<Place> {
    let Args { dataset, seed, arch, .. } = args;
    let weights = sha256(&std::fs::read(path)?);
    // What computes, as its bits are its own.
    let device = match args.device.kind() {
        "cpu" => format!("{:?}", kernels::isa()),
        card => card.into(),
    };
    let mut of = format!("1 {weights} {arch} {:?} {dataset} {} {seed} {device}", net.normalization(), test.sha256());
    if net.head() != Head::Linear {
        of += &format!(" {}", net.head());
    }
    let checkpoint = format!("{} {}", file_name(path), &sha256(of.as_bytes())[..10]);
    Ok(Place { checkpoint, norm: args.norm.to_string(), epsilon: args.eps.to_string() })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn surrogate(path: &Path, args: &Args, test: &Dataset, device: &candle::Device) -> Result<Surrogate> {
    let net = load(path, args.surrogate_arch.unwrap_or(args.arch), args, test, device).context("--surrogate")?;
    Ok(Surrogate { id: sha256(&std::fs::read(path)?)[..10].into(), net: Arc::new(net) })
}

fn load(path: &Path, arch: Arch, args: &Args, test: &Dataset, device: &candle::Device) -> Result<Net> {
    let weights = checkpoint::read(path)?;
    let metadata = checkpoint::metadata(path)?;
    let head = match (args.head, metadata.get("head")) {
        (Some(head), _) => head,
        (None, Some(stored)) => stored.parse().with_context(|| format!("{}", path.display()))?,
        (None, None) => Head::Linear,
    };
    let mut net = Net::with_head(arch, head, test.shape(), test.classes(), 0, device)?;
    let other = || {
        let path = path.display();
        format!("{path} does not fit --arch {arch}; give the architecture and data set it was trained with")
    };
    net.load(&weights).with_context(other)?;
    let given = Normalization { mean: args.mean.clone(), std: args.std.clone() };
    let normalization = if given.mean.is_empty() { stored(&metadata) } else { Some(given) };
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
