//! What a training would take, in time by the runs that are stored, and on disk.

use crate::{config::RunConfig, files, run::Record};
use anyhow::Result;
use candle::Device;
use data::Name;
use indicatif::{HumanBytes, HumanDuration};
use std::{path::Path, time::Duration};

/// Tables, events, pictures and a page of one run: more than any of ours took.
const SMALL_FILES: u64 = SMALL_MIB << 20;
const SMALL_MIB: u64 = 2;

/// Forward-and-backward passes per image of one training step with `steps` attack steps.
fn passes(config: &RunConfig) -> f64 {
    let steps = frameworks::own_steps(&config.framework).unwrap_or(config.attack_steps);
    let updates = if config.awp.is_some() { 2 } else { 1 };
    updates as f64 + steps as f64
}

/// Images of an epoch.
fn images(config: &RunConfig) -> usize {
    // What cannot be trained takes no time; why not is told when it is tried.
    config.trained_on(config.dataset.parse().map_or(0, Name::train_len)).unwrap_or(0)
}

/// Forward-and-backward passes of a whole training.
pub(super) fn work(config: &RunConfig) -> f64 {
    images(config) as f64 * config.epochs as f64 * passes(config)
}

/// So many seconds as progress says it: `12 minutes`.
fn told(seconds: f64) -> HumanDuration {
    HumanDuration(Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX))
}

/// How fast stored runs of the same kind trained.
pub(super) struct Rate(Option<f64>);

impl Rate {
    /// As those in `out` that are like `like`.
    pub(super) fn of_stored_runs(out: &Path, like: &RunConfig) -> Self {
        let kind = |config: &RunConfig| {
            let RunConfig { arch, dataset, device, precision, .. } = config;
            [arch, dataset, device, precision].map(String::clone)
        };
        let folders = std::fs::read_dir(out.join("runs")).into_iter().flatten().flatten();
        let rates: Vec<f64> = folders
            .filter_map(|folder| Record::read(&folder.path()).ok().flatten())
            .filter(|r| r.finished && kind(&r.config) == kind(like))
            .map(|r| r.provenance.images_per_second * passes(&r.config))
            .collect();
        Self((!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64))
    }

    pub(super) fn estimate(&self, config: &RunConfig) -> String {
        let plural = if config.epochs == 1 { "" } else { "s" };
        let work = format!("{} epoch{plural} of {} images x {} passes", config.epochs, images(config), passes(config));
        match self.0 {
            Some(rate) => format!("about {} ({work})", told(self::work(config) / rate)),
            None => format!("{work}; no stored run of this kind to time it by"),
        }
    }

    /// What all of them take one after the other, where that is known.
    pub(super) fn total(&self, configs: &[&RunConfig]) -> Option<String> {
        let work = configs.iter().map(|config| work(config)).sum::<f64>();
        self.0
            .filter(|_| work > 0.)
            .map(|rate| format!("training in all: about {}; measuring comes on top", told(work / rate)))
    }
}

/// What the results folder `out` takes, and what the `missing` runs, all of one network, will take at most.
///
/// # Errors
/// When the network cannot be built.
pub(super) fn disk(out: &Path, missing: &[&RunConfig]) -> Result<String> {
    let place = format!("disk: {} takes {}", out.display(), HumanBytes(files::size(out)));
    let (Some(config), runs) = (missing.first(), missing.len()) else { return Ok(place) };
    let name: Name = config.dataset.parse()?;
    let net = config.net(name.shape(), name.classes(), &Device::Cpu)?;
    let floats = |count: usize| 4 * count as u64;
    let weights = floats(net.state()?.values().map(candle::Tensor::elem_count).sum());
    let velocities = floats(net.parameters().trainable().map(|(_, var)| var.elem_count()).sum());
    let run = 2 * weights + SMALL_FILES;
    // Its weights, the best ones, averages, velocities, and what terms remember: class means at most, smaller than a layer.
    let averages = if missing.iter().any(|config| config.averaging.is_some()) { weights } else { 0 };
    let state = 2 * weights + averages + 2 * velocities;
    let more = if runs == 1 { "1 more run".to_owned() } else { format!("{runs} more runs") };
    Ok(format!(
        "{place}; {more} will add at most {} ({} of weights and {SMALL_MIB} MiB of small files each)\n      \
         one under way has up to {} of states on top: the newest two are kept, a third is being written; none stays",
        HumanBytes(runs as u64 * run),
        HumanBytes(2 * weights),
        HumanBytes(3 * state),
    ))
}
