//! What is known of runs, made comparable.

use crate::{
    report::Row,
    run::{Run, Split},
    verdicts::Outcome,
};
use anyhow::{Result, ensure};
use std::collections::{BTreeMap, BTreeSet};

/// What an attack has come to on a run.
pub(super) struct Found<'a> {
    pub(super) row: &'a Row,
    pub(super) run: &'a Run,
    pub(super) split: Split,
    /// Values of one framework with the same word here are compared with each other: that of the attack, or of a curve.
    pub(super) beside: String,
    pub(super) outcome: Outcome,
}

/// An error unless those of `runs` that are there have records that can be read and are of the same images: another copy of
/// a data set, or another order of it, pairs what is no pair.
pub(super) fn of_one_copy<'a>(runs: impl Iterator<Item = &'a Run>) -> Result<()> {
    let mut first: Option<(String, [String; 2])> = None;
    for run in runs {
        // A record that cannot be read is no missing one: a table without its run would look whole.
        let Some(record) = run.own_record()?.filter(|_| run.numbers_stand()) else { continue };
        let (id, images) = (run.config().id(), [record.provenance.train_sha256, record.provenance.test_sha256]);
        let (other, theirs) = first.get_or_insert_with(|| (id.clone(), images.clone()));
        ensure!(
            images == *theirs,
            "{id} and {other} are of other images of {} (SHA-256 in their run.json), so that a table of both compares nothing; \
             repeat one of them on the images of the other, in a folder of its own",
            run.config().dataset
        );
    }
    Ok(())
}

/// Leaves values that are compared the images that all runs of a framework have: a mean, what I2FR changes, and a curve
/// are of the same ones. Says which run the others are cut for.
pub(super) fn on_the_same_images(found: &mut [Found<'_>]) {
    let group = |of: &Found<'_>| (of.row.framework.clone(), of.split, of.beside.clone());
    let mut least = BTreeMap::<_, (usize, String, String)>::new();
    for of in found.iter() {
        let here = (of.outcome.correct.len(), of.run.config().id(), of.outcome.attack.clone());
        let least = least.entry(group(of)).or_insert_with(|| here.clone());
        *least = here.min(least.clone());
    }
    let mut cut = BTreeSet::new();
    for of in found {
        let (images, run, attack) = &least[&group(of)];
        if of.outcome.correct.len() > *images {
            of.outcome = of.outcome.of_the_first(*images);
            let framework = &of.row.framework;
            cut.insert(format!("{framework}: {run} has {images} images under {attack}, so all are shown on as many"));
        }
    }
    for line in cut {
        tracing::warn!("{line}");
    }
}
