//! A run made visible: its event file for TensorBoard, its pictures and its page.

use crate::{
    files,
    findings::{self, Findings, Timing},
    page, pictures,
    run::Run,
    tensorboard,
};
use anyhow::Result;
use candle::Device;
use data::Splits;

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
