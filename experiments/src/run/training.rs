//! A training under way, from its first step or from where it was interrupted.

use super::{
    RECORD, Run,
    saved::{History, Sums},
};
use crate::{
    files,
    interrupt::{self, Interrupted},
    lock::Lock,
    progress::Progress,
    provenance::{Provenance, peak_rss_bytes},
    show,
};
use anyhow::Result;
use frameworks::{Epoch, Step, Trainer};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// A run that this process trains.
pub(super) struct Training<'a> {
    run: &'a Run,
    trainer: Trainer,
    lock: Lock,
    provenance: Provenance,
    history: History,
    /// Checksums of lost weights that numbers are of; none for a run's first training.
    measured: BTreeMap<String, String>,
    /// How many images all epochs have together.
    images: usize,
}

impl<'a> Training<'a> {
    /// Puts `trainer` where `run` stands, of whose epochs all have `images`, and writes its record.
    ///
    /// # Errors
    /// When what is stored cannot be gone on with here, or a file cannot be written.
    pub(super) fn begin(
        run: &'a Run,
        mut trainer: Trainer,
        lock: Lock,
        mut provenance: Provenance,
        images: usize,
    ) -> Result<Self> {
        let begun_on = run.own_record()?.map(|record| record.provenance);
        let measured = run.measured()?;
        if let Some(there) = begun_on.as_ref().map(Provenance::chip).filter(|_| !measured.is_empty())
            && there != provenance.chip()
        {
            let (folder, here) = (run.folder.display(), provenance.chip());
            anyhow::bail!(
                "{folder}: its weights are gone, and training them again on {here}, not {there}, gives other last bits, to \
                 which nothing applies that was measured here; train it in a folder of its own (--out), or delete it"
            )
        }
        let resumed = run.resume(&mut trainer)?;
        if let Some(begun) = begun_on.filter(|_| resumed.is_some()) {
            provenance.goes_on_from(&begun);
            let (there, here) = (begun.chip(), provenance.chip());
            if there != here {
                tracing::warn!("this run was begun on {there} and goes on on {here}: its last bits will differ");
            }
        }
        let history = resumed.unwrap_or_default();
        provenance.train_seconds = history.seconds;
        let training = Self { run, trainer, lock, provenance, history, measured, images };
        training.write_sought()?;
        show::begin(run, training.history.rows.len())?;
        tracing::info!("{}: {}", run.name(), run.config.game()?);
        Ok(training)
    }

    /// Trains until the end; breaks off if another process took the run over and finished it. Its state is saved after
    /// each epoch, every `saving` within one, and when the user interrupts. `told` hears how much of it is done, from
    /// 0 to 1.
    ///
    /// # Errors
    /// When training fails, a file cannot be written, or the user interrupts.
    pub(super) fn go_on(&mut self, saving: Duration, told: &mut dyn FnMut(f64)) -> Result<ControlFlow<()>> {
        let mut progress = Progress::training(self.run.name(), self.images);
        // Since the epoch began or, of one that was left within, since it was gone on with.
        let (mut before, mut descended) = (self.history.seconds, 0);
        while !self.trainer.finished() {
            let Self { run, trainer, history, images, .. } = self;
            let (began, number) = (Instant::now(), trainer.epochs_done() + 1);
            let epoch = trainer.epoch(&mut |step| {
                let seen = step.done as f64 / step.total as f64;
                progress.at((seen * *images as f64) as usize, || stands(run, number, step, history));
                told(seen);
                descended += step.examples;
                // Measuring has no middle that could be saved.
                let due = step.examples > 0 && began.elapsed() >= saving;
                if due { ControlFlow::Break(()) } else { interrupt::check() }
            })?;
            history.seconds += began.elapsed().as_secs_f64();
            if self.hold()?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if let Some(epoch) = epoch {
                self.end_epoch(epoch, descended as f64 / (self.history.seconds - before).max(1e-9))?;
                (before, descended) = (self.history.seconds, 0);
            }
            self.run.save(&self.trainer, &self.history)?;
            if !self.trainer.finished() && interrupt::check().is_break() {
                return Err(Interrupted.into());
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Sees to it that the run is still this process's, and its record there; breaks off if another finished it.
    fn hold(&mut self) -> Result<ControlFlow<()>> {
        let run = self.run;
        let stood = self.lock.confirmed()?;
        if !stood && run.finished() {
            tracing::warn!("{}: another process took it over and finished it", run.name());
            return Ok(ControlFlow::Break(()));
        }
        if !stood || !run.folder.join(RECORD).is_file() {
            tracing::warn!("{}: was deleted during training; made anew", run.folder.display());
            self.write_sought()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Keeps, shows and says what an epoch has come to, that saw `rate` images a second.
    fn end_epoch(&mut self, epoch: Epoch, rate: f64) -> Result<()> {
        let Self { run, trainer, history, measured, .. } = self;
        history.rows.push(epoch.into());
        if epoch.best {
            history.best = trainer.weights()?;
        }
        run.write_epoch(trainer, history, measured.is_empty())?;
        let name = run.name();
        let Epoch { epoch, loss, clean_percent: clean, robust_percent: robust, best, .. } = epoch;
        // Pages are for looking at: no training ends because one cannot be made.
        if let Err(e) = show::epoch(run, epoch, rate) {
            tracing::warn!("{name}: what is shown of it is out of date: {e:#}");
        }
        // The control is not attacked.
        let robust = if run.defended() { format!(", robust {robust:.2} %") } else { String::new() };
        let star = if best { " *" } else { "" };
        tracing::info!("{name}: epoch {epoch}: loss {loss:.4}, held-out clean {clean:.2} %{robust}{star}");
        Ok(())
    }

    /// Writes what the whole training has come to, and removes the states it could be gone on from.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn finish(&mut self, classes: usize) -> Result<()> {
        let Self { run, trainer, provenance, history, measured, images, .. } = self;
        provenance.train_seconds = history.seconds;
        provenance.images_per_second = *images as f64 / history.seconds.max(1e-9);
        provenance.peak_rss_bytes = peak_rss_bytes();
        let weights = run.write_all(trainer, history)?;
        if !measured.is_empty() && weights != *measured {
            tracing::warn!("{}: other weights than those it was measured on; it is measured anew", run.name());
            run.forget()?;
        }
        let chance = 100. / classes as f64;
        if history.rows.iter().all(|row| row.held_out_clean_percent <= 1.2 * chance) {
            tracing::warn!("{}: no epoch is better than guessing on held-out images; try a lower --lr", run.name());
        }
        run.write_record(provenance, Sums::Trained(weights))?;
        run.states().iter().try_for_each(|path| files::remove(path))
    }

    /// Writes the record of a run whose weights are still to come.
    fn write_sought(&self) -> Result<()> {
        self.run.write_record(&self.provenance, Sums::Sought(self.measured.clone()))
    }
}

/// Where training stands in epoch number `epoch`, for people.
fn stands(run: &Run, epoch: usize, step: Step, history: &History) -> String {
    let (epochs, before) = (run.config.epochs, history.rows.last());
    let steps = step.total / epochs;
    let now = match step.examples {
        0 => "measuring held-out images".to_owned(),
        _ => format!("step {}/{steps}, loss {:.4}", step.done - (epoch - 1) * steps, step.loss),
    };
    let before = before.map_or_else(String::new, |row| {
        let what = if run.defended() { "robust" } else { "clean" };
        format!("; held-out {what} {:.2} % after epoch {}", row.held_out_robust_percent, row.epoch)
    });
    format!("epoch {epoch}/{epochs}, {now}{before}")
}
