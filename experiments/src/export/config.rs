//! `config.json`: what a program must know to run exported weights.

use crate::config::{Regularizer, RunConfig};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the file is called.
pub const CONFIG: &str = "config.json";

/// By this the file is known as ours: other libraries have a `config.json` too.
const MODEL_TYPE: &str = "i2fr";

/// `config.json` of an exported network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    model_type: String,
    /// As `--arch` takes it.
    pub architecture: String,
    /// As `--head` takes it.
    pub head: String,
    /// As `--dataset` takes it.
    pub dataset: String,
    /// Channels, height and width of an image; its pixels are in `[0, 1]`.
    pub image_shape: [usize; 3],
    /// The classes' names, in the order of the logits.
    pub classes: Vec<String>,
    /// What the network subtracts from each channel by itself.
    pub mean: Vec<f32>,
    /// What it divides each channel by afterwards.
    pub std: Vec<f32>,
    /// Norm of the threat model of its training.
    pub norm: String,
    /// Its radius in pixel units.
    pub epsilon: String,
    /// The I2FR of its training, which an attack on its own terms ascends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regularizer: Option<Regularizer>,
}

impl ModelConfig {
    /// That of `net`, which is of `config`.
    pub(super) fn of(net: &models::Net, config: &RunConfig, dataset: data::Name) -> Self {
        let models::Normalization { mean, std } = net.normalization().clone();
        Self {
            model_type: MODEL_TYPE.into(),
            architecture: net.arch().to_string(),
            head: net.head().to_string(),
            dataset: dataset.to_string(),
            image_shape: dataset.shape(),
            classes: dataset.class_names().iter().map(ToString::to_string).collect(),
            mean,
            std,
            norm: config.norm.clone(),
            epsilon: config.epsilon.clone(),
            regularizer: config.regularizer.clone(),
        }
    }

    /// What is at `path`, if that is a file of ours.
    ///
    /// # Errors
    /// When it is ours and broken.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Ok(bytes) = std::fs::read(path) else { return Ok(None) };
        match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(value) if value["model_type"] == MODEL_TYPE => {
                let broken = || format!("{}: not what `export` wrote; export the run again", path.display());
                serde_json::from_value(value).map(Some).with_context(broken)
            }
            _ => Ok(None),
        }
    }
}
