//! Which runs a command line asks for.

use super::{
    Entry, Grid, TableArgs,
    estimate::{self, Rate},
    found::of_one_copy,
    vary::{self, Variant},
};
use crate::{
    arsenal, cli::TrainingArgs, config::RunConfig, print_line, process::Usage, profile, report::Row, run::Run,
};
use anyhow::Result;
use std::collections::BTreeSet;

/// A row with its run for every seed.
pub(super) struct Planned {
    entry: Entry,
    /// But for its seed.
    config: RunConfig,
    pub(super) row: Row,
    pub(super) runs: Vec<Run>,
}

fn runs(planned: &[Planned]) -> impl Iterator<Item = &Run> {
    planned.iter().flat_map(|p| &p.runs)
}

impl Grid {
    /// What `training` means, if that can be.
    fn checked(&self, training: &TrainingArgs) -> Result<RunConfig> {
        if let Some(conflict) = training.i2fr.conflict(self.rows.iter().any(Entry::is_regularized)) {
            return Err(Usage(conflict.into()).into());
        }
        let base = profile::resolve(training);
        let dataset: data::Name = base.dataset.parse()?;
        base.threat()?.check(dataset.shape())?;
        base.taken(dataset.train_len()).map_err(|e| Usage(e.to_string()))?;
        let across = 2. * base.ball()?.eps;
        if let Some(step) = training.attack_step.as_ref().filter(|step| step.value() > across) {
            let what =
                format!("--attack-step {step} leads out of the ball from anywhere in it: it is {across:.4} across");
            return Err(Usage(what).into());
        }
        if let Some(warm_up) = base.warm_up.filter(|warm_up| *warm_up >= base.epochs) {
            let what = format!("--eps-warm-up {warm_up} leaves no epoch of {} at the whole radius", base.epochs);
            return Err(Usage(what).into());
        }
        Ok(base)
    }

    /// The rows that `args` ask for, and their runs.
    pub(super) fn plan(&self, args: &TableArgs) -> Result<Vec<Planned>> {
        for attack in self.columns(args)? {
            arsenal::stages(attack, None).map_err(|e| Usage(format!("{}: {e}", self.name)))?;
        }
        args.training.device.check()?;
        let base = self.checked(&args.training)?;
        let variants = vary::variants(args)?;
        for variant in &variants {
            self.checked(&variant.training)?;
        }
        let mut planned = self.asked(args, &variants)?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = planned.iter().find(|p| !seen.insert((&p.row.framework, &p.row.regularizer))) {
            let what = format!(
                "these options give {} two rows called {}; leave both out with --only, or leave those options out (or the \
                 table has that row twice)",
                self.name, twice.row.label
            );
            return Err(Usage(what).into());
        }
        if let Some(step) = base.attack_step.filter(|_| runs(&planned).all(|run| run.config().attack_step.is_none())) {
            let what = format!("--attack-step {step} changes nothing: the attack of every row has steps of its own");
            return Err(Usage(what).into());
        }
        if base.beta.is_some() && runs(&planned).all(|run| run.config().beta.is_none()) {
            return Err(Usage("--beta changes nothing: no row has a weight that it would change".into()).into());
        }
        if !args.vary.is_empty() {
            // A framework trained otherwise is another one, whose rows stand together.
            let frameworks: Vec<String> = planned.iter().map(|p| p.row.framework.clone()).collect();
            planned.sort_by_key(|p| frameworks.iter().position(|framework| *framework == p.row.framework));
        }
        of_one_copy(runs(&planned))?;
        runs(&planned).try_for_each(Run::check_objectives)?;
        Ok(planned)
    }

    /// Every version of a row that `--only` or, without it, the profile asks for.
    fn asked(&self, args: &TableArgs, variants: &[Variant]) -> Result<Vec<Planned>> {
        // Rows keep the names that they have without what the command line adds to every row.
        let usual = TrainingArgs { awp: None, average: None, label_smoothing: None, ..args.training.clone() };
        let (mut planned, mut asked_in_vain) = (Vec::new(), args.only.clone());
        let mut varied = BTreeSet::new();
        for entry in &self.rows {
            let plain = entry.row(&entry.config(&usual));
            for version in vary::versions(entry, variants, args) {
                let (own, row) = (entry.row(&version.config), entry.row(&version.config).map(|row| version.name(row)));
                let names: Vec<&Row> = [&own, &plain, &row].into_iter().flatten().collect();
                let named = |text: &str| match names.is_empty() {
                    true => entry.could_be_named(text),
                    false => names.iter().any(|row| row.is_named(text)),
                };
                if !entry.is_asked(named, &args.only, args.training.profile) {
                    continue;
                }
                asked_in_vain.retain(|text| !named(text));
                let row = row.map_err(|e| {
                    let alone = self.rows.len() == 1 || matches!(&args.only[..], [only] if only.starts_with('='));
                    Usage(format!("{e:#}{}", if alone { "" } else { "; leave that row out with --only" }))
                })?;
                varied.extend(version.options());
                let config = version.config;
                let run = |seed| Run::new(RunConfig { seed, ..config.clone() }, &args.training.out);
                let runs = args.seeds().into_iter().map(run).collect();
                planned.push(Planned { entry: entry.clone(), config, row, runs });
            }
        }
        if let Some(nothing) = asked_in_vain.first() {
            let mut names: Vec<String> = Vec::new();
            for name in self.rows.iter().map(|entry| entry.name(&usual)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let (table, names) = (self.name, names.join(", "));
            let what =
                format!("--only {nothing} leaves no row of {table}; rows: {names}; =NAME, =NAME+i2fr: that one alone");
            return Err(Usage(what).into());
        }
        vary::no_idle_variation(args, &varied)?;
        Ok(planned)
    }

    /// Prints what would run.
    pub(super) fn print_plan(&self, planned: &[Planned], args: &TableArgs) -> Result<()> {
        let rate = Rate::of_stored_runs(&args.training.out, &profile::resolve(&args.training));
        let missing = runs(planned).filter(|run| !run.trained());
        let missing: Vec<&RunConfig> = missing.map(Run::config).collect();
        let mut ahead = Vec::new();
        print_line(format_args!("{}: {}", self.name, self.caption))?;
        let dataset = profile::resolve(&args.training).dataset.parse::<data::Name>()?;
        if let Some(dir) = args.training.source.data_dir.as_deref().filter(|dir| !data::holds(dataset, dir)) {
            tracing::warn!("{}: no {dataset} data there that could be read; without, this ends at once", dir.display());
        }
        let part: BTreeSet<String> = args.part(by_seed(planned).concat()).iter().map(|run| run.config().id()).collect();
        for Planned { row, runs, .. } in planned {
            for run in runs {
                let estimate = rate.estimate(run.config());
                let state = match run {
                    run if run.trained() => "trained".to_owned(),
                    run if run.interrupted() => format!("interrupted, {estimate}"),
                    run if run.is_measured() => {
                        format!("measured, its weights are gone; if they are needed {estimate}")
                    }
                    _ => format!("to train, {estimate}"),
                };
                let ours = part.contains(&run.config().id());
                // Numbers outlive the weights.
                ahead.extend((ours && !run.trained() && !run.is_measured()).then(|| run.config()));
                let ours = if ours { "" } else { " (another shard)" };
                print_line(format_args!(
                    "{:<20} seed {:<3} {state}{ours}  {}",
                    row.label,
                    run.config().seed,
                    run.config().id()
                ))?;
            }
        }
        if let Some(total) = rate.total(&ahead) {
            print_line(total)?;
        }
        print_line(estimate::disk(&args.training.out, &missing)?)?;
        Ok(())
    }
}

/// The runs of each seed, in the order of the rows. They are trained in this order, so that a grid that is interrupted has
/// every row with few seeds rather than few rows with every seed; and [shards](TableArgs::part) are told apart by it.
pub(super) fn by_seed(planned: &[Planned]) -> Vec<Vec<&Run>> {
    let seeds = planned.first().map_or(0, |p| p.runs.len());
    (0..seeds).map(|seed| planned.iter().map(|p| &p.runs[seed]).collect()).collect()
}

/// An error if `args` change I2FR, but none of `planned`: they are without it, or have that of their own; or if they leave
/// nothing of it. (Measurements of training attacks may add I2FR to others.)
pub(super) fn no_idle_options(planned: &[Planned], args: &TableArgs) -> Result<()> {
    let i2fr = &args.training.i2fr;
    let used: Vec<_> = planned.iter().filter(|p| p.entry.is_regularized()).collect();
    if let Some(conflict) = i2fr.conflict(!used.is_empty()) {
        return Err(Usage(conflict.into()).into());
    }
    for Planned { config, row, .. } in used {
        if config.i2fr()?.is_some_and(|i2fr| !i2fr.weighs()) {
            return Err(Usage(format!("{}: every weight of I2FR is 0, so there is none", row.label)).into());
        }
    }
    for (option, silent) in i2fr.each_silenced() {
        let silent = TrainingArgs { i2fr: silent, ..args.training.clone() };
        if planned.iter().all(|p| p.entry.config(&args.training).same_effect(&p.entry.config(&silent))) {
            let what =
                format!("{option} changes nothing: every row that has I2FR sets that itself or makes no use of it");
            return Err(Usage(what).into());
        }
    }
    Ok(())
}
