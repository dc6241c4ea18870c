//! Training a run unless it is trained, and what that needs to be known.

use super::{CONTROL, Run, SELECTION, training::Training};
use crate::{files, provenance::Provenance, show};
use anyhow::Result;
use attacks::Probe;
use candle::Device;
use data::{Augment, Splits};
use frameworks::{Trainer, TrainingConfig};
use std::time::Duration;

impl Run {
    /// Trains the run, or goes on where it was interrupted; does nothing when it is trained. Its state is
    /// saved after each epoch, every `saving` within one, and when the user interrupts. `told` hears how much
    /// of it is done, from 0 to 1.
    ///
    /// # Errors
    /// When training fails, another process trains this run, a file cannot be written, or the user interrupts.
    pub fn train(&self, data: &Splits, device: &Device, saving: Duration, told: &mut dyn FnMut(f64)) -> Result<()> {
        self.check_data(data)?;
        if self.trained() {
            self.tidy();
            return Ok(());
        }
        let trainer = self.trainer(data, device)?;
        files::create_folder(&self.folder)?;
        let lock = self.claim()?;
        // Who held it until now may just have finished.
        if self.trained() {
            return Ok(());
        }
        let images = self.config.trained_on(data.train.len())? * self.config.epochs;
        let mut training = Training::begin(self, trainer, lock, Provenance::now(data, device)?, images)?;
        if training.go_on(saving, told)?.is_break() {
            return Ok(());
        }
        training.finish(data.train.classes())?;
        show::all(self, data, device)
    }

    /// Removes what a process left that was killed when training was done: states, its lock.
    fn tidy(&self) {
        let left = self.states().into_iter().chain([self.folder.join("run.lock")]).any(|path| path.is_file());
        // Another process may be at work, or nobody may write here. Neither is in anybody's way.
        if left && let Ok(_lock) = self.claim() {
            let _ = self.states().iter().try_for_each(|path| files::remove(path));
        }
    }

    /// An error if what is stored comes from other images than `data`.
    pub(crate) fn check_data(&self, data: &Splits) -> Result<()> {
        let Some(record) = self.own_record()? else { return Ok(()) };
        let stored = [record.provenance.train_sha256, record.provenance.test_sha256];
        anyhow::ensure!(
            stored == [data.train.sha256(), data.test.sha256()],
            "{}: this run was made on other images than the {} given now; delete it, or choose another folder with --out",
            self.folder.display(),
            self.config.dataset
        );
        Ok(())
    }

    fn trainer(&self, data: &Splits, device: &Device) -> Result<Trainer> {
        let config = &self.config;
        let (train, held_out) = self.parts(data)?;
        let game = config.game()?;
        let ball = config.ball()?;
        // The undefended control is chosen by clean accuracy: an early epoch may resist a little longer.
        let selection = if config.framework == CONTROL { None } else { Some(Probe::named(SELECTION, ball)?) };
        let training = TrainingConfig {
            epochs: config.epochs,
            batch: config.batch,
            lr: config.lr,
            schedule: config.schedule()?,
            optimizer: config.optimizer()?,
            averaging: config.averaging()?,
            augment: Augment { crop_padding: config.crop_padding, flip: config.flip },
            seed: config.seed,
            selection,
        };
        let net = config.net(data.train.shape(), data.train.classes(), device)?;
        Ok(Trainer::new(game, training, net, train, held_out, device)?)
    }
}
