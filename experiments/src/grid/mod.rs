//! A table as a grid of runs: plan it, fill it, render it.

mod args;
mod audits;
mod entry;
mod estimate;
mod fill;
mod found;
pub(crate) mod kept;
mod plan;
mod survey;
pub mod trained;
mod vary;

use crate::{
    arsenal,
    audit::Audit,
    config::RunConfig,
    print,
    process::Usage,
    profile,
    report::{Audited, Cell, Column, Row, Table},
    run::{Run, Split},
    show,
    verdicts::{CLEAN, Outcome},
};
use anyhow::Result;

pub use args::TableArgs;
pub(crate) use args::main;
pub(crate) use audits::{AUDITED, sibling, surrogate};
pub use entry::{ATTACKS, COMPARED, Entry, pairs, row};
pub(crate) use fill::load;
use found::{Found, on_the_same_images};
pub(crate) use kept::check_kept;
use plan::{Planned, no_idle_options};
use std::process::ExitCode;
pub use survey::{Question, Survey};
pub use vary::Vary;
pub(crate) use vary::is_of_training;

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

impl Grid {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        main(self.name, self.caption, |args| self.work(args))
    }

    fn work(&self, args: &TableArgs) -> Result<()> {
        self.regenerate(args, Goal::Numbers, |table| {
            for path in table.write(&args.training.out)? {
                tracing::info!("wrote {}", path.display());
            }
            Ok(table.page())
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
        let fill = || self.fill(&planned, args, goal);
        self.fill_and_show(args, fill, || {
            let table = self.table(&planned, args)?;
            if table.cells.is_empty() { Ok(None) } else { keep(&table).map(Some) }
        })
    }

    /// Has `fill` measure what is missing, unless nothing is to run, and `draw` what is there, also when that was
    /// interrupted or a run failed; prints what `draw` returns, which is nothing where nothing was measured.
    ///
    /// # Errors
    /// When either fails, or nothing is there to show.
    fn fill_and_show(
        &self,
        args: &TableArgs,
        fill: impl FnOnce() -> Result<()>,
        draw: impl FnOnce() -> Result<Option<String>>,
    ) -> Result<()> {
        let out = &args.training.out;
        let filled = if args.render_only { Ok(()) } else { fill() };
        let text = draw()?;
        if text.is_some() {
            show::index(out)?;
        }
        filled?;
        // A part of a grid may hold no run, and another part's machine the results.
        anyhow::ensure!(
            text.is_some() || args.shard.is_some(),
            "nothing was measured with these options on the runs in {}; run {} without --render-only",
            out.display(),
            self.name
        );
        print(text.unwrap_or_default())?;
        Ok(())
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

    /// A row with what audits found.
    fn audited(&self, planned: &Planned, args: &TableArgs) -> Result<Row> {
        let mut row = planned.row.clone();
        for run in planned.runs.iter().filter(|run| self.audits(args) && run.numbers_stand()) {
            if let Some(audit) = Audit::read(&run.audit(args.checkpoint))? {
                let (seed, checkpoint) = (run.config().seed, args.checkpoint.name().into());
                row.audits.push(Audited {
                    runs: "runs".into(),
                    column: None,
                    run: run.config().id(),
                    seed,
                    checkpoint,
                    audit,
                });
            }
        }
        Ok(row)
    }

    /// The table as stored runs give it.
    fn table(&self, planned: &[Planned], args: &TableArgs) -> Result<Table> {
        let columns = self.columns(args)?;
        let rows = planned.iter().map(|planned| self.audited(planned, args)).collect::<Result<Vec<_>>>()?;
        let mut found = Vec::new();
        for (row, planned) in rows.iter().zip(planned) {
            for run in planned.runs.iter().filter(|run| run.numbers_stand()) {
                let known = known(run, &columns, args)?.into_iter();
                found.extend(known.map(|outcome| {
                    let beside = outcome.attack.clone();
                    Found { row, run, split: args.split, beside, outcome }
                }));
            }
        }
        on_the_same_images(&mut found);
        let name = args.split.named(self.name);
        let cells = found.iter().map(|of| cell(name.clone(), of, of.outcome.attack.clone(), args)).collect();
        let column = |attack: &&str| Column { attack: (*attack).into(), label: column_label(attack) };
        Ok(Table {
            name,
            caption: self.caption.into(),
            split: args.split,
            columns: columns.iter().map(column).collect(),
            cells,
            rows,
        })
    }
}

/// What is known of `attacks` on `run`, on as many images as `args` ask for, or fewer.
fn known(run: &Run, attacks: &[&str], args: &TableArgs) -> Result<Vec<Outcome>> {
    let (verdicts, place) = (run.verdicts()?, args.split.place(run.place(args.checkpoint)));
    let mut known = Vec::new();
    for attack in attacks {
        let (stages, wanted) = (arsenal::stages(attack, None)?, profile::examples(&args.training, attack));
        known.extend(verdicts.outcome_at_most(&place, attack, &stages, wanted));
    }
    Ok(known)
}

/// An answer as files keep it: in the run's own ball, on the weights that `args` ask for.
fn cell(table: String, of: &Found<'_>, attack: String, args: &TableArgs) -> Cell {
    let Found { row, run, split, outcome, .. } = of;
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
        split: *split,
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
