//! What a training would take, by the runs that are stored.

use crate::{
    config::RunConfig,
    run::{CONTROL, Record},
};
use data::Name;
use std::path::Path;

/// How fast stored runs of the same kind trained.
pub(super) struct Rate(Option<f64>);

impl Rate {
    /// Forward-and-backward passes per image of one training step with `steps` attack steps.
    fn passes(config: &RunConfig) -> f64 {
        let steps = match config.framework.as_str() {
            CONTROL => 0,
            "fast-at" => 1,
            _ => config.attack_steps,
        };
        1. + steps as f64
    }

    pub(super) fn of_stored_runs(out: &Path, like: &RunConfig) -> Self {
        let folders = std::fs::read_dir(out.join("runs")).into_iter().flatten().flatten();
        let rates: Vec<f64> = folders
            .filter_map(|folder| std::fs::read(folder.path().join("run.json")).ok())
            .filter_map(|json| serde_json::from_slice::<Record>(&json).ok())
            .filter(|r| r.finished && r.config.arch == like.arch && r.config.dataset == like.dataset)
            .map(|r| r.provenance.images_per_second * Self::passes(&r.config))
            .collect();
        Self((!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64))
    }

    pub(super) fn estimate(&self, config: &RunConfig) -> String {
        let all = config.dataset.parse().map_or(0, Name::train_len);
        let images = if config.train_examples == 0 { all } else { config.train_examples.min(all) };
        let images = images.saturating_sub(config.held_out);
        let work = format!("{} epochs of {images} images x {} passes", config.epochs, Self::passes(config));
        match self.0 {
            Some(rate) => {
                let seconds = (images * config.epochs) as f64 * Self::passes(config) / rate;
                format!("about {:.0} min ({work})", (seconds / 60.).ceil())
            }
            None => format!("{work}; no stored run of this kind to time it by"),
        }
    }
}
