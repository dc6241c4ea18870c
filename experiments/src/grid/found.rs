//! What is known of runs, made comparable.

use crate::{
    report::Row,
    run::{Run, Split},
    verdicts::Outcome,
};
use std::collections::{BTreeMap, BTreeSet};

/// What an attack has come to on a run.
pub(super) struct Found<'a> {
    pub(super) row: &'a Row,
    pub(super) run: &'a Run,
    pub(super) split: Split,
    pub(super) outcome: Outcome,
}

/// Leaves each attack the images that all runs of a framework have under it: a mean, and what I2FR changes, are of the
/// same ones. Says which run the others are cut for.
pub(super) fn on_the_same_images(found: &mut [Found<'_>]) {
    let group = |of: &Found<'_>| (of.row.framework.clone(), of.split, of.outcome.attack.clone());
    let mut least = BTreeMap::<_, (usize, String)>::new();
    for of in found.iter() {
        let here = (of.outcome.correct.len(), of.run.config().id());
        let least = least.entry(group(of)).or_insert_with(|| here.clone());
        *least = here.min(least.clone());
    }
    let mut cut = BTreeSet::new();
    for of in found {
        let (framework, split, attack) = group(of);
        let (images, run) = &least[&(framework.clone(), split, attack.clone())];
        if of.outcome.correct.len() > *images {
            of.outcome = of.outcome.of_the_first(*images);
            cut.insert(format!("{framework}, {attack}: {run} has {images} images, so all are shown on as many"));
        }
    }
    for line in cut {
        tracing::warn!("{line}");
    }
}
