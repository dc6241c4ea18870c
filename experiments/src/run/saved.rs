//! What a training leaves on the way, and going on from there.
//!
//! One sealed file holds everything, and the one before it is kept: whatever a crash or a failing disk does to
//! the newest, training goes on from the other and ends with the same bits.

use super::{Checkpoint, RECORD, Record, Run, seal};
use crate::{files, findings::EpochLine, network::listed, provenance::Provenance};
use anyhow::{Context, Result};
use candle::Tensor;
use frameworks::{Resume, Trainer};
use models::{Net, checkpoint};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

/// What a record says of weights: checksums by their names.
pub(super) enum Sums {
    /// Those that are there.
    Trained(BTreeMap<String, String>),
    /// Those that are being trained again and were measured before; none for a run's first training.
    Sought(BTreeMap<String, String>),
}

/// The newest state, and the one before it.
pub(super) const STATES: [&str; 2] = ["resume.safetensors", "resume-before.safetensors"];

/// Weights and buffers by name.
type Weights = BTreeMap<String, Tensor>;

/// What the trainer does not know of the training so far.
#[derive(Default)]
pub(super) struct History {
    /// A line an epoch.
    pub(super) rows: Vec<EpochLine>,
    /// The weights of the best of them.
    pub(super) best: Weights,
    /// What it took.
    pub(super) seconds: f64,
}

impl History {
    /// The epoch whose weights are the best.
    fn best_epoch(&self) -> usize {
        self.rows.iter().rfind(|row| row.best).map_or(0, |row| row.epoch)
    }
}

impl Run {
    /// The newest state to resume from, and the one before it.
    pub(super) fn states(&self) -> [PathBuf; 2] {
        STATES.map(|name| self.folder.join(name))
    }

    pub(super) fn write_record(&self, provenance: &Provenance, sums: Sums) -> Result<()> {
        let Self { config, folder } = self;
        let (game, provenance) = (config.game()?.to_string(), provenance.clone());
        let finished = matches!(sums, Sums::Trained(_));
        let (weights_sha256, measured_sha256) = match sums {
            Sums::Trained(sums) => (sums, BTreeMap::new()),
            Sums::Sought(measured) => (BTreeMap::new(), measured),
        };
        let (id, config) = (config.id(), config.clone());
        let record = Record { id, config, game, provenance, weights_sha256, measured_sha256, finished };
        files::write(&folder.join(RECORD), &serde_json::to_vec_pretty(&record)?)
    }

    /// Writes what an epoch has come to: its weights, those of the best one if it is that, and, if it is trained for
    /// the `first` time, the table; one of all epochs stays until it is trained again.
    pub(super) fn write_epoch(&self, trainer: &Trainer, history: &History, first: bool) -> Result<()> {
        let epoch = trainer.epochs_done();
        if history.best_epoch() == epoch {
            self.write_weights(Checkpoint::Best, trainer.net(), &history.best, epoch)?;
        }
        self.write_weights(Checkpoint::Last, trainer.net(), &trainer.weights()?, epoch)?;
        if first { files::write_csv(&self.folder.join("epochs.csv"), &history.rows) } else { Ok(()) }
    }

    /// Writes what the whole training has come to, whatever stands there; returns the checksums of the weights.
    pub(super) fn write_all(&self, trainer: &Trainer, history: &History) -> Result<BTreeMap<String, String>> {
        files::write_csv(&self.folder.join("epochs.csv"), &history.rows)?;
        let (net, last) = (trainer.net(), trainer.weights()?);
        let of = |checkpoint, weights, epoch| {
            Ok((Checkpoint::name(checkpoint).to_owned(), self.write_weights(checkpoint, net, weights, epoch)?))
        };
        [of(Checkpoint::Best, &history.best, history.best_epoch()), of(Checkpoint::Last, &last, trainer.epochs_done())]
            .into_iter()
            .collect()
    }

    /// Writes weights of `net`; returns the checksum of the file.
    fn write_weights(&self, checkpoint: Checkpoint, net: &Net, weights: &Weights, epoch: usize) -> Result<String> {
        let about = BTreeMap::from([
            ("arch".to_owned(), net.arch().to_string()),
            ("head".to_owned(), net.head().to_string()),
            ("mean".to_owned(), listed(&net.normalization().mean)),
            ("std".to_owned(), listed(&net.normalization().std)),
            ("epoch".to_owned(), epoch.to_string()),
        ]);
        let path = self.weights(checkpoint);
        let bytes = checkpoint::serialize(&path, weights, &about)?;
        files::write(&path, &bytes)?;
        Ok(crate::provenance::sha256(&bytes))
    }

    /// Writes everything an interrupted run needs, and keeps what was written before.
    pub(super) fn save(&self, trainer: &Trainer, history: &History) -> Result<()> {
        let state = trainer.state()?;
        let mut all = BTreeMap::new();
        let Resume { net, optimizer, memory, average, .. } = &state;
        let parts =
            [("net", net), ("optimizer", optimizer), ("memory", memory), ("average", average), ("best", &history.best)];
        for (part, tensors) in parts {
            all.extend(tensors.iter().map(|(name, tensor)| (format!("{part}/{name}"), tensor.clone())));
        }
        let about = [
            ("epochs", state.epochs.to_string()),
            ("step", state.step.to_string()),
            ("loss_sum", state.loss_sum.to_string()),
            ("best_percent", state.best_percent.map(|p| p.to_string()).unwrap_or_default()),
            ("train_seconds", history.seconds.to_string()),
            ("history", files::csv(&history.rows)?),
        ];
        let about = about.map(|(key, value)| (key.to_owned(), value)).into();
        let [newest, before] = self.states();
        let bytes = seal::sealed(&newest, &all, about)?;
        files::replace(&newest, |temporary| {
            let mut file = File::create(temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            // Not sooner: on a full disk both stay as they are.
            if newest.is_file() { Ok(fs::rename(&newest, &before)?) } else { Ok(()) }
        })
    }

    /// Puts the trainer where an interrupted run stood; returns the history so far, if there is any.
    pub(super) fn resume(&self, trainer: &mut Trainer) -> Result<Option<History>> {
        let [newest, before] = self.states();
        if self.own_record()?.is_none() {
            // They belong to nothing that is known.
            files::remove(&newest)?;
            files::remove(&before)?;
            return Ok(None);
        }
        let mut damage: Option<anyhow::Error> = None;
        for path in [&newest, &before].into_iter().filter(|path| path.is_file()) {
            let read = read(path).and_then(|(state, history)| {
                trainer.resume(&state)?;
                Ok((state, history))
            });
            match read {
                Ok((state, history)) => {
                    if let Some(damage) = damage {
                        tracing::warn!(
                            "{}: damaged ({damage:#}); going on from the state saved before it",
                            newest.display()
                        );
                    }
                    if path == &before {
                        // From here on it is the newest, and must outlive what is saved next.
                        fs::rename(&before, &newest).with_context(|| format!("cannot move {}", before.display()))?;
                    }
                    let steps = if state.step == 0 { String::new() } else { format!(" and {} steps", state.step) };
                    tracing::info!("{}: resuming after epoch {}{steps}", self.name(), state.epochs);
                    return Ok(Some(history));
                }
                Err(e) => damage = damage.or(Some(e)),
            }
        }
        let Some(damage) = damage else { return Ok(None) };
        let left: Vec<String> =
            [newest, before].iter().filter(|path| path.is_file()).map(|path| path.display().to_string()).collect();
        let (nor, it) = if left.len() > 1 { (" (nor is the one before it)", "both") } else { ("", "it") };
        let left = left.join(" and ");
        Err(damage.context(format!("{left}: not a state to resume from{nor}; delete {it} to start the run anew")))
    }
}

/// The state at `path`.
fn read(path: &Path) -> Result<(Resume, History)> {
    let (tensors, about) = (checkpoint::read(path)?, checkpoint::metadata(path)?);
    seal::check(fs::read(path)?)?;
    let part = |name: &str| -> Weights {
        let inside = |(key, tensor): (&String, &Tensor)| {
            Some((key.strip_prefix(name)?.strip_prefix('/')?.to_owned(), tensor.clone()))
        };
        tensors.iter().filter_map(inside).collect()
    };
    let text = |key: &str| about.get(key).map(String::as_str).with_context(|| format!("it does not say `{key}`"));
    let state = Resume {
        epochs: text("epochs")?.parse()?,
        step: text("step")?.parse()?,
        loss_sum: text("loss_sum")?.parse()?,
        best_percent: Some(text("best_percent")?).filter(|text| !text.is_empty()).map(str::parse).transpose()?,
        net: part("net"),
        optimizer: part("optimizer"),
        memory: part("memory"),
        average: part("average"),
    };
    let rows = files::rows(text("history")?.as_bytes())?;
    Ok((state, History { rows, best: part("best"), seconds: text("train_seconds")?.parse()? }))
}

/// An error if the state at `path` could not be resumed from.
pub(super) fn check(path: &Path) -> Result<()> {
    read(path).map(|_| ())
}
