//! Evaluates a checkpoint, ours or a published one, on clean and attacked test images.
//!
//! ```text
//! cargo run --release --bin evaluate -- --checkpoint resnet20.th --arch resnet20 --dataset cifar10 \
//!     --data-dir DIR --eps 1/255 --attack fgsm,pgd-20,cw --out results/resnet20
//! cargo run --release --bin evaluate -- --checkpoint hf://OWNER/REPO/model.safetensors@main --attack pgd-20 --out DIR
//! ```

use anyhow::{Context, Result};
use attacks::Norm;
use clap::Parser;
use data::Dataset;
use experiments::{
    Usage, adversarial,
    arsenal::{self, Arsenal, Surrogate},
    audit::{Audit, Examined, Subject, Verdict},
    cli::{DeviceArgs, Epsilon, SourceArgs, TermArgs, Threat, Weights, at_least_one, of_pixels, said},
    evaluation::Examination,
    files,
    lock::Lock,
    network::{self, Traits},
    print_line,
    provenance::sha256,
    score::{self, About},
    verdicts::{CLEAN, Place, Verdicts},
};
use i2fr::I2fr;
use kernels::Precision;
use models::{Arch, Head, Model, Net, Normalization};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Evaluates a checkpoint on clean and attacked test images.
#[derive(Parser, Debug)]
struct Args {
    /// Weights: safetensors, or a PyTorch .pt/.pth/.th state dict; the folder of a run or an export; on the Hub, hf://OWNER/REPO/FILE@REVISION
    #[arg(long, value_name = "FILE")]
    checkpoint: Weights,
    /// Architecture of the weights [default: the checkpoint's, where it or the config.json beside it says so]
    #[arg(long)]
    arch: Option<Arch>,
    /// Last layer: linear, cosine-SCALE; of --checkpoint only [default: the checkpoint's, else linear]
    #[arg(long)]
    head: Option<Head>,
    /// Data set whose test images are used [default: the checkpoint's, else cifar10]
    #[arg(long)]
    dataset: Option<data::Name>,
    /// Where its files are
    #[command(flatten)]
    source: SourceArgs,
    /// Norm of the threat model: linf, l2 [default: the one it was trained for, else linf]
    #[arg(long)]
    norm: Option<Norm>,
    /// Radius of the threat model in pixel units [default: the one it was trained for, else in linf 8/255 (0.3 on grey images) and in l2 0.5 (2)]
    #[arg(long)]
    eps: Option<Epsilon>,
    /// Attacks, separated by commas: fgsm, pgd-K, pgd-KxRESTARTS, pgd-K@STEP (pgd-20@0.003; else eps/4), mim-K, cw, apgd-ce, apgd-dlr, apgd-scaled-ce, apgd-t, fab, fab-t, square, noise, autoattack (also -plus, -rand), adaptive (also its stages: pgd-i2fr, apgd-i2fr, apgd-ce-i2fr, match-features), transfer; clean accuracy is always reported
    #[arg(long, value_delimiter = ',', value_parser = known)]
    attack: Vec<String>,
    /// The first N test images [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    examples: Option<usize>,
    /// Seed of the attacks' random starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// What `adaptive` ascends, if not what the network was trained with
    #[command(flatten)]
    i2fr: TermArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// Means the network subtracts, one per channel, of pixels in [0, 1] [default: the checkpoint's, else the architecture's]
    #[arg(long, value_delimiter = ',', value_name = "R,G,B", requires = "std", value_parser = of_pixels)]
    mean: Vec<f32>,
    /// Deviations the network divides by, one per channel
    #[arg(long, value_delimiter = ',', value_name = "R,G,B", requires = "mean", value_parser = of_pixels)]
    std: Vec<f32>,
    /// Weights whose adversarial examples `transfer` tries
    #[arg(long, value_name = "FILE")]
    surrogate: Option<Weights>,
    /// Architecture of the surrogate [default: the surrogate's, else that of the checkpoint]
    #[arg(long, value_name = "ARCH", requires = "surrogate")]
    surrogate_arch: Option<Arch>,
    /// Weights of an undefended network of the same architecture, which every attack should break
    #[arg(long, value_name = "FILE")]
    control: Option<Weights>,
    /// Run every attack the audit asks for; without it, only what was measured is audited
    #[arg(long)]
    audit: bool,
    /// Write the adversarial examples of each attack, too: adversarial-ATTACK.safetensors
    #[arg(long)]
    save_examples: bool,
    /// Folder for summary.csv, intervals.csv, examples.csv, stages.csv, robustbench.json, audit.md and audit.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn known(attack: &str) -> Result<String> {
    let attack = attack.trim().to_lowercase();
    arsenal::stages(&attack, Some("any"))?;
    Ok(attack)
}

fn main() -> ExitCode {
    experiments::main(|args: &Args| Some(args.out.as_path()), evaluate)
}

fn evaluate(args: &Args) -> Result<()> {
    args.check()?;
    let attacks: Vec<&str> = args.attack.iter().map(String::as_str).filter(|attack| *attack != CLEAN).collect();
    let device = args.device.open()?;
    files::create_folder(&args.out)?;
    let _alone = Lock::take(&args.out, "choose another folder with --out")?;
    let load = |name| Ok::<_, anyhow::Error>(args.source.load_noting_gaps(name)?.test);
    let chosen = args.dataset.map(load).transpose()?;
    let (path, stated) = args.opened(&args.checkpoint, "--checkpoint")?;
    let (arch, head, normalization) = (args.arch, args.head, args.normalization());
    let traits = Traits { arch, head, normalization, ..Traits::default() }.or(stated);
    let arch = traits.architecture(&path)?;
    let all = match chosen {
        Some(all) => all,
        None => load(traits.dataset.unwrap_or(data::Name::Cifar10))?,
    };
    let examples = args.examples.unwrap_or(all.len()).min(all.len());
    let threat = traits.threat(args.norm, args.eps.clone(), all.shape())?;
    let i2fr = args.i2fr.over(&traits.i2fr.clone().filter(I2fr::weighs).unwrap_or_default());
    if !i2fr.weighs() {
        return Err(Usage("every weight of I2FR is 0, so there is nothing for `adaptive` to ascend".into()).into());
    }
    let net = network::load(&path, &traits, &all, &device).context("--checkpoint")?;
    let mut about = About {
        name: args.checkpoint.name(),
        architecture: arch.to_string(),
        dataset: all.name().to_string(),
        checkpoint_sha256: sha256(&std::fs::read(&path)?),
        normalization: net.normalization().clone(),
        unreliable: None,
    };
    about.check_folder(&args.out, &threat)?;
    let ground = Ground { args, test: &all, device: &device, threat: &threat, i2fr: &i2fr };
    let usual = Traits { arch: Some(arch), normalization: args.normalization(), ..Traits::default() };
    let surrogate = ground.surrogate(&usual)?;
    // Before the network itself: both keep their verdicts in one file.
    let control = ground.control(&usual, examples)?;
    let model = net.frozen();
    let mut examination = ground.examination(&path, &net, &model, surrogate)?;
    let images = format!("the first {examples} of {} test images of {}", all.len(), all.name());
    let ascended = match said(&i2fr) {
        other if other.is_empty() => String::new(),
        other => format!("; adaptive ascends I2FR with{other}"),
    };
    print_line(format_args!("{}: {arch}, {threat}, {images}{ascended}", about.name))?;

    let mut seen = BTreeSet::new();
    let mut outcomes = Vec::new();
    // The audit is written last: an older report that has one is complete, and stays until this one is.
    let last = args.out.join("audit.csv");
    let unfinished = !last.is_file();
    let kept = score::kept(&args.out, &examination, &attacks, examples);
    let kept = kept.iter().map(String::as_str);
    for attack in std::iter::once(CLEAN).chain(attacks).chain(kept).filter(|name| seen.insert(*name)) {
        let outcome = examination.outcome(attack, examples)?;
        print_line(score::line(&outcome))?;
        outcomes.push(outcome);
        if unfinished {
            score::write(&args.out, &examination, &outcomes, &about)?;
        }
    }
    let worst = score::worst_case(&outcomes);
    if outcomes.len() > 2 {
        print_line(score::line(&worst))?;
    }

    let subject = Subject {
        name: &about.name,
        about: &format!("{arch}; seed {}", args.seed),
        model: &model,
        data: &all.first(examples),
        ball: threat.ball(),
        device: &device,
        control: control.map(|percent| ("an undefended network", percent)),
    };
    let mut evidence = Examined { examination: &mut examination, examples, measure: args.audit };
    let audit = Audit::of(&subject, &mut evidence)?;
    let found = if args.audit { audit.summary().replace("**", "") } else { audit.in_passing() };
    print_line(format_args!("audit: {found}"))?;
    // What was only measured on the way may tell against it, but not in its favour.
    let failed = audit.verdict() == Verdict::Fail;
    about.unreliable = (args.audit || failed).then_some(failed);
    files::remove(&last)?;
    score::write(&args.out, &examination, &outcomes, &about)?;
    audit.write(&args.out.join("audit"))?;
    for outcome in outcomes.iter().filter(|outcome| args.save_examples && outcome.attack != CLEAN) {
        print_line(format_args!("wrote {}", adversarial::write(&args.out, &examination, outcome)?.display()))?;
    }
    Ok(())
}

impl Args {
    /// An error if an option is given that nothing asked for makes use of, or needs another.
    fn check(&self) -> Result<(), Usage> {
        let transfer = self.attack.iter().any(|attack| attack == "transfer");
        let ascends =
            |attack: &String| arsenal::stages(attack, Some("any")).is_ok_and(|stages| arsenal::on_own_terms(&stages));
        let what = if transfer && self.surrogate.is_none() {
            "--attack transfer needs another network: give its weights with --surrogate"
        } else if self.surrogate.is_some() && !self.audit && !transfer {
            "--surrogate is what `--attack transfer` and `--audit` attack by: add one of them"
        } else if !self.i2fr.are_silent() && !self.audit && !self.attack.iter().any(ascends) {
            "--i2fr-... is what `--attack adaptive` and `--audit` ascend: add one of them"
        } else {
            return Ok(());
        };
        Err(Usage(what.into()))
    }

    /// The file of weights that `option` names, once it is on this machine, and what it says of itself.
    fn opened(&self, weights: &Weights, option: &'static str) -> Result<(PathBuf, Traits)> {
        let path = weights.fetch(self.source.offline)?;
        let stated = Traits::stated(&path).context(option)?;
        Ok((path, stated))
    }

    fn normalization(&self) -> Option<Normalization> {
        let given = Normalization { mean: self.mean.clone(), std: self.std.clone() };
        if given.mean.is_empty() { None } else { Some(given) }
    }
}

/// What every network is tried on.
struct Ground<'a> {
    args: &'a Args,
    test: &'a Dataset,
    device: &'a candle::Device,
    threat: &'a Threat,
    i2fr: &'a I2fr,
}

impl<'a> Ground<'a> {
    fn examination(
        &self,
        path: &Path,
        net: &Net,
        model: &'a dyn Model,
        surrogate: Option<Surrogate>,
    ) -> Result<Examination<'a>> {
        Ok(Examination {
            name: net.arch().to_string(),
            model,
            test: self.test,
            place: self.place(path, net)?,
            seed: self.args.seed,
            device: self.device,
            arsenal: Arsenal::new(self.test, self.device, Some(self.i2fr.clone()), surrogate),
            verdicts: Verdicts::read(self.args.out.join("evaluations.csv"))?,
        })
    }

    /// Where verdicts are kept: they depend on everything that the name says or the hash was made of.
    fn place(&self, path: &Path, net: &Net) -> Result<Place> {
        let (seed, Threat { norm, epsilon }) = (self.args.seed, self.threat);
        let (weights, arch, dataset) = (sha256(&std::fs::read(path)?), net.arch(), self.test.name());
        let (normalization, images) = (net.normalization(), self.test.sha256());
        // What computes, as its bits are its own.
        let device = match (self.args.device.kind(), self.args.device.precision) {
            ("cpu", _) => format!("{:?}", kernels::isa()),
            (gpu, Precision::F32) => gpu.into(),
            (gpu, precision) => format!("{gpu} {precision}"),
        };
        let mut of = format!("1 {weights} {arch} {normalization:?} {dataset} {images} {seed} {device}");
        if net.head() != Head::Linear {
            of += &format!(" {}", net.head());
        }
        of += &said(self.i2fr);
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let checkpoint = format!("{file} {}", &sha256(of.as_bytes())[..10]);
        Ok(Place { checkpoint, norm: norm.to_string(), epsilon: epsilon.to_string() })
    }

    /// Another network than the one under evaluation: as given, else as it says, else as usual.
    fn other(&self, weights: &Weights, option: &'static str, given: Traits, usual: &Traits) -> Result<(PathBuf, Net)> {
        let (path, stated) = self.args.opened(weights, option)?;
        let traits = given.or(stated).or(usual.clone());
        let net = network::load(&path, &traits, self.test, self.device).context(option)?;
        Ok((path, net))
    }

    /// The network whose adversarial examples are tried.
    fn surrogate(&self, usual: &Traits) -> Result<Option<Surrogate>> {
        let Some(weights) = &self.args.surrogate else { return Ok(None) };
        let given = Traits { arch: self.args.surrogate_arch, ..Traits::default() };
        let (path, net) = self.other(weights, "--surrogate", given, usual)?;
        Ok(Some(Surrogate { id: sha256(&std::fs::read(&path)?)[..10].into(), net: Arc::new(net) }))
    }

    /// The accuracy of an undefended network under PGD-20.
    fn control(&self, usual: &Traits, examples: usize) -> Result<Option<f64>> {
        let Some(weights) = &self.args.control else { return Ok(None) };
        let (path, net) = self.other(weights, "--control", Traits::default(), usual)?;
        let model = net.frozen();
        let ground = Ground { ..*self };
        Ok(Some(ground.examination(&path, &net, &model, None)?.outcome("pgd-20", examples)?.percent()))
    }
}
