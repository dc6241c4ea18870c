//! A table as a grid of runs: plan it, fill it, render it.

mod args;
mod entry;
mod estimate;
mod fill;
pub(crate) mod kept;
mod survey;
pub mod trained;

use crate::{
    arsenal,
    audit::Audit,
    config::RunConfig,
    print, print_line,
    process::Usage,
    profile,
    report::{Audited, Cell, Column, Row, Table},
    run::{Run, Split},
    show,
    verdicts::{CLEAN, Outcome},
};
use anyhow::{Context, Result};
use estimate::Rate;

pub use args::TableArgs;
pub use entry::{Entry, row};
pub(crate) use kept::check_kept;
use std::{collections::BTreeSet, process::ExitCode};
pub use survey::{Question, Survey};

/// A table of the paper: rows are trainings, columns are attacks.
pub struct Grid {
    /// `table1`, the name of its files.
    pub name: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// Top to bottom, a framework's plain row before its others.
    pub rows: Vec<Entry>,
    /// `clean` and attacks by name; none where there is nothing to choose.
    pub columns: &'static [&'static str],
    /// Whether runs are audited.
    pub audited: bool,
}

/// What is to be there in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// What the table shows: nothing is trained for numbers that are known.
    Numbers,
    /// Weights as well.
    Weights,
}

/// A row with its run for every seed.
struct Planned {
    row: Row,
    runs: Vec<Run>,
}

impl Grid {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        crate::main(|args: &TableArgs| Some(args.training.out.as_path()), |args| self.work(args))
    }

    fn work(&self, args: &TableArgs) -> Result<()> {
        self.regenerate(args, Goal::Numbers, |table| {
            for path in table.write(&args.training.out)? {
                tracing::info!("wrote {}", path.display());
            }
            Ok(table.markdown())
        })
    }

    /// Trains and evaluates what is missing, as `args` allow, hands the table to `keep` (also
    /// when it was interrupted or a run failed, with what is there by then) and prints what that returns.
    ///
    /// # Errors
    /// When a run fails, nothing is left to show, or the user interrupts.
    pub fn regenerate(&self, args: &TableArgs, goal: Goal, keep: impl FnOnce(&Table) -> Result<String>) -> Result<()> {
        let planned = self.plan(args)?;
        no_idle_options(&planned, args)?;
        if args.plan {
            return self.print_plan(&planned, args);
        }
        let filled = if args.render_only { Ok(()) } else { self.fill(&planned, args, goal) };
        let table = self.table(&planned, args)?;
        let mut text = String::new();
        if !table.cells.is_empty() {
            text = keep(&table)?;
            show::index(&args.training.out)?;
        }
        filled?;
        let out = args.training.out.display();
        // A part of a grid may hold no run, and another part's machine the results.
        anyhow::ensure!(!table.cells.is_empty() || args.shard.is_some(), "there are no stored runs to show in {out}");
        print(&text)?;
        Ok(())
    }

    fn plan(&self, args: &TableArgs) -> Result<Vec<Planned>> {
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
        let mut planned = Vec::new();
        for entry in &self.rows {
            let config = entry.config(&base, &args.training.i2fr);
            let row = match entry.row(&config) {
                // What cannot be, but is not asked for either.
                Err(_) if !entry.may_be_named(&args.only) => continue,
                row => row.context("leave that row out with --only")?,
            };
            if entry.is_asked(&row, &args.only, args.training.profile) {
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
        if let Some(nothing) = args.only.iter().find(|text| !planned.iter().any(|p: &Planned| p.row.is_named(text))) {
            let mut names: Vec<String> = self.rows.iter().map(Entry::name).collect();
            names.dedup();
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

    /// The columns that `args` ask for.
    pub(crate) fn columns(&self, args: &TableArgs) -> Result<Vec<&'static str>> {
        if let Some(other) = args.columns.iter().find(|asked| !self.columns.contains(&asked.as_str())) {
            return Err(Usage(format!("--columns {other}: {} has {}", self.name, self.columns.join(", "))).into());
        }
        let asked = |column: &&str| args.columns.is_empty() || args.columns.iter().any(|asked| asked == column);
        Ok(self.columns.iter().copied().filter(asked).collect())
    }

    /// Whether the table has audits: they are of test images.
    fn audits(&self, args: &TableArgs) -> bool {
        self.audited && args.split == Split::Test
    }

    /// The table as stored runs give it.
    fn table(&self, planned: &[Planned], args: &TableArgs) -> Result<Table> {
        let (mut rows, mut cells) = (Vec::new(), Vec::new());
        let columns = self.columns(args)?;
        for Planned { row, runs } in planned {
            let mut row = row.clone();
            for run in runs.iter().filter(|run| run.numbers_stand()) {
                let (verdicts, place) = (run.verdicts()?, args.split.place(run.place(args.checkpoint)));
                if self.audits(args)
                    && let Some(audit) = Audit::read(&run.audit(args.checkpoint))?
                {
                    let (seed, checkpoint) = (run.config().seed, args.checkpoint.name().into());
                    row.audits.push(Audited { run: run.config().id(), seed, checkpoint, audit });
                }
                for attack in &columns {
                    let (stages, wanted) = (arsenal::stages(attack, None)?, profile::examples(&args.training, attack));
                    if let Some(outcome) = verdicts.outcome_at_most(&place, attack, &stages, wanted) {
                        cells.push(cell(args.split.named(self.name), &row, run, (*attack).into(), &outcome, args));
                    }
                }
            }
            rows.push(row);
        }
        let column = |attack: &&str| Column { attack: (*attack).into(), label: column_label(attack) };
        Ok(Table {
            name: args.split.named(self.name),
            caption: self.caption.into(),
            split: args.split,
            rows,
            columns: columns.iter().map(column).collect(),
            cells,
        })
    }

    fn print_plan(&self, planned: &[Planned], args: &TableArgs) -> Result<()> {
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
fn no_idle_options(planned: &[Planned], args: &TableArgs) -> Result<()> {
    let used = planned.iter().any(|p| p.row.is_regularized());
    args.training.i2fr.conflict(used).map_or(Ok(()), |conflict| Err(Usage(conflict.into()).into()))
}

/// An answer as files keep it: in the run's own ball, on the weights that `args` ask for.
fn cell(table: String, row: &Row, run: &Run, attack: String, outcome: &Outcome, args: &TableArgs) -> Cell {
    let RunConfig { dataset, arch, norm, epsilon, seed, .. } = run.config().clone();
    Cell {
        table,
        framework: row.framework.clone(),
        regularizer: row.regularizer.clone(),
        dataset,
        arch,
        norm,
        epsilon,
        attack,
        checkpoint: args.checkpoint.name().into(),
        split: args.split,
        seed,
        examples: outcome.correct.len(),
        value_percent: outcome.percent(),
        run: run.config().id(),
        profile: profile::recipe(&args.training),
        seconds: outcome.seconds,
    }
}

/// `pgd-20` as tables print it: `PGD-20`.
pub(crate) fn column_label(attack: &str) -> String {
    match attack {
        CLEAN => "Clean".into(),
        "autoattack" => "AutoAttack".into(),
        "adaptive" => "Adaptive".into(),
        _ => match attack.strip_prefix("square-") {
            Some(queries) => format!("Square ({queries})"),
            None => attack.to_uppercase(),
        },
    }
}
