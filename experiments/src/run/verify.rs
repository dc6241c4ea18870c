//! Whether everything that is stored of a run can be read, and is what was written.

use super::{Checkpoint, saved, store::Stored};
use crate::{audit::Audit, files::read_csv, findings::timings, grid, pictures};
use anyhow::{Context, Result};
use models::checkpoint;
use std::{collections::BTreeMap, path::Path};

impl Stored {
    /// What is damaged, a line each. Missing weights are no damage: measurements outlive them.
    pub fn damages(&self) -> Vec<String> {
        let (run, record) = match (self.run(), &self.record) {
            (Some(known), _) => known,
            (None, Err(e)) => return vec![format!("{}: {e:#}", self.id)],
            (None, Ok(_)) => return Vec::new(),
        };
        let both = Checkpoint::ALL;
        let id = record.config.id();
        if id != self.id || id != record.id {
            // Nothing else can be judged by it.
            return vec![format!("{}: run.json: it is the record of {id}", self.id)];
        }
        let epochs = || -> Result<()> {
            let (wanted, begun) = (record.config.epochs, self.folder.join("epochs.csv").is_file());
            let rows = if record.finished || begun { self.epochs()?.len() } else { 0 };
            let whole = rows == wanted || (!record.finished && rows < wanted);
            anyhow::ensure!(whole, "epochs.csv: {rows} epochs of {wanted}");
            Ok(())
        };
        let weights = |checkpoint| -> Result<()> {
            let path = run.weights(checkpoint);
            if path.is_file() {
                checkpoint::read(&path)?;
                run.check_weights(checkpoint).with_context(|| path.display().to_string())?;
            }
            Ok(())
        };
        let state = |path: &Path| -> Result<()> {
            if path.is_file() { saved::check(path).with_context(|| path.display().to_string()) } else { Ok(()) }
        };
        let examples = |checkpoint| -> Result<()> {
            let path = run.examples(checkpoint);
            if !path.is_file() {
                return Ok(());
            }
            let rows = read_csv::<BTreeMap<String, String>>(&path)?;
            let wanted = ["index", "label", "clean_correct"];
            let columns = |row: &BTreeMap<_, _>| wanted.iter().all(|name| row.contains_key(*name));
            let again = "delete it: the next evaluation writes it again";
            anyhow::ensure!(rows.first().is_some_and(columns), "{}: holds no verdicts; {again}", path.display());
            Ok(())
        };
        let verdicts = || -> Result<()> {
            let left = both.map(|checkpoint| run.examples(checkpoint)).into_iter().find(|path| path.is_file());
            let evaluations = self.folder.join("evaluations.csv");
            if let Some(left) = left.filter(|_| !evaluations.is_file()) {
                let [gone, left] = [&evaluations, &left].map(|path| path.display());
                anyhow::bail!("{gone}: gone, though {left} is left; put it back, or delete that and evaluate again")
            }
            run.verdicts().map(drop)
        };
        let mut all = vec![epochs(), verdicts(), timings(&self.folder).map(drop)];
        all.extend([pictures::read(&self.folder).map(drop), grid::check_kept(&self.folder)]);
        all.extend(both.map(examples));
        all.extend(both.map(weights));
        all.extend(both.map(|checkpoint| Audit::read(&run.audit(checkpoint)).map(drop)));
        // The process that trains it replaces its states as we look.
        if self.held_by().is_none() {
            all.extend(run.states().map(|path| state(&path)));
        }
        all.into_iter().filter_map(Result::err).map(|e| format!("{}: {e:#}", self.id)).collect()
    }
}
