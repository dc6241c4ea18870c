//! Attacks beyond a table's own columns: in other balls, from other networks.

use super::{Found, Grid, Planned, TableArgs, cell, fill, no_idle_options, on_the_same_images, plan::by_seed};
use crate::{
    arsenal::{self, Surrogate},
    profile,
    report::{Cell, Row},
    run::{Checkpoint, Run, Split},
    show,
    verdicts::{Outcome, Place},
};
use anyhow::Result;
use candle::Device;
use data::Splits;
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// What is asked of a run: an attack in a ball.
#[derive(Clone, Debug)]
pub struct Question {
    /// `clean`, `pgd-20`, ...; `transfer`, if it has a source.
    pub attack: String,
    /// Radius of the ball as it is written, in the norm of the run.
    pub epsilon: String,
    /// On which images.
    pub split: Split,
    /// On which weights.
    pub checkpoint: Checkpoint,
    /// The run whose network `transfer` takes its examples from.
    pub source: Option<Run>,
    /// Whether its answer is drawn as one curve with others: then all are of the same images.
    pub of_a_curve: bool,
}

impl Question {
    /// `attack` on test images, in the ball of radius `epsilon`.
    pub fn new(attack: impl Into<String>, epsilon: &str, checkpoint: Checkpoint) -> Self {
        let (attack, epsilon) = (attack.into(), epsilon.to_owned());
        Self { attack, epsilon, split: Split::Test, checkpoint, source: None, of_a_curve: false }
    }

    fn place(&self, run: &Run) -> Place {
        // Equal weights are asked once; but images of another network are those of its checkpoint.
        let once = run.ends_best() && self.source.is_none();
        let checkpoint = if once { Checkpoint::Best } else { self.checkpoint };
        self.split.place(Place { epsilon: self.epsilon.clone(), ..run.place(checkpoint) })
    }

    /// How cells call the attack.
    fn name(&self) -> String {
        match &self.source {
            None => self.attack.clone(),
            Some(source) => format!("{}@{}", self.attack, source.config().id()),
        }
    }

    /// The answer, if it is known; on `wanted` images at most (0: all there are).
    fn known(&self, run: &Run, args: &TableArgs) -> Result<Option<Outcome>> {
        let source = self.source.as_ref().map(|source| source.config().id());
        let (stages, wanted) =
            (arsenal::stages(&self.attack, source.as_deref())?, profile::examples(&args.training, &self.attack));
        Ok(run.verdicts()?.outcome_at_most(&self.place(run), &self.attack, &stages, wanted))
    }
}

/// What was asked and answered.
pub struct Survey {
    /// Name of the table or figure.
    pub name: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// Top to bottom, as in the grid.
    pub rows: Vec<Row>,
    /// An answer each.
    pub cells: Vec<Cell>,
}

impl Survey {
    /// The answers of `row` to questions that `wanted` picks, one a seed, in percent.
    pub fn values(&self, row: &Row, wanted: impl Fn(&Cell) -> bool) -> Vec<f64> {
        self.cells.iter().filter(|cell| cell.is_of(row) && wanted(cell)).map(|cell| cell.value_percent).collect()
    }

    /// Writes `NAME/cells.csv` below `out`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_cells(&self, out: &Path) -> Result<()> {
        crate::report::write_cells(&out.join(self.name).join("cells.csv"), &self.cells)
    }
}

impl Grid {
    /// Trains the rows, asks each run what `questions` makes of it and of all runs of its seed, and hands all
    /// answers to `show` (also when it was interrupted or a run failed, with what is there by then); prints
    /// what that returns.
    ///
    /// # Errors
    /// When a run fails, nothing is left to show, or the user interrupts.
    pub fn survey(
        &self,
        args: &TableArgs,
        questions: impl Fn(&Run, &[&Run]) -> Result<Vec<Question>>,
        show: impl FnOnce(&Survey) -> Result<String>,
    ) -> Result<()> {
        let planned = self.subjects(args)?;
        no_idle_options(&planned, args)?;
        if args.plan {
            return self.print_plan(&planned, args);
        }
        let fill = || interview(&planned, args, &questions);
        self.fill_and_show(args, fill, || {
            let rows = planned.iter().map(|planned| planned.row.clone()).collect();
            let cells = self.answers(&planned, args, &questions)?;
            if cells.is_empty() {
                return Ok(None);
            }
            let survey = Survey { name: self.name, caption: self.caption, rows, cells };
            survey.write_cells(&args.training.out)?;
            show(&survey).map(Some)
        })
    }

    fn answers(
        &self,
        planned: &[Planned],
        args: &TableArgs,
        questions: &impl Fn(&Run, &[&Run]) -> Result<Vec<Question>>,
    ) -> Result<Vec<Cell>> {
        let (mut asked, mut found) = (Vec::new(), Vec::new());
        let seeds = by_seed(planned);
        for (i, Planned { row, .. }) in planned.iter().enumerate() {
            for of_seed in &seeds {
                let run = of_seed[i];
                for question in questions(run, of_seed)?.into_iter().filter(|_| run.numbers_stand()) {
                    let Some(outcome) = question.known(run, args)? else { continue };
                    let beside = if question.of_a_curve { "curve" } else { &question.attack }.to_owned();
                    found.push(Found { row, run, split: question.split, beside, outcome });
                    asked.push(question);
                }
            }
        }
        on_the_same_images(&mut found);
        let cells = asked.into_iter().zip(&found).map(|(question, of)| Cell {
            checkpoint: question.checkpoint.name().into(),
            epsilon: question.epsilon.clone(),
            ..cell(self.name.to_owned(), of, question.name(), args)
        });
        Ok(cells.collect())
    }
}

/// Trains, then asks.
fn interview(
    planned: &[Planned],
    args: &TableArgs,
    questions: &impl Fn(&Run, &[&Run]) -> Result<Vec<Question>>,
) -> Result<()> {
    let data = fill::load_for(planned, args)?;
    let device = args.training.device.open()?;
    let seeds = by_seed(planned);
    let all = seeds.iter().flat_map(|of_seed| of_seed.iter().map(move |run| (*run, of_seed)));
    let ours = args.part(all);
    // Numbers outlive the weights: only who is asked something new needs them, and who lends images for it.
    let mut needed = BTreeSet::new();
    for (run, of_seed) in &ours {
        for question in questions(run, of_seed)? {
            if !run.numbers_stand() || !answered(run, &question, args, &data)? {
                needed.insert(run.config().id());
                needed.extend(question.source.iter().map(|source| source.config().id()));
            }
        }
    }
    let runs: Vec<&Run> = ours.iter().map(|(run, _)| *run).filter(|run| needed.contains(&run.config().id())).collect();
    // A network may be attacked from another, so all of them are trained first.
    let mut failures = fill::each(&runs, args, &data, &device, |_| Ok(()))?;
    // Who lends images may be another part's to train; asking all parts together fills what is left.
    let all_there = failures.none() && args.shard.is_none();
    let there: Vec<_> = ours.into_iter().filter(|(run, _)| failures.none() || run.numbers_stand()).collect();
    for (i, (run, of_seed)) in there.iter().enumerate() {
        let lent = |question: &Question| all_there || question.source.as_ref().is_none_or(Run::trained);
        let asked = || -> Result<()> {
            let mut news = false;
            for question in questions(run, of_seed)?.iter().filter(|question| lent(question)) {
                news |= ask(run, question, args, &data, &device)?;
            }
            let Some(_alone) = fill::claim_if_free(run)? else { return Ok(()) };
            if news {
                show::all(run, &data, &device)?;
            }
            // Figures count by the labels there, when nobody has the data set any more.
            fill::keep_examples(run, args.checkpoint, &[], &data.test)
        };
        failures.note(run, asked(), there.len() - i - 1)?;
    }
    failures.end()
}

/// Whether the answer is known on all images it is asked about.
fn answered(run: &Run, question: &Question, args: &TableArgs, data: &Splits) -> Result<bool> {
    let examples = fill::examples(args, &question.split.of(run, data)?, &question.attack);
    Ok(question.known(run, args)?.is_some_and(|known| known.correct.len() == examples))
}

/// Asks what is not known yet; whether it had to.
fn ask(run: &Run, question: &Question, args: &TableArgs, data: &Splits, device: &Device) -> Result<bool> {
    if answered(run, question, args, data)? {
        return Ok(false);
    }
    let source = match &question.source {
        None => None,
        Some(source) => {
            let net = Arc::new(source.net(question.checkpoint, data, device)?);
            Some(Surrogate { id: source.config().id(), net })
        }
    };
    let _alone = fill::claim(run, args)?;
    let net = run.net(question.checkpoint, data, device)?;
    let model = net.frozen();
    let data = &question.split.of(run, data)?;
    let mut examination = run.examination(question.checkpoint, &model, data, device, source)?;
    let examples = fill::examples(args, data, &question.attack);
    examination.outcome_within(question.place(run), &question.attack, examples)?;
    Ok(true)
}
