//! What nobody needs any more.

use super::{saved::STATES, store::Store};
use crate::files;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Something to delete.
#[derive(Debug)]
pub struct Waste {
    /// Where it is.
    pub path: PathBuf,
    /// Why nobody needs it.
    pub why: &'static str,
    /// How much it takes.
    pub bytes: u64,
}

impl Waste {
    fn new(path: PathBuf, why: &'static str) -> Self {
        Self { bytes: files::size(&path), path, why }
    }

    /// Deletes it.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn delete(&self) -> Result<()> {
        let delete = |path: &Path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        delete(&self.path).with_context(|| format!("cannot delete {}", self.path.display()))
    }
}

impl Store {
    /// States of trainings that are done, locks and half-written files of dead processes, and folders with nothing
    /// but these and no record. What a living process works on is left alone, and so is a folder with anything else,
    /// such as a record that cannot be read: what was trained may still be good.
    pub fn waste(&self) -> Vec<Waste> {
        let mut found = Vec::new();
        let mut add = |paths: Vec<PathBuf>, why| found.extend(paths.into_iter().map(|path| Waste::new(path, why)));
        for folder in [self.out.clone(), self.out.join("runs")] {
            add(files::leftovers(&folder), "half-written");
        }
        for stored in self.runs.iter().filter(|stored| stored.held_by().is_none()) {
            let Some((run, _)) = stored.run() else {
                let names = STATES.into_iter().chain(["run.lock"]).map(|name| stored.folder.join(name));
                let of_no_use: Vec<PathBuf> = files::leftovers(&stored.folder).into_iter().chain(names).collect();
                if fs::read_dir(&stored.folder).is_ok_and(|all| all.flatten().all(|e| of_no_use.contains(&e.path()))) {
                    add(vec![stored.folder.clone()], "no run.json, nothing trained or measured");
                }
                continue;
            };
            add(files::leftovers(&stored.folder), "half-written");
            let here = |paths: &[PathBuf]| paths.iter().filter(|path| path.is_file()).cloned().collect();
            if run.trained() {
                add(here(&run.states()), "training is done");
            }
            add(here(&[stored.folder.join("run.lock")]), "its process is dead");
        }
        found
    }
}
