//! The resolved configuration of a run: everything its result depends on.

mod regularizer;

use crate::{
    cli::{StepLength, Threat, said_in_training},
    run::CONTROL,
};
use anyhow::{Context, Result};
use attacks::{Ball, Norm};
use frameworks::{Averaging, Awp, Framework, OptimizerConfig, Place, Schedule, Setting};
use i2fr::{I2fr, Reference};
use models::{Arch, Net};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use regularizer::Regularizer;

/// What determines a trained network. Its hash is the run's identity, so a run that two tables
/// share is trained once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the command line, which documents them")]
pub struct RunConfig {
    /// What the other fields mean; raised when code changes that, so that older runs are not reused.
    pub format: u32,
    pub dataset: String,
    pub arch: String,
    pub framework: String,
    pub regularizer: Option<Regularizer>,
    /// Of frameworks whose [`frameworks::beta`] is left open, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// Adversarial weight perturbation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awp: Option<f64>,
    /// `ema-DECAY` or `swa-FROM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaging: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    pub norm: String,
    pub epsilon: String,
    pub attack_steps: usize,
    /// Their length, where it is not a quarter of the radius.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack_step: Option<String>,
    /// Epochs over which the training attack's radius rises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<usize>,
    pub epochs: usize,
    /// The first so many training images; 0: all.
    pub train_examples: usize,
    /// Of those, how many choose the best epoch instead of training.
    pub held_out: usize,
    pub batch: usize,
    pub lr: f64,
    pub schedule: String,
    /// `adam`; otherwise gradient descent with momentum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<String>,
    pub momentum: f64,
    pub weight_decay: f64,
    /// Training images are cropped at random after padding by so many pixels.
    pub crop_padding: usize,
    /// Training images are flipped at random.
    pub flip: bool,
    pub seed: u64,
    pub device: String,
    pub precision: String,
}

impl RunConfig {
    /// Whether a run of `other` would be one of this but for its name.
    pub(crate) fn same_effect(&self, other: &Self) -> bool {
        let effective = |config: &Self| Self {
            regularizer: config.regularizer.clone().map(Regularizer::effective),
            ..config.clone()
        };
        effective(self) == effective(other)
    }

    /// The run's name: readable parts, then a hash of the whole configuration.
    pub fn id(&self) -> String {
        let mut json = serde_json::to_vec(self).expect("a configuration is plain data");
        // A stored norm that is none has no run.
        match frameworks::revision(&self.framework, self.norm.parse().unwrap_or(Norm::Linf), self.is_grey()) {
            1 => {}
            revision => json.extend(format!("revision {revision}").bytes()),
        }
        let hash: String = Sha256::digest(json).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        let suffix = if self.regularizer.is_some() { "-i2fr" } else { "" };
        format!("{}{suffix}-{}-{}-s{}-{hash}", self.method().replace('+', "-"), self.dataset, self.arch, self.seed)
    }

    /// The framework with what is added to any, as CSV files say it: `trades`, `trades+awp`.
    pub fn method(&self) -> String {
        let awp = self.awp.map(|_| "+awp".to_owned()).unwrap_or_default();
        let averaging = self.averaging.as_ref().map(|how| format!("+{how}")).unwrap_or_default();
        let smoothing = self.label_smoothing.map(|share| format!("+ls-{share}")).unwrap_or_default();
        format!("{}{awp}{averaging}{smoothing}", self.framework)
    }

    /// `none` or `i2fr`, as CSV files say it.
    pub fn regularizer_name(&self) -> &'static str {
        if self.regularizer.is_some() { "i2fr" } else { "none" }
    }

    /// The threat model.
    ///
    /// # Errors
    /// When a stored configuration holds a norm or radius that is none.
    pub fn ball(&self) -> Result<Ball> {
        Ok(self.threat()?.ball())
    }

    /// The same, as it was written.
    ///
    /// # Errors
    /// Those of [`RunConfig::ball`].
    pub fn threat(&self) -> Result<Threat> {
        Threat::parse(&self.norm, &self.epsilon)
    }

    /// Threat model, steps, weight and I2FR where they are not the usual ones, as one types it: ` --beta 1 --i2fr-margin 2`.
    ///
    /// # Errors
    /// When a stored configuration makes no sense.
    pub(crate) fn said(&self) -> Result<String> {
        let (threat, channels) = (self.threat()?, self.dataset.parse::<data::Name>()?.shape()[0]);
        let threat = match threat {
            threat if threat == Threat::usual(Norm::Linf, channels) => String::new(),
            Threat { norm: Norm::Linf, epsilon } => format!(" --eps {epsilon}"),
            Threat { norm, epsilon } => format!(" --norm {norm} --eps {epsilon}"),
        };
        let beta = self.beta.map(|beta| format!(" --beta {beta}")).unwrap_or_default();
        let step = self.attack_step.as_ref().map(|step| format!(" --attack-step {step}")).unwrap_or_default();
        let i2fr = match (&self.regularizer, self.i2fr()?) {
            (Some(of), Some(i2fr)) => said_in_training(&i2fr, of.place.parse().map_err(anyhow::Error::msg)?),
            _ => String::new(),
        };
        Ok([threat, step, beta, i2fr].concat())
    }

    /// The options of its regulariser, if it has one.
    ///
    /// # Errors
    /// When a stored configuration names a class reference that is none.
    pub fn i2fr(&self) -> Result<Option<I2fr>> {
        self.regularizer.as_ref().map(Regularizer::options).transpose()
    }

    /// The framework, with its regulariser if it has one.
    ///
    /// # Errors
    /// When a name is unknown or a weight is impossible.
    pub fn game(&self) -> Result<Framework> {
        let (ball, epochs, warm_up) = (self.ball()?, self.epochs, self.warm_up.unwrap_or(0));
        let (steps, beta) = (self.attack_steps, self.beta);
        let step = self.attack_step.as_deref().map(str::parse::<StepLength>).transpose().map_err(anyhow::Error::msg)?;
        let step = step.map(|step| step.value());
        let setting = Setting { ball, steps, step, epochs, seed: self.seed, warm_up, beta, grey: self.is_grey() };
        let mut game = frameworks::named(&self.framework, setting)?;
        if let Some(gamma) = self.awp {
            game = game.with_awp(Awp { gamma });
        }
        if let Some(averaging) = self.averaging()? {
            game.name = format!("{} + {averaging}", game.name);
        }
        if let Some(share) = self.label_smoothing {
            let smoothed = game.outer.terms().any(|(_, term)| term.smooths_labels());
            anyhow::ensure!(smoothed, "label smoothing changes nothing in {}, whose loss is {}", game.name, game.outer);
            game = game.smoothed(share);
        }
        match &self.regularizer {
            None => Ok(game),
            Some(_) if self.framework == CONTROL => {
                anyhow::bail!("{} has no adversarial examples to regularise; leave I2FR out", game.name)
            }
            Some(r) => {
                let place: Place = r.place.parse().map_err(anyhow::Error::msg)?;
                let moved =
                    place != Place::Generation || !matches!(r.options()?.reference, Reference::RunningMeans { .. });
                anyhow::ensure!(moved, "running means need I2FR in training: it is training that moves them");
                Ok(game.regularized("I2FR", &r.options()?.objective()?, place))
            }
        }
    }

    /// Whether its images have one channel.
    fn is_grey(&self) -> bool {
        self.dataset.parse::<data::Name>().is_ok_and(|name| name.shape()[0] == 1)
    }

    /// Of so many training images, how many it takes, held-out ones included.
    ///
    /// # Errors
    /// When they are too few.
    pub(crate) fn taken(&self, there: usize) -> Result<usize> {
        let taken = if self.train_examples == 0 { there } else { there.min(self.train_examples) };
        anyhow::ensure!(
            taken >= self.held_out + 2,
            "{taken} training images of {} are too few: {} choose the best epoch and at least 2 must remain; \
             raise --train-examples",
            self.dataset,
            self.held_out
        );
        Ok(taken)
    }

    /// Of so many training images, how many weights follow in an epoch: those taken but the held-out ones.
    ///
    /// # Errors
    /// When they are too few.
    pub(crate) fn trained_on(&self, there: usize) -> Result<usize> {
        Ok(self.taken(there)? - self.held_out)
    }

    /// How weights are averaged, if they are.
    ///
    /// # Errors
    /// When a stored configuration holds a way that is none.
    pub fn averaging(&self) -> Result<Option<Averaging>> {
        Ok(self.averaging.as_deref().map(str::parse).transpose()?)
    }

    /// A freshly initialised network for images of `shape` and `classes` classes.
    ///
    /// # Errors
    /// When the architecture is unknown.
    pub fn net(&self, shape: [usize; 3], classes: usize, device: &candle::Device) -> Result<Net> {
        let arch: Arch = self.arch.parse()?;
        let head = self.game()?.head;
        Net::with_head(arch, head, shape, classes, self.seed, device).with_context(|| format!("building a {arch}"))
    }

    /// The learning-rate schedule.
    ///
    /// # Errors
    /// When a stored configuration holds an unknown one.
    pub fn schedule(&self) -> Result<Schedule> {
        self.schedule.parse().map_err(anyhow::Error::msg)
    }

    /// How weights follow their gradients.
    ///
    /// # Errors
    /// When a stored configuration names an optimiser that is none.
    pub fn optimizer(&self) -> Result<OptimizerConfig> {
        let Self { momentum, weight_decay, .. } = *self;
        match self.optimizer.as_deref() {
            None => Ok(OptimizerConfig::Sgd { momentum, weight_decay, nesterov: false }),
            Some("adam") => Ok(OptimizerConfig::Adam { momentum, weight_decay }),
            Some(other) => anyhow::bail!("unknown optimiser `{other}`"),
        }
    }
}
