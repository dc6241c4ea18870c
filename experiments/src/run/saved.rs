//! What a training leaves on the way, and going on from there.

use super::{Checkpoint, Record, Run};
use crate::{files, provenance::Provenance};
use anyhow::{Context, Result};
use candle::Tensor;
use frameworks::{Epoch, Resume, Trainer};
use models::checkpoint;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// A line of `epochs.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EpochRow {
    epoch: usize,
    lr: f64,
    loss: f64,
    held_out_clean_percent: f64,
    held_out_robust_percent: f64,
    best: bool,
}

impl Run {
    pub(super) fn resume_file(&self) -> PathBuf {
        self.folder.join("resume.safetensors")
    }

    pub(super) fn write_record(&self, provenance: &Provenance, finished: bool) -> Result<()> {
        let Self { config, folder } = self;
        let game = config.game()?.to_string();
        let record = Record { id: config.id(), config: config.clone(), game, provenance: provenance.clone(), finished };
        files::write(&folder.join("run.json"), &serde_json::to_vec_pretty(&record)?)
    }

    /// Writes everything an interrupted run needs; `resume.safetensors` last, since it says how far it is.
    pub(super) fn save(&self, trainer: &Trainer, rows: &[EpochRow], best: bool, provenance: &Provenance) -> Result<()> {
        let state = trainer.state()?;
        let net = trainer.net();
        let join = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
        let about = BTreeMap::from([
            ("arch".to_owned(), net.arch().to_string()),
            ("mean".to_owned(), join(&net.normalization().mean)),
            ("std".to_owned(), join(&net.normalization().std)),
            ("epoch".to_owned(), state.epochs.to_string()),
        ]);
        for checkpoint in [Checkpoint::Best, Checkpoint::Last] {
            if best || checkpoint == Checkpoint::Last {
                checkpoint::write(&self.weights(checkpoint), &state.net, &about)?;
            }
        }
        files::write_csv(&self.folder.join("epochs.csv"), rows)?;
        let mut all = BTreeMap::new();
        for (part, tensors) in [("net", &state.net), ("sgd", &state.sgd), ("memory", &state.memory)] {
            all.extend(tensors.iter().map(|(name, tensor)| (format!("{part}/{name}"), tensor.clone())));
        }
        let about = BTreeMap::from([
            ("epochs".to_owned(), state.epochs.to_string()),
            ("best_percent".to_owned(), state.best_percent.map(|p| p.to_string()).unwrap_or_default()),
            ("train_seconds".to_owned(), provenance.train_seconds.to_string()),
        ]);
        Ok(checkpoint::write(&self.resume_file(), &all, &about)?)
    }

    /// Puts the trainer where an interrupted run stood; returns the epochs so far.
    pub(super) fn resume(&self, trainer: &mut Trainer, provenance: &mut Provenance) -> Result<Vec<EpochRow>> {
        let path = self.resume_file();
        let same = self.record().is_some_and(|record| record.config == self.config);
        if !same || !path.is_file() {
            return Ok(Vec::new());
        }
        let broken = || format!("{}: not a state to resume from; delete it to start the run anew", path.display());
        let tensors = checkpoint::read(&path).with_context(broken)?;
        let about = checkpoint::metadata(&path).with_context(broken)?;
        let part = |name: &str| -> BTreeMap<String, Tensor> {
            let inside = |(key, tensor): (&String, &Tensor)| {
                Some((key.strip_prefix(name)?.strip_prefix('/')?.to_owned(), tensor.clone()))
            };
            tensors.iter().filter_map(inside).collect()
        };
        let number = |key: &str| about.get(key).and_then(|text| text.parse::<f64>().ok());
        let epochs = number("epochs").with_context(broken)? as usize;
        provenance.train_seconds = number("train_seconds").with_context(broken)?;
        let (net, sgd, memory) = (part("net"), part("sgd"), part("memory"));
        let state = Resume { epochs, best_percent: number("best_percent"), net, sgd, memory };
        trainer.resume(&state).with_context(broken)?;
        let history = self.folder.join("epochs.csv");
        let mut rows: Vec<EpochRow> = files::read_csv(&history).with_context(broken)?;
        anyhow::ensure!(rows.len() >= epochs, "{}: {} has only {} epochs", broken(), history.display(), rows.len());
        rows.truncate(epochs);
        tracing::info!("{}: resuming after epoch {epochs}", self.name());
        Ok(rows)
    }
}

impl From<Epoch> for EpochRow {
    fn from(Epoch { epoch, lr, loss, clean_percent, robust_percent, best }: Epoch) -> Self {
        Self { epoch, lr, loss, held_out_clean_percent: clean_percent, held_out_robust_percent: robust_percent, best }
    }
}
