//! A run made visible: its event file for TensorBoard, its pictures and its page.

use crate::{
    files,
    findings::{self, Findings, Timing},
    page::{self, Listed},
    pictures,
    run::{Record, Run},
    tensorboard,
};
use anyhow::Result;
use candle::Device;
use data::Splits;
use std::path::Path;

/// Training begins, or goes on after `epochs`: takes away what was shown of weights that are gone.
///
/// # Errors
/// When a file cannot be removed.
pub fn begin(run: &Run, epochs: usize) -> Result<()> {
    let folder = run.folder();
    files::remove(&folder.join(page::NAME))?;
    pictures::remove(folder)?;
    if epochs == 0 {
        tensorboard::remove(folder)?;
        files::remove(&findings::timings_file(folder))?;
    }
    Ok(())
}

/// Epoch number `epoch` is on disk.
///
/// # Errors
/// When a file is broken or cannot be written.
pub fn epoch(run: &Run, epoch: usize, images_per_second: f64) -> Result<()> {
    findings::note(run.folder(), Timing { epoch, ended: tensorboard::now(), images_per_second })?;
    tensorboard::write(run.folder(), &Findings::of(run)?)
}

/// Training, an evaluation or an audit is done: shows all that is known. Pictures are drawn once.
///
/// # Errors
/// When the network fails, a file is broken or cannot be written, or the user interrupts.
pub fn all(run: &Run, data: &Splits, device: &Device) -> Result<()> {
    pictures::draw(run, data, device)?;
    let findings = Findings::of(run)?;
    tensorboard::write(run.folder(), &findings)?;
    files::write_if_new(&run.folder().join(page::NAME), page::render(&findings)?.as_bytes())
}

/// Lists the finished runs below the results folder `out` in a page.
///
/// # Errors
/// When the page cannot be written.
pub fn index(out: &Path) -> Result<()> {
    let mut runs = Vec::new();
    for folder in std::fs::read_dir(out.join("runs")).into_iter().flatten().flatten() {
        let listed = || -> Result<Option<Listed>> {
            let Some(record) = Record::read(&folder.path())? else { return Ok(None) };
            let run = Run::new(record.config, out);
            if run.finished() { Listed::of(run).map(Some) } else { Ok(None) }
        };
        // Whoever needs a broken run is told so; the others can be listed without it.
        match listed() {
            Ok(listed) => runs.extend(listed),
            Err(e) => tracing::warn!("{}: not in the list of runs: {e:#}", folder.path().display()),
        }
    }
    runs.sort_by_cached_key(|listed| {
        let config = listed.run.config();
        (config.framework.clone(), config.regularizer.is_some(), config.seed, config.id())
    });
    files::write_if_new(&out.join(page::NAME), page::index(&runs)?.as_bytes())
}
