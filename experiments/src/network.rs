//! A network from a file of weights, and what is said of it: on the command line, in the file, beside it.

use crate::{
    Usage,
    cli::{Epsilon, Threat},
    config::Regularizer,
    export::{CONFIG, ModelConfig},
    run::{Checkpoint, RECORD, Run},
};
use anyhow::{Context, Result};
use attacks::Norm;
use candle::Device;
use data::Dataset;
use i2fr::I2fr;
use models::{
    Arch, Head, Net, Normalization,
    checkpoint::{self, Stated},
};
use std::{fmt::Display, path::Path, str::FromStr};

/// What weights alone do not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traits {
    /// The architecture.
    pub arch: Option<Arch>,
    /// The last layer.
    pub head: Option<Head>,
    /// What the network subtracts and divides by.
    pub normalization: Option<Normalization>,
    /// The data set it was trained on.
    pub dataset: Option<data::Name>,
    /// What it was trained to withstand.
    pub threat: Option<Threat>,
    /// The I2FR it was trained with.
    pub i2fr: Option<I2fr>,
}

/// Numbers as files of weights and reports spell them: `0.5,0.25`.
pub(crate) fn listed(values: &[f32]) -> String {
    values.iter().map(f32::to_string).collect::<Vec<_>>().join(",")
}

impl Traits {
    /// These, and of those that are not known `other`'s.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            arch: self.arch.or(other.arch),
            head: self.head.or(other.head),
            normalization: self.normalization.or(other.normalization),
            dataset: self.dataset.or(other.dataset),
            threat: self.threat.or(other.threat),
            i2fr: self.i2fr.or(other.i2fr),
        }
    }

    /// The architecture of the weights at `path`.
    ///
    /// # Errors
    /// When nothing says which it is.
    pub fn architecture(&self, path: &Path) -> Result<Arch> {
        let unsaid = || Usage(format!("{} does not say which architecture it is: give --arch", path.display()));
        Ok(self.arch.ok_or_else(unsaid)?)
    }

    /// The threat model: as given, else as the network was trained for, else the usual one for images of `shape`, `[C, H, W]`.
    ///
    /// # Errors
    /// When no image is outside of it.
    pub fn threat(&self, norm: Option<Norm>, eps: Option<Epsilon>, shape: [usize; 3]) -> Result<Threat> {
        let norm = norm.or(self.threat.as_ref().map(|threat| threat.norm)).unwrap_or(Norm::Linf);
        let trained = self.threat.clone().filter(|threat| threat.norm == norm);
        let usual = trained.unwrap_or_else(|| Threat::usual(norm, shape[0]));
        let threat = Threat { epsilon: eps.unwrap_or(usual.epsilon), norm };
        threat.check(shape)?;
        Ok(threat)
    }

    /// What the file of weights at `path` says in its metadata, or the `config.json` or record of a run beside it, as ours
    /// do.
    ///
    /// # Errors
    /// When the file is no checkpoint, what it says makes no sense, or it is not the one that the record of its run is of.
    pub fn stated(path: &Path) -> Result<Self> {
        let metadata = checkpoint::metadata(path)?;
        let text = |key: &str| metadata.get(key).map(String::as_str);
        let Stated { arch, head, normalization } = Stated::of(&metadata, path)?;
        let within = Self {
            arch,
            head,
            normalization,
            dataset: parsed(text("dataset"), path)?,
            threat: text("norm").zip(text("epsilon")).map(|(norm, eps)| Threat::parse(norm, eps)).transpose()?,
            i2fr: None,
        };
        // Only weights that say what they are can be a run's or an export's of ours.
        let ours = within.arch.is_some();
        let recorded = if ours { Self::recorded(path)? } else { Self::default() };
        Ok(within.or(recorded).or(Self::configured(&path.with_file_name(CONFIG))?))
    }

    /// What the record of the run says, if the weights at `path` are in its folder.
    fn recorded(path: &Path) -> Result<Self> {
        let Some(folder) = path.parent().filter(|folder| folder.join(RECORD).is_file()) else {
            return Ok(Self::default());
        };
        let run = Run::open(folder)?;
        for checkpoint in Checkpoint::ALL.into_iter().filter(|of| run.weights(*of) == path) {
            run.check_weights(checkpoint).with_context(|| path.display().to_string())?;
        }
        if !run.finished() {
            tracing::warn!("{}: training is not done; these are the best weights so far", path.display());
        }
        let config = run.config();
        Ok(Self {
            dataset: parsed(Some(&config.dataset), path)?,
            threat: Some(config.threat()?),
            i2fr: config.i2fr()?,
            ..Self::default()
        })
    }

    /// What a `config.json` of ours at `path` says, if it is there.
    fn configured(path: &Path) -> Result<Self> {
        let Some(config) = ModelConfig::read(path)? else { return Ok(Self::default()) };
        Ok(Self {
            arch: parsed(Some(&config.architecture), path)?,
            head: parsed(Some(&config.head), path)?,
            normalization: Some(Normalization { mean: config.mean, std: config.std }),
            dataset: parsed(Some(&config.dataset), path)?,
            threat: Some(Threat::parse(&config.norm, &config.epsilon)?),
            i2fr: config.regularizer.as_ref().map(Regularizer::options).transpose()?,
        })
    }
}

fn parsed<T: FromStr<Err: Display>>(text: Option<&str>, path: &Path) -> Result<Option<T>> {
    let parse = |text: &str| text.parse().map_err(|e| anyhow::anyhow!("{}: {e}", path.display()));
    text.map(parse).transpose()
}

/// The network of `traits` with the weights at `path`, ours or published ones, for images like those of `test`.
///
/// # Errors
/// When nothing says which architecture it is, or the weights are not those of such a network.
pub fn load(path: &Path, traits: &Traits, test: &Dataset, device: &Device) -> Result<Net> {
    let arch = traits.architecture(path)?;
    let other = || {
        let path = path.display();
        format!("{path} does not fit --arch {arch}; give the architecture and data set it was trained with")
    };
    let weights = checkpoint::translate(arch, checkpoint::read(path)?).with_context(other)?;
    let mut net = Net::with_head(arch, traits.head.unwrap_or_default(), test.shape(), test.classes(), 0, device)?;
    net.load(&weights.state).with_context(other)?;
    match traits.normalization.clone().or(weights.normalization) {
        Some(normalization) => Ok(net.normalized_by(normalization.for_channels(test.shape()[0])?)),
        None => {
            let Normalization { mean, std } = net.normalization();
            tracing::info!(
                "{}: it does not say how it normalises; assuming mean {mean:?} and deviation {std:?}, as is usual for \
                 {arch}, without --mean and --std",
                path.display()
            );
            Ok(net)
        }
    }
}
