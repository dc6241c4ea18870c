//! One run: its folder, and training it unless it is there already.

mod compare;
mod forget;
mod prune;
mod record;
mod saved;
mod seal;
mod split;
mod store;
mod train;
mod training;
mod verify;

use crate::{
    arsenal::{Arsenal, Surrogate},
    config::RunConfig,
    evaluation::Examination,
    lock::Lock,
    provenance::sha256,
    verdicts::{Place, Verdicts},
};
use anyhow::{Context, Result, ensure};
use candle::Device;
use data::Splits;
use models::{Model, Net, checkpoint};
use std::path::{Path, PathBuf};

pub use prune::Waste;
pub use record::{Checkpoint, RECORD, Record};
pub(crate) use split::HELD_OUT;
pub use split::Split;
pub(crate) use store::flat;
pub use store::{Store, Stored};

/// The framework without a defence; its rows are a control.
pub const CONTROL: &str = "standard";

/// The attack whose accuracy on held-out images selects the best epoch; of the control it is clean accuracy.
pub(crate) const SELECTION: &str = "pgd-10";

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

    /// The run whose folder is `folder`.
    ///
    /// # Errors
    /// When its record is missing or broken.
    pub fn open(folder: &Path) -> Result<Self> {
        let none =
            || format!("{}: not the record of a run; give a folder of results/runs", folder.join(RECORD).display());
        let record = Record::read(folder).with_context(none)?.with_context(none)?;
        Ok(Self { config: record.config, folder: folder.to_owned() })
    }

    /// What the run is.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Where it is kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `run.json` says, if there is one that can be read.
    pub fn record(&self) -> Option<Record> {
        Record::read(&self.folder).ok().flatten()
    }

    /// What `run.json` says, if it is this run's; none if there is no such file.
    ///
    /// # Errors
    /// When it is there but cannot be read: to take that for none would be to lose what was trained and measured.
    pub(crate) fn own_record(&self) -> Result<Option<Record>> {
        let path = self.folder.join(RECORD);
        let broken = || format!("{}: not the record of a run; delete it to train the run anew", path.display());
        Ok(Record::read(&self.folder).with_context(broken)?.filter(|record| record.config == self.config))
    }

    /// An error if it was trained, under the name it has, with other objectives than this program's: a method was changed, and
    /// its revision was not raised.
    pub(crate) fn check_objectives(&self) -> Result<()> {
        let Some(record) = self.own_record()? else { return Ok(()) };
        let now = self.config.game()?.to_string();
        // What the attack ascends and what training descends. Attacks in words, and which statistics they see, older
        // records say otherwise or not at all.
        let objectives = |game: &str| {
            let (inner, outer) = game.split_once(" ascends ")?.1.split_once("; ")?;
            Some((inner.split(" (batch norm: ").next()?.to_owned(), outer.to_owned()))
        };
        ensure!(
            objectives(&record.game) == objectives(&now),
            "{}: trained as `{}`, which is `{now}` in this program; raise `frameworks::revision` of what was changed, or delete \
             the run",
            self.folder.display(),
            record.game
        );
        Ok(())
    }

    /// Whether training is done, wherever the weights are now.
    pub fn finished(&self) -> bool {
        self.record().is_some_and(|record| record.finished && record.config == self.config)
    }

    /// Whether what was measured on it stands: training is done, or is done again, since weights are gone that numbers
    /// are needed of. If they come out with other bits, the numbers go.
    pub fn numbers_stand(&self) -> bool {
        let stand =
            |record: Record| (record.finished || !record.measured_sha256.is_empty()) && record.config == self.config;
        self.record().is_some_and(stand)
    }

    /// Whether anything that stands was measured on it.
    pub fn is_measured(&self) -> bool {
        self.numbers_stand() && self.folder.join("evaluations.csv").is_file()
    }

    /// Whether training is done and its weights are there.
    pub fn trained(&self) -> bool {
        self.finished() && Checkpoint::ALL.iter().all(|c| self.weights(*c).is_file())
    }

    /// Whether there is a state that training would go on from.
    pub fn interrupted(&self) -> bool {
        !self.finished() && self.states().iter().any(|path| path.is_file())
    }

    /// Claims the run: one process alone trains, measures or audits it.
    ///
    /// # Errors
    /// When another process does, or the folder cannot be written.
    pub fn claim(&self) -> Result<Lock> {
        Lock::take(&self.folder, "share the work out with --shard")
    }

    /// Whether it was trained to resist attacks.
    pub fn defended(&self) -> bool {
        self.config.framework != CONTROL
    }

    /// Where the audit of its weights of `checkpoint` is kept, without an extension.
    pub fn audit(&self, checkpoint: Checkpoint) -> PathBuf {
        self.folder.join(format!("audit-{}", checkpoint.name()))
    }

    /// Where verdicts on its weights of `checkpoint` are, an image a line.
    pub(crate) fn examples(&self, checkpoint: Checkpoint) -> PathBuf {
        self.folder.join(match checkpoint {
            Checkpoint::Best => "examples.csv",
            Checkpoint::Last => "examples-last.csv",
        })
    }

    pub(crate) fn weights(&self, checkpoint: Checkpoint) -> PathBuf {
        self.folder.join(format!("{}.safetensors", checkpoint.name()))
    }

    /// The trained network.
    ///
    /// # Errors
    /// When its weights are missing or broken.
    pub fn net(&self, checkpoint: Checkpoint, data: &Splits, device: &Device) -> Result<Net> {
        let mut net = self.config.net(data.test.shape(), data.test.classes(), device)?;
        let path = self.weights(checkpoint);
        anyhow::ensure!(path.is_file(), "{}: the run's weights are gone; train it again", path.display());
        let broken = || format!("{}: not this run's weights; delete it to train the run again", path.display());
        net.load(&checkpoint::read(&path).with_context(broken)?).with_context(broken)?;
        self.check_weights(checkpoint).with_context(broken)?;
        Ok(net)
    }

    /// An error if the file of weights is not the one that training left, as far as its record can tell.
    pub(crate) fn check_weights(&self, checkpoint: Checkpoint) -> Result<()> {
        let path = self.weights(checkpoint);
        let known = self.own_record()?.and_then(|mut record| record.weights_sha256.remove(checkpoint.name()));
        let same = known.is_none_or(|known| std::fs::read(&path).is_ok_and(|bytes| sha256(&bytes) == known));
        anyhow::ensure!(same, "its checksum is not that in run.json: it was damaged or replaced");
        Ok(())
    }

    /// Whether the last epoch is the best, so that both checkpoints have the same weights.
    pub fn ends_best(&self) -> bool {
        // While they are being trained again, those that were measured count.
        let sums = |r: Record| if r.weights_sha256.is_empty() { r.measured_sha256 } else { r.weights_sha256 };
        let known = self.record().map(sums).unwrap_or_default();
        let [best, last] = Checkpoint::ALL.map(|checkpoint| known.get(checkpoint.name()));
        best.is_some() && best == last
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

    /// How the run is called on screen.
    pub fn name(&self) -> String {
        let plus = if self.config.regularizer.is_some() { " + i2fr" } else { "" };
        format!("{}{plus} seed {}", self.config.method(), self.config.seed)
    }
}
