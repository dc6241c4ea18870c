//! What nobody needs any more.

use super::{saved::STATES, store::Store};
use crate::{
    files,
    lock::{Held, Lock},
};
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
    /// The folder of the run that it is of, if it is of one.
    run: Option<PathBuf>,
}

impl Waste {
    fn new(path: PathBuf, why: &'static str, run: Option<&Path>) -> Self {
        Self { bytes: files::size(&path), path, why, run: run.map(Path::to_owned) }
    }

    /// Deletes it, and returns whether: not if a process has come to work on the run since it was found.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn delete(&self) -> Result<bool> {
        let cannot = || format!("cannot delete {}", self.path.display());
        // While this is held nobody begins. The lock of a dead process is gone by that alone.
        let _alone = match self.run.as_deref().map(|folder| Lock::take(folder, "leave it")).transpose() {
            Err(e) if e.is::<Held>() => return Ok(false),
            taken => taken.with_context(cannot)?,
        };
        let path = &self.path;
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.with_context(cannot)?;
        Ok(true)
    }
}

impl Store {
    /// States of trainings that are done, locks and half-written files of dead processes, and folders with nothing
    /// but these and no record. What a living process works on is left alone, and so is a folder with anything else,
    /// such as a record that cannot be read: what was trained may still be good.
    pub fn waste(&self) -> Vec<Waste> {
        let mut found = Vec::new();
        let mut add = |paths: Vec<PathBuf>, why, run| {
            found.extend(paths.into_iter().map(|path| Waste::new(path, why, run)));
        };
        for folder in [self.out.clone(), self.out.join("runs")] {
            add(files::leftovers(&folder), "half-written", None);
        }
        for stored in self.runs.iter().filter(|stored| stored.held_by().is_none()) {
            let of = Some(stored.folder.as_path());
            let Some((run, _)) = stored.run() else {
                let names = STATES.into_iter().chain(["run.lock"]).map(|name| stored.folder.join(name));
                let of_no_use: Vec<PathBuf> = files::leftovers(&stored.folder).into_iter().chain(names).collect();
                if fs::read_dir(&stored.folder).is_ok_and(|all| all.flatten().all(|e| of_no_use.contains(&e.path()))) {
                    add(vec![stored.folder.clone()], "no run.json, nothing trained or measured", of);
                }
                continue;
            };
            add(files::leftovers(&stored.folder), "half-written", of);
            let here = |paths: &[PathBuf]| paths.iter().filter(|path| path.is_file()).cloned().collect();
            if run.trained() {
                add(here(&run.states()), "training is done", of);
            }
            add(here(&[stored.folder.join("run.lock")]), "its process is dead", of);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_has_begun_to_work_on_is_left() {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().join("runs/begun");
        fs::create_dir_all(&folder).unwrap();
        let [waste] = &Store::open(out.path()).unwrap().waste()[..] else { panic!("an empty folder is waste") };
        let lock = Lock::take(&folder, "wait").unwrap();
        assert!(!waste.delete().unwrap() && folder.is_dir());
        drop(lock);
        assert!(waste.delete().unwrap() && !folder.exists());
    }
}
