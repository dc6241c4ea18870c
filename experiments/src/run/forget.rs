//! What was measured on weights that are gone.

use super::{Checkpoint, Run};
use crate::{
    arsenal::transfer,
    files::{self, mentions},
    grid::kept,
    lock::Lock,
    verdicts::Verdicts,
};
use anyhow::Result;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

impl Run {
    /// The checksums of the weights that everything here was measured on. Nothing stays that was measured on weights
    /// without one.
    pub(super) fn measured(&self) -> Result<BTreeMap<String, String>> {
        let sums = self
            .own_record()?
            .map(|record| if record.finished { record.weights_sha256 } else { record.measured_sha256 });
        let sums = sums.unwrap_or_default();
        if sums.is_empty() {
            self.forget()?;
        }
        Ok(sums)
    }

    /// Removes everything that was measured: of other weights it says nothing.
    pub(super) fn forget(&self) -> Result<()> {
        files::remove(&self.folder.join("evaluations.csv"))?;
        files::remove(&self.examples(Checkpoint::Best))?;
        files::remove(&self.examples(Checkpoint::Last))?;
        kept::forget(&self.folder, None)?;
        forget_audits(&self.folder, None)?;
        let id = self.config.id();
        self.others().iter().try_for_each(|other| forget_lent(other, &id))
    }

    /// The folders of all other runs.
    fn others(&self) -> Vec<PathBuf> {
        let entries = self.folder.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| *path != self.folder && path.is_dir()).collect()
    }
}

/// Removes from the run in `folder` what was measured with the help of the run called `id`.
///
/// # Errors
/// When another process measures that run, or a file cannot be written.
fn forget_lent(folder: &Path, id: &str) -> Result<()> {
    let text =
        |path: &PathBuf| path.extension().is_some_and(|kind| ["csv", "json", "md"].map(OsStr::new).contains(&kind));
    let mut texts = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path()).filter(text);
    if !texts.any(|path| mentions(&path, id)) {
        return Ok(());
    }
    // Who measures it has its verdicts in memory, and would write them back.
    let _alone = Lock::take(folder, "stop it")?;
    // Verdicts that cannot be read are nobody's evidence.
    if let Ok(mut verdicts) = Verdicts::read(folder.join("evaluations.csv"))
        && verdicts.forget(&transfer(id))
    {
        verdicts.save()?;
    }
    kept::forget(folder, Some(id))?;
    forget_audits(folder, Some(id))
}

/// Removes the audits in `folder`; with `id`, those that took images of the run called so.
fn forget_audits(folder: &Path, id: Option<&str>) -> Result<()> {
    for checkpoint in Checkpoint::ALL {
        let stem = folder.join(format!("audit-{}", checkpoint.name()));
        if id.is_none_or(|id| mentions(&stem.with_extension("md"), id)) {
            files::remove(&stem.with_extension("csv"))?;
            files::remove(&stem.with_extension("md"))?;
        }
    }
    Ok(())
}
