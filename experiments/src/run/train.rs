//! Training a run, or what is left of it.

use super::{
    CONTROL, RECORD, Run, SELECTION,
    saved::{History, Sums},
};
use crate::{
    files,
    interrupt::{self, Interrupted},
    progress::Progress,
    provenance::{Provenance, peak_rss_bytes},
    show,
};
use anyhow::Result;
use attacks::Probe;
use candle::Device;
use data::{Augment, Splits};
use frameworks::{Epoch, Step, Trainer, TrainingConfig};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

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
        let mut trainer = self.trainer(data, device)?;
        files::create_folder(&self.folder)?;
        let mut lock = self.claim()?;
        // Who held it until now may just have finished.
        if self.trained() {
            return Ok(());
        }
        let mut provenance = Provenance::now(data, device)?;
        let begun_on = self.own_record()?.map(|record| record.provenance);
        let measured = self.measured()?;
        if let Some(there) = begun_on.as_ref().map(Provenance::chip).filter(|_| !measured.is_empty())
            && there != provenance.chip()
        {
            let (folder, here) = (self.folder.display(), provenance.chip());
            anyhow::bail!(
                "{folder}: its weights are gone, and training them again on {here}, not {there}, gives other last bits, to \
                 which nothing applies that was measured here; train it in a folder of its own (--out), or delete it"
            )
        }
        let resumed = self.resume(&mut trainer)?;
        if let Some(begun) = begun_on.filter(|_| resumed.is_some()) {
            provenance.goes_on_from(&begun);
            let (there, here) = (begun.chip(), provenance.chip());
            if there != here {
                tracing::warn!("this run was begun on {there} and goes on on {here}: its last bits will differ");
            }
        }
        let mut history = resumed.unwrap_or_default();
        provenance.train_seconds = history.seconds;
        self.write_record(&provenance, Sums::Sought(measured.clone()))?;
        show::begin(self, history.rows.len())?;
        let (name, images) = (self.name(), self.config.trained_on(data.train.len())? * self.config.epochs);
        tracing::info!("{name}: {}", self.config.game()?);
        let mut progress = Progress::training(name.clone(), images);
        // Since the epoch began or, of one that was left within, since it was gone on with.
        let (mut before, mut descended) = (history.seconds, 0);
        while !trainer.finished() {
            let (began, number) = (Instant::now(), trainer.epochs_done() + 1);
            let epoch = trainer.epoch(&mut |step| {
                let seen = step.done as f64 / step.total as f64;
                progress.at((seen * images as f64) as usize, || self.stands(number, step, &history));
                told(seen);
                descended += step.examples;
                // Measuring has no middle that could be saved.
                let due = step.examples > 0 && began.elapsed() >= saving;
                if due { ControlFlow::Break(()) } else { interrupt::check() }
            })?;
            history.seconds += began.elapsed().as_secs_f64();
            let stood = lock.confirmed()?;
            if !stood && self.finished() {
                tracing::warn!("{name}: another process took it over and finished it");
                return Ok(());
            }
            if !stood || !self.folder.join(RECORD).is_file() {
                tracing::warn!("{}: was deleted during training; made anew", self.folder.display());
                self.write_record(&provenance, Sums::Sought(measured.clone()))?;
            }
            if let Some(epoch) = epoch {
                history.rows.push(epoch.into());
                if epoch.best {
                    history.best = trainer.weights()?;
                }
                self.write_epoch(&trainer, &history, measured.is_empty())?;
                // Pages are for looking at: no training ends because one cannot be made.
                let rate = descended as f64 / (history.seconds - before).max(1e-9);
                if let Err(e) = show::epoch(self, number, rate) {
                    tracing::warn!("{name}: what is shown of it is out of date: {e:#}");
                }
                (before, descended) = (history.seconds, 0);
                let Epoch { epoch, loss, clean_percent: clean, robust_percent: robust, best, .. } = epoch;
                // The control is not attacked.
                let robust = if self.defended() { format!(", robust {robust:.2} %") } else { String::new() };
                let star = if best { " *" } else { "" };
                tracing::info!("{name}: epoch {epoch}: loss {loss:.4}, held-out clean {clean:.2} %{robust}{star}");
            }
            self.save(&trainer, &history)?;
            if !trainer.finished() && interrupt::check().is_break() {
                return Err(Interrupted.into());
            }
        }
        provenance.train_seconds = history.seconds;
        provenance.images_per_second = images as f64 / history.seconds.max(1e-9);
        provenance.peak_rss_bytes = peak_rss_bytes();
        let weights = self.write_all(&trainer, &history)?;
        if !measured.is_empty() && weights != measured {
            tracing::warn!("{name}: other weights than those it was measured on; it is measured anew");
            self.forget()?;
        }
        let chance = 100. / data.train.classes() as f64;
        if history.rows.iter().all(|row| row.held_out_clean_percent <= 1.2 * chance) {
            tracing::warn!("{name}: no epoch is better than guessing on held-out images; try a lower --lr");
        }
        self.write_record(&provenance, Sums::Trained(weights))?;
        self.states().iter().try_for_each(|path| files::remove(path))?;
        show::all(self, data, device)
    }

    /// Where training stands in epoch number `epoch`, for people.
    fn stands(&self, epoch: usize, step: Step, history: &History) -> String {
        let (epochs, before) = (self.config.epochs, history.rows.last());
        let steps = step.total / epochs;
        let now = match step.examples {
            0 => "measuring held-out images".to_owned(),
            _ => format!("step {}/{steps}, loss {:.4}", step.done - (epoch - 1) * steps, step.loss),
        };
        let before = before.map_or_else(String::new, |row| {
            let what = if self.defended() { "robust" } else { "clean" };
            format!("; held-out {what} {:.2} % after epoch {}", row.held_out_robust_percent, row.epoch)
        });
        format!("epoch {epoch}/{epochs}, {now}{before}")
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
