//! Stored runs of published attack code on a published network.

use attacks::{Ball, Norm};
use candle::{DType, Device, Result, Tensor};
use models::{Arch, Mode, Model, Net, Output, View};
use objectives::{Clean, Objective, Stage};
use std::{collections::HashMap, path::PathBuf, sync::Mutex};

/// Where golden values are; `None` where there are none, which CI does not allow.
pub fn folder() -> Option<PathBuf> {
    given("I2FR_FIXTURES")
}

/// The folder that the environment's `variable` names.
pub fn given(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    assert!(folder.is_some() || !ci, "{variable} is unset, so there is nothing to compare with");
    folder
}

/// The tensors of one file; `None` without a folder to compare with.
pub fn load(file: &str) -> Option<HashMap<String, Tensor>> {
    let path = folder()?.join(file);
    Some(candle::safetensors::load(&path, &Device::Cpu).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// What the stored runs share.
pub struct Golden {
    pub stored: HashMap<String, Tensor>,
    pub images: Tensor,
    pub labels: Tensor,
    pub net: Net,
}

impl Golden {
    pub fn open() -> Option<Self> {
        let stored = load("attacks.safetensors")?;
        let reference = load("resnet20_reference.safetensors")?;
        let path = folder()?.join("checkpoints/resnet20-12fca82f.th");
        let state = models::checkpoint::read(&path).unwrap_or_else(|e| panic!("{e}"));
        let prepare = || -> Result<Self> {
            let images = (reference["images_u8"].to_dtype(DType::F32)? / 255.)?;
            let labels = stored["labels"].to_dtype(DType::U32)?;
            let mut net = Net::new(Arch::CifarResNet(20), [3, 32, 32], 10, 0, &Device::Cpu)?;
            net.load(&state).map_err(candle::Error::wrap)?;
            Ok(Self { stored: stored.clone(), images, labels, net })
        };
        Some(prepare().unwrap_or_else(|e| panic!("{e}")))
    }

    /// The stored runs whose names start with one of `families`, of which each must have some.
    pub fn runs(&self, families: &[&str]) -> Vec<String> {
        let mut runs: Vec<String> =
            self.stored.keys().filter_map(|key| split(key)).map(|(run, _)| run.into()).collect();
        runs.sort();
        runs.dedup();
        runs.retain(|run| families.iter().any(|family| run.starts_with(family)));
        for family in families {
            assert!(runs.iter().any(|run| run.starts_with(family)), "no stored run {family}");
        }
        runs
    }

    pub fn get(&self, run: &str, what: &str) -> Option<&Tensor> {
        self.stored.get(&format!("{run}.{what}"))
    }

    pub fn floats(&self, run: &str, what: &str) -> Vec<f32> {
        let t = self.get(run, what).unwrap_or_else(|| panic!("{run} has no {what}"));
        t.to_dtype(DType::F32).and_then(|t| t.flatten_all()?.to_vec1()).expect("values")
    }

    /// The stored count of robust images, to 2.
    pub fn assert_count(&self, run: &str, what: &str, ours: &[bool]) {
        let theirs = self.floats(run, what).iter().sum::<f32>() as usize;
        let count = ours.iter().filter(|hit| **hit).count();
        println!("{run}: {what} {count}, stored {theirs}");
        assert!(count.abs_diff(theirs) <= 2, "{run}: {what} {count}, not {theirs} of {}", ours.len());
    }
}

/// `objective` of each image, given its logits.
pub fn losses(objective: &Objective, logits: &Tensor, labels: &Tensor) -> Result<Vec<f32>> {
    let output = Output { features: logits.clone(), logits: logits.clone() };
    let clean = Clean::known(output.clone(), labels, Stage::Generation);
    objective.losses(&clean.against_known(output))?.to_vec1()
}

pub fn correct(logits: &Tensor, labels: &Tensor) -> Result<Vec<bool>> {
    Ok(logits.argmax(1)?.eq(labels)?.to_vec1::<u8>()?.into_iter().map(|hit| hit != 0).collect())
}

/// `run.tensor` apart; the run `pgd10.e1` contains a point itself.
pub fn split(key: &str) -> Option<(&str, &str)> {
    key.rsplit_once('.')
}

/// The threat model that a run's name ends with.
pub fn ball(run: &str) -> Ball {
    match run.rsplit_once('.').map_or(run, |(_, radius)| radius) {
        "e8" => Ball::grey_levels(8.),
        "e1" => Ball::grey_levels(1.),
        name if name == "l2" || name.starts_with("pgd_l2_") => Ball { norm: Norm::L2, eps: 0.5 },
        other => panic!("no threat model is known for {run} ({other})"),
    }
}

/// The number at the end of a run's attack: 20 of `apgd_ce20.e1`.
pub fn steps(run: &str) -> usize {
    let attack = run.split('.').next().unwrap_or(run);
    let digits = attack.trim_start_matches(|c: char| !c.is_ascii_digit());
    let digits = digits.rsplit('_').next().unwrap_or(digits);
    digits.parse().unwrap_or_else(|_| panic!("{run} names no number of steps"))
}

pub fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
}

/// The mean of `ours` within `share` of that of `theirs`, or of 0.01 where that is larger: a
/// cross-entropy below it comes from a few roundings.
pub fn assert_mean(what: &str, ours: &[f32], theirs: &[f32], share: f64) {
    let (a, b) = (mean(ours), mean(theirs));
    println!("{what}: mean {a:.4}, stored {b:.4}, {:+.2} %", 100. * (a - b) / b.abs());
    assert!((a - b).abs() <= share * b.abs().max(0.01), "{what}: mean {a}, not {b}");
}

/// A network that remembers what it was shown and what it said.
pub struct Recorder<'a> {
    net: View<'a>,
    calls: Mutex<Vec<(Tensor, Tensor)>>,
}

impl<'a> Recorder<'a> {
    pub fn new(net: &'a Net) -> Self {
        Self { net: net.frozen(), calls: Mutex::default() }
    }

    /// Images and logits of each call so far.
    pub fn calls(self) -> Vec<(Tensor, Tensor)> {
        self.calls.into_inner().expect("no thread panicked")
    }
}

impl Model for Recorder<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Output> {
        let output = self.net.forward(images, mode)?;
        let call = (images.detach().copy()?, output.logits.detach());
        self.calls.lock().expect("no thread panicked").push(call);
        Ok(output)
    }
}
