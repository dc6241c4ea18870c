//! Which runs a command line asks for.

use super::{
    Entry, Grid, TableArgs,
    estimate::{self, Rate},
};
use crate::{config::RunConfig, print_line, process::Usage, profile, report::Row, run::Run};
use anyhow::Result;
use std::collections::BTreeSet;

/// A row with its run for every seed.
pub(super) struct Planned {
    pub(super) row: Row,
    pub(super) runs: Vec<Run>,
}

impl Grid {
    /// The rows that `args` ask for, and their runs.
    pub(super) fn plan(&self, args: &TableArgs) -> Result<Vec<Planned>> {
        self.columns(args)?;
        args.training.device.check()?;
        if let Some(conflict) = args.training.i2fr.conflict(self.rows.iter().any(Entry::is_regularized)) {
            return Err(Usage(conflict.into()).into());
        }
        let base = profile::resolve(&args.training);
        if let Some(warm_up) = base.warm_up.filter(|warm_up| *warm_up >= base.epochs) {
            let what = format!("--eps-warm-up {warm_up} leaves no epoch of {} at the whole radius", base.epochs);
            return Err(Usage(what).into());
        }
        let mut seeds = if args.seeds.is_empty() { args.training.profile.seeds() } else { args.seeds.clone() };
        let mut seen = BTreeSet::new();
        seeds.retain(|seed| seen.insert(*seed));
        // Rows keep the names that they have without what the command line adds to every row.
        let usual = RunConfig { awp: None, averaging: None, label_smoothing: None, ..base.clone() };
        let (mut planned, mut asked_in_vain) = (Vec::new(), args.only.clone());
        for entry in &self.rows {
            let config = entry.config(&base, &args.training.i2fr);
            let row = match entry.row(&config) {
                Ok(row) => row,
                // What cannot be, but is not asked for either.
                Err(_) if !entry.may_be_asked(&args.only, args.training.profile) => continue,
                Err(e) if self.rows.len() == 1 => return Err(Usage(format!("{e:#}")).into()),
                Err(e) => return Err(Usage(format!("{e:#}; leave that row out with --only")).into()),
            };
            let plain = entry.row(&entry.config(&usual, &args.training.i2fr)).unwrap_or_else(|_| row.clone());
            let named = |text: &str| row.is_named(text) || plain.is_named(text);
            if entry.is_asked(named, &args.only, args.training.profile) {
                asked_in_vain.retain(|text| !named(text));
                let run = |&seed: &u64| Run::new(RunConfig { seed, ..config.clone() }, &args.training.out);
                planned.push(Planned { row, runs: seeds.iter().map(run).collect() });
            }
        }
        let names = |p: &Planned| [p.row.framework.clone(), p.row.regularizer.clone()];
        let mut seen = BTreeSet::new();
        if let Some(twice) = planned.iter().find(|p| !seen.insert(names(p))) {
            let what = format!(
                "these options give {} two rows called {}; leave both out with --only, or leave those options out",
                self.name, twice.row.label
            );
            return Err(Usage(what).into());
        }
        if let Some(nothing) = asked_in_vain.first() {
            let mut names: Vec<String> = Vec::new();
            for name in self.rows.iter().map(|entry| entry.name(&usual, &args.training.i2fr)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let (table, names) = (self.name, names.join(", "));
            let what =
                format!("--only {nothing} leaves no row of {table}; rows: {names}; =NAME, =NAME+i2fr: that one alone");
            return Err(Usage(what).into());
        }
        if base.beta.is_some() && planned.iter().flat_map(|p| &p.runs).all(|run| run.config().beta.is_none()) {
            return Err(Usage("--beta changes nothing: no row is of TRADES, MART or ALP with another".into()).into());
        }
        Ok(planned)
    }

    /// Prints what would run.
    pub(super) fn print_plan(&self, planned: &[Planned], args: &TableArgs) -> Result<()> {
        let rate = Rate::of_stored_runs(&args.training.out, &profile::resolve(&args.training));
        let missing = planned.iter().flat_map(|p| &p.runs).filter(|run| !run.trained());
        let missing: Vec<&RunConfig> = missing.map(Run::config).collect();
        print_line(format_args!("{}: {}", self.name, self.caption))?;
        for (i, Planned { row, runs }) in planned.iter().enumerate() {
            for (seed, run) in runs.iter().enumerate() {
                let estimate = rate.estimate(run.config());
                let state = match run {
                    run if run.trained() => "trained".to_owned(),
                    run if run.interrupted() => format!("interrupted, {estimate}"),
                    run if run.numbers_stand() => {
                        format!("measured, its weights are gone; if they are needed {estimate}")
                    }
                    _ => format!("to train, {estimate}"),
                };
                // Shards count runs in the order they are trained in.
                let ours = if args.in_shard(seed * planned.len() + i) { "" } else { " (another shard)" };
                print_line(format_args!(
                    "{:<20} seed {:<3} {state}{ours}  {}",
                    row.label,
                    run.config().seed,
                    run.config().id()
                ))?;
            }
        }
        print_line(estimate::disk(&args.training.out, &missing)?)?;
        Ok(())
    }
}

/// An error if `args` change I2FR and none of `planned` has it. (Measurements of training attacks may add it to others.)
pub(super) fn no_idle_options(planned: &[Planned], args: &TableArgs) -> Result<()> {
    let used = planned.iter().flat_map(|p| &p.runs).any(|run| run.config().regularizer.is_some());
    args.training.i2fr.conflict(used).map_or(Ok(()), |conflict| Err(Usage(conflict.into()).into()))
}
