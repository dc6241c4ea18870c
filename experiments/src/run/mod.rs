//! One run: its folder, and training it unless it is there already.

mod saved;

use crate::{
    arsenal::{Arsenal, Surrogate},
    config::RunConfig,
    evaluation::Examination,
    files,
    interrupt::{self, Interrupted},
    progress::Progress,
    provenance::{Provenance, peak_rss_bytes},
    show,
    verdicts::{Place, Verdicts},
};
use anyhow::{Context, Result};
use attacks::Probe;
use candle::Device;
use data::{Augment, Splits};
use frameworks::{Epoch, Trainer, TrainingConfig};
use models::{Model, Net, checkpoint};
use serde::{Deserialize, Serialize};
use std::{
    path::{Path, PathBuf},
    time::Instant,
};

/// The framework without a defence; its rows are a control.
pub const CONTROL: &str = "standard";

/// Which weights of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Checkpoint {
    /// Of the epoch that did best on held-out training images.
    Best,
    /// Of the last epoch.
    Last,
}

impl Checkpoint {
    /// As CSV files say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
        }
    }
}

/// `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The run's identity.
    pub id: String,
    /// What it is.
    pub config: RunConfig,
    /// The framework in words: attack, what it ascends, what training descends.
    pub game: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Whether training is done.
    pub finished: bool,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Run {
    config: RunConfig,
    folder: PathBuf,
}

impl Run {
    /// The run of `config` under the results folder `out`.
    pub fn new(config: RunConfig, out: &Path) -> Self {
        let folder = out.join("runs").join(config.id());
        Self { config, folder }
    }

    /// What the run is.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Where it is kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `run.json` says, if there is one.
    pub fn record(&self) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(self.folder.join("run.json")).ok()?).ok()
    }

    /// Whether training is done, wherever the weights are now.
    pub fn finished(&self) -> bool {
        self.record().is_some_and(|record| record.finished && record.config == self.config)
    }

    /// Whether training is done and its weights are there.
    pub fn trained(&self) -> bool {
        self.finished() && [Checkpoint::Best, Checkpoint::Last].iter().all(|c| self.weights(*c).is_file())
    }

    /// Whether it was trained to resist attacks.
    pub fn defended(&self) -> bool {
        self.config.framework != CONTROL
    }

    /// Where the audit of its weights of `checkpoint` is kept, without an extension.
    pub fn audit(&self, checkpoint: Checkpoint) -> PathBuf {
        self.folder.join(format!("audit-{}", checkpoint.name()))
    }

    fn weights(&self, checkpoint: Checkpoint) -> PathBuf {
        self.folder.join(format!("{}.safetensors", checkpoint.name()))
    }

    /// The trained network.
    ///
    /// # Errors
    /// When its weights are missing or broken.
    pub fn net(&self, checkpoint: Checkpoint, data: &Splits, device: &Device) -> Result<Net> {
        let mut net = self.config.net(data.test.shape(), data.test.classes(), device)?;
        let path = self.weights(checkpoint);
        let broken = || format!("{}: not this run's weights; delete it to train the run again", path.display());
        net.load(&checkpoint::read(&path).with_context(broken)?).with_context(broken)?;
        Ok(net)
    }

    /// Where the verdicts on its weights stand.
    pub fn place(&self, checkpoint: Checkpoint) -> Place {
        let RunConfig { norm, epsilon, .. } = self.config.clone();
        Place { checkpoint: checkpoint.name().into(), norm, epsilon }
    }

    /// What is known of its accuracy.
    ///
    /// # Errors
    /// When `evaluations.csv` is there but broken.
    pub fn verdicts(&self) -> Result<Verdicts> {
        Verdicts::read(self.folder.join("evaluations.csv"))
    }

    /// The evaluation of `model`, its weights of `checkpoint`.
    ///
    /// # Errors
    /// When what is stored or configured is broken.
    pub fn examination<'a>(
        &self,
        checkpoint: Checkpoint,
        model: &'a dyn Model,
        data: &'a Splits,
        device: &'a Device,
        surrogate: Option<Surrogate>,
    ) -> Result<Examination<'a>> {
        Ok(Examination {
            name: self.name(),
            model,
            test: &data.test,
            place: self.place(checkpoint),
            seed: self.config.seed,
            device,
            arsenal: Arsenal::new(&data.test, device, self.config.i2fr()?, surrogate),
            verdicts: self.verdicts()?,
        })
    }

    /// Trains the run, or goes on where it was interrupted; does nothing when it is trained.
    ///
    /// # Errors
    /// When training fails, a file cannot be written, or the user interrupts.
    pub fn train(&self, data: &Splits, device: &Device) -> Result<()> {
        self.check_data(data)?;
        if self.trained() {
            return Ok(());
        }
        let mut trainer = self.trainer(data, device)?;
        files::create_folder(&self.folder)?;
        // What was measured on weights that are gone says nothing about the new ones.
        files::remove(&self.folder.join("evaluations.csv"))?;
        files::remove(&self.folder.join("examples.csv"))?;
        for checkpoint in [Checkpoint::Best, Checkpoint::Last] {
            files::remove(&self.audit(checkpoint).with_extension("csv"))?;
            files::remove(&self.audit(checkpoint).with_extension("md"))?;
        }
        let mut provenance = Provenance::now(data);
        let begun_on = self.record().map(|record| record.provenance.isa);
        let mut rows = self.resume(&mut trainer, &mut provenance)?;
        if let Some(isa) = begun_on.filter(|isa| !rows.is_empty() && *isa != provenance.isa) {
            tracing::warn!("this run was begun on {isa} and goes on on {}: its last bits will differ", provenance.isa);
        }
        self.write_record(&provenance, false)?;
        show::begin(self, rows.len())?;
        let name = self.name();
        tracing::info!("{name}: {}", self.config.game()?);
        let mut progress = Progress::new(name.clone(), self.images_in_training(data));
        while !trainer.finished() {
            let began = Instant::now();
            let number = trainer.epochs_done() + 1;
            let epoch = trainer.epoch(&mut |step| {
                let images = step.done as f64 / step.total as f64 * self.images_in_training(data) as f64;
                progress.at(images as usize, || format!("epoch {number}/{}", self.config.epochs));
                interrupt::check()
            })?;
            let Some(epoch) = epoch else { return Err(Interrupted.into()) };
            provenance.train_seconds += began.elapsed().as_secs_f64();
            rows.push(epoch.into());
            self.save(&trainer, &rows, epoch.best, &provenance)?;
            let images = self.images_in_training(data) as f64 / self.config.epochs as f64;
            show::epoch(self, number, images / began.elapsed().as_secs_f64())?;
            let Epoch { epoch, loss, clean_percent: clean, robust_percent: robust, best, .. } = epoch;
            let star = if best { " *" } else { "" };
            tracing::info!(
                "{name}: epoch {epoch}: loss {loss:.4}, held-out clean {clean:.2} %, robust {robust:.2} %{star}"
            );
        }
        provenance.images_per_second = self.images_in_training(data) as f64 / provenance.train_seconds.max(1e-9);
        provenance.peak_rss_bytes = peak_rss_bytes();
        self.write_record(&provenance, true)?;
        files::remove(&self.resume_file())?;
        show::all(self, data, device)
    }

    /// An error if what is stored comes from other images than `data`.
    fn check_data(&self, data: &Splits) -> Result<()> {
        let Some(record) = self.record().filter(|record| record.config == self.config) else { return Ok(()) };
        let stored = [record.provenance.train_sha256, record.provenance.test_sha256];
        anyhow::ensure!(
            stored == [data.train.sha256(), data.test.sha256()],
            "{}: this run was made on other images than the {} given now; delete it, or choose another folder with --out",
            self.folder.display(),
            self.config.dataset
        );
        Ok(())
    }

    /// How the run is called on screen.
    pub fn name(&self) -> String {
        let RunConfig { framework, seed, .. } = &self.config;
        let plus = if self.config.regularizer.is_some() { " + i2fr" } else { "" };
        format!("{framework}{plus} seed {seed}")
    }

    /// Images that training sees, over all epochs.
    pub fn images_in_training(&self, data: &Splits) -> usize {
        let all = data.train.len();
        let used = if self.config.train_examples == 0 { all } else { self.config.train_examples.min(all) };
        used.saturating_sub(self.config.held_out) * self.config.epochs
    }

    fn trainer(&self, data: &Splits, device: &Device) -> Result<Trainer> {
        let config = &self.config;
        let all = if config.train_examples == 0 { data.train.clone() } else { data.train.first(config.train_examples) };
        // The split does not depend on the run's seed: every seed is chosen by the same images.
        anyhow::ensure!(
            all.len() >= config.held_out + 2,
            "{} training images of {} are too few: {} choose the best epoch and at least 2 must remain; \
             raise --train-examples",
            all.len(),
            config.dataset,
            config.held_out
        );
        let (train, held_out) = all.hold_out(config.held_out, 0)?;
        let game = config.game()?;
        let ball = config.ball()?;
        // The undefended control is chosen by clean accuracy: an early epoch may resist a little longer.
        let selection = if config.framework == CONTROL { None } else { Some(Probe::named("pgd-10", ball)?) };
        let training = TrainingConfig {
            epochs: config.epochs,
            batch: config.batch,
            lr: config.lr,
            schedule: config.schedule()?,
            sgd: config.sgd(),
            augment: Augment { crop_padding: config.crop_padding, flip: config.flip },
            seed: config.seed,
            selection,
        };
        let net = config.net(data.train.shape(), data.train.classes(), device)?;
        Ok(Trainer::new(game, training, net, train, held_out, device)?)
    }
}
