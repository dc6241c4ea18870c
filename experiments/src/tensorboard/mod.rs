//! A run for TensorBoard: `events.out.tfevents.<time>.<host>` in its folder.
//!
//! | tag | what | step |
//! |---|---|---|
//! | `train/loss`, `train/lr`, `train/images_per_second` | training | epoch |
//! | `held_out/clean_percent`, `held_out/robust_percent`, `held_out/best_percent` | what chooses the epoch | epoch |
//! | `test/ATTACK`, `test_last/ATTACK` | percent of test images that stand; selected and last weights | their epoch |
//! | `pictures/examples`, `pictures/features` | see [`crate::pictures`] | epoch of the selected weights |
//!
//! The file says what the run's other files say. It is made anew from them each time, so that an epoch is in
//! it exactly once, however often the run was interrupted. It gets a later name each time: TensorBoard then
//! shows a training as it goes on (with its slow loader, `--load_fast=false`, once it is started again).

mod event;
mod record;

use crate::{
    files,
    findings::Findings,
    pictures::Picture,
    run::{CONTROL, Checkpoint},
};
use anyhow::Result;
use event::{Said, encode};
use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// How the names of event files begin.
const PREFIX: &str = "events.out.tfevents.";

/// Makes the event file of the run in `folder` say what `findings` say.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(folder: &Path, findings: &Findings) -> Result<()> {
    let (bytes, old) = (encoded(findings), existing(folder));
    let newest = old.last();
    let same = newest.filter(|path| std::fs::read(path).is_ok_and(|known| known == bytes)).cloned();
    let path = match same {
        Some(path) => path,
        None => {
            // A TensorBoard that watches the folder reads on in the file it has open, whatever takes its
            // name; under a later name it finds the new one.
            let path = folder.join(name_after(newest.and_then(|path| time_of(path))));
            files::write(&path, &bytes)?;
            path
        }
    };
    old.iter().filter(|other| **other != path).try_for_each(|other| files::remove(other))
}

/// Removes the event files in `folder`.
///
/// # Errors
/// When one cannot be removed.
pub fn remove(folder: &Path) -> Result<()> {
    existing(folder).iter().try_for_each(|path| files::remove(path))
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0., |since| since.as_secs_f64())
}

/// The bytes of the event file.
pub fn encoded(findings: &Findings) -> Vec<u8> {
    let Findings { record, epochs, timings, scores, pictures, .. } = findings;
    // The control's epoch is chosen without an attack.
    let attacked = record.config.framework != CONTROL;
    // Of epochs whose end nobody noted, the last noted end before is all that is known.
    let ended = |epoch: usize| {
        let known = timings.iter().take_while(|timing| timing.epoch <= epoch).last().or(timings.first());
        known.map_or(0., |timing| timing.ended)
    };
    let mut file = Vec::new();
    let mut say = |step: usize, said: Said<'_>| record::push(&mut file, &encode(ended(step), step, &said));
    say(0, Said::Version);
    let mut best = 0f64;
    for row in epochs {
        best = if row.best { row.held_out_robust_percent } else { best };
        let rate = timings.iter().find(|timing| timing.epoch == row.epoch).map(|timing| timing.images_per_second);
        let scalars = [
            ("train/loss", Some(row.loss)),
            ("train/lr", Some(row.lr)),
            ("train/images_per_second", rate),
            ("held_out/clean_percent", Some(row.held_out_clean_percent)),
            ("held_out/robust_percent", Some(row.held_out_robust_percent).filter(|_| attacked)),
            ("held_out/best_percent", Some(best)),
        ];
        for (tag, value) in scalars {
            if let Some(value) = value {
                say(row.epoch, Said::Scalar { tag, value: value as f32 });
            }
        }
    }
    for Picture { name, png, size } in pictures {
        let tag = format!("pictures/{name}");
        say(findings.epoch_of(Checkpoint::Best), Said::Image { tag: &tag, size: *size, png });
    }
    for score in scores {
        let group = if score.checkpoint == Checkpoint::Best { "test" } else { "test_last" };
        let tag = format!("{group}/{}", score.outcome.attack);
        let step = findings.epoch_of(score.checkpoint);
        say(step, Said::Scalar { tag: &tag, value: score.outcome.percent() as f32 });
    }
    file
}

/// The event files in `folder`, oldest first: their names begin with a time of ten digits.
fn existing(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    let mut paths: Vec<PathBuf> = ours.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// When an event file was made, as its name says.
fn time_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
}

/// The name of an event file made now, later than one made at `last`.
fn name_after(last: Option<u64>) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    let host = if host.is_empty() { "localhost" } else { &host };
    let time = (now() as u64).max(last.map_or(0, |last| last + 1));
    format!("{PREFIX}{time:010}.{host}")
}
