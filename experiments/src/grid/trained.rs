//! What is measured on the weights of trained runs, accuracies aside: run by run, each answer kept beside its run.

use super::{Grid, Planned, TableArgs, fill, kept::Kept, no_idle_options, plan::by_seed};
use crate::{
    config::RunConfig,
    print_line,
    process::Usage,
    profile,
    report::{Measure, Row, write_measures},
    run::{Run, Split},
};
use anyhow::Result;
use candle::Device;
use data::Splits;
use models::Model;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Instant;

/// Something to measure on a trained network.
pub trait Measurement {
    /// What it finds that is no number.
    type More: Serialize + DeserializeOwned;

    /// Everything that an answer depends on beside the weights of `run`, in words. An answer to other words is not
    /// used.
    ///
    /// # Errors
    /// When the run's configuration is none.
    fn settings(&self, run: &Run, args: &TableArgs) -> Result<String>;

    /// Whether it looks at I2FR where a run has none, so that its options matter there too.
    fn adds_i2fr(&self) -> bool {
        false
    }

    /// The run whose network is needed as well.
    fn companion(&self, _run: &Run, _args: &TableArgs) -> Option<Run> {
        None
    }

    /// Measures.
    ///
    /// # Errors
    /// When a network fails, or the user interrupts.
    fn measure(&self, subject: &Subject<'_>) -> Result<Answer<Self::More>>;
}

/// What is measured.
pub struct Subject<'a> {
    /// The run.
    pub run: &'a Run,
    /// A frozen view of its network.
    pub model: &'a dyn Model,
    /// One of its companion's.
    pub companion: Option<&'a dyn Model>,
    /// All images.
    pub data: &'a Splits,
    /// Where they are looked at.
    pub device: &'a Device,
    /// The command line.
    pub args: &'a TableArgs,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer<T> {
    /// The number of test images.
    pub examples: usize,
    /// The measurements. What is undefined for these images is not among them.
    pub numbers: Vec<Number>,
    /// Whatever else there is.
    pub more: T,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of `Measure`, which documents them")]
pub struct Number {
    pub subject: String,
    pub measure: String,
    pub value: f64,
}

/// A run and what was measured on it.
pub struct Measured<T> {
    /// Its row.
    pub row: Row,
    /// The run.
    pub run: Run,
    /// What was found.
    pub answer: Answer<T>,
    /// What that took.
    pub seconds: f64,
}

impl Grid {
    /// Trains the rows and measures what is missing, as `args` allow; writes `NAME/measures.csv`, hands all that was
    /// measured to `show` (also when it was interrupted or a run failed, with what is there by then), and prints what
    /// `show` returns.
    ///
    /// # Errors
    /// When a run fails, nothing is left to show, or the user interrupts.
    pub fn study<M: Measurement>(
        &self,
        measurement: &M,
        args: &TableArgs,
        show: impl FnOnce(&[Measured<M::More>], &[Measure]) -> Result<String>,
    ) -> Result<()> {
        let planned = self.subjects(args)?;
        if !measurement.adds_i2fr() {
            no_idle_options(&planned, args)?;
        }
        if args.plan {
            self.print_plan(&planned, args)?;
            return print_companions(measurement, &planned, args);
        }
        let fill = || self.investigate(measurement, &planned, args);
        self.fill_and_show(args, fill, || {
            let measured = self.measured(measurement, &planned, args)?;
            if measured.is_empty() {
                return Ok(None);
            }
            let lines = self.lines(&measured, args);
            write_measures(&args.training.out.join(self.name).join("measures.csv"), &lines)?;
            show(&measured, &lines).map(Some)
        })
    }

    /// The frameworks of the rows that `args` ask for.
    ///
    /// # Errors
    /// When they ask for a row that is none.
    pub fn frameworks(&self, args: &TableArgs) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.subjects(args)?.into_iter().map(|planned| planned.row.framework).collect();
        names.dedup();
        Ok(names)
    }

    /// The rows of what has questions of its own, not columns.
    pub(super) fn subjects(&self, args: &TableArgs) -> Result<Vec<Planned>> {
        if args.split != Split::Test {
            return Err(Usage(format!("--split: {} chooses its images itself", self.name)).into());
        }
        match args.columns.first().filter(|_| self.columns.is_empty()) {
            Some(column) => {
                Err(Usage(format!("--columns {column}: {} has no columns to choose from", self.name)).into())
            }
            None => self.plan(args),
        }
    }

    fn investigate<M: Measurement>(&self, measurement: &M, planned: &[Planned], args: &TableArgs) -> Result<()> {
        let data = fill::load_for(planned, args)?;
        let device = args.training.device.open()?;
        let known = |run: &Run| Ok::<_, anyhow::Error>(self.known(measurement, run, args)?.is_some());
        let mut needed = Vec::new();
        for run in args.part(by_seed(planned).concat()) {
            // Numbers outlive the weights.
            if run.trained() || !known(run)? {
                needed.push(run);
            }
        }
        // Measuring may need networks that another part trains: that part shall have had the time to.
        let mut failures = fill::each(&needed, args, &data, &device, |_| Ok(()))?;
        needed.retain(|run| failures.none() || run.trained());
        for (i, run) in needed.iter().enumerate() {
            if !known(run)? {
                failures.note(run, self.ask(measurement, run, &data, &device, args), needed.len() - i - 1)?;
            }
        }
        failures.end()
    }

    fn ask<M: Measurement>(
        &self,
        measurement: &M,
        run: &Run,
        data: &Splits,
        device: &Device,
        args: &TableArgs,
    ) -> Result<()> {
        let companion = measurement.companion(run, args);
        if let Some(other) = &companion {
            fill::train(other, args, data, device, &mut |_| {})?;
        }
        let _alone = fill::claim(run, args)?;
        // Who held it until now may just have measured.
        if self.known(measurement, run, args)?.is_some() {
            return Ok(());
        }
        let net = run.net(args.checkpoint, data, device)?;
        let other = companion.map(|other| other.net(args.checkpoint, data, device)).transpose()?;
        let (model, other) = (net.frozen(), other.as_ref().map(models::Net::frozen));
        let companion = other.as_ref().map(|view| view as &dyn Model);
        let began = Instant::now();
        let answer = measurement.measure(&Subject { run, model: &model, companion, data, device, args })?;
        if let Some(Number { subject, measure, value }) = answer.numbers.iter().find(|n| !n.value.is_finite()) {
            anyhow::bail!(
                "{}: {measure} of {subject} is {value}: its network gives no numbers; delete its weights to train it again",
                run.folder().display()
            )
        }
        let (settings, seconds) = (measurement.settings(run, args)?, began.elapsed().as_secs_f64());
        tracing::info!("{}: measured for {} in {seconds:.1} s", run.name(), self.name);
        Kept { settings, seconds, answer }.keep(run, self.name, args.checkpoint)
    }

    /// What was measured on `run` with the same settings.
    fn known<M: Measurement>(&self, measurement: &M, run: &Run, args: &TableArgs) -> Result<Option<Kept<M::More>>> {
        if !run.numbers_stand() {
            return Ok(None);
        }
        Kept::find(run, self.name, args.checkpoint, &measurement.settings(run, args)?)
    }

    fn measured<M: Measurement>(
        &self,
        measurement: &M,
        planned: &[Planned],
        args: &TableArgs,
    ) -> Result<Vec<Measured<M::More>>> {
        let mut measured = Vec::new();
        for Planned { row, runs, .. } in planned {
            for run in runs {
                if let Some(Kept { seconds, answer, .. }) = self.known(measurement, run, args)? {
                    measured.push(Measured { row: row.clone(), run: run.clone(), answer, seconds });
                }
            }
        }
        Ok(measured)
    }

    fn lines<T>(&self, measured: &[Measured<T>], args: &TableArgs) -> Vec<Measure> {
        let of = |Measured { row, run, answer, seconds }: &Measured<T>| -> Vec<Measure> {
            let RunConfig { dataset, arch, norm, epsilon, seed, .. } = run.config();
            let line = |number: &Number| Measure {
                source: self.name.into(),
                framework: row.framework.clone(),
                regularizer: row.regularizer.clone(),
                dataset: dataset.clone(),
                arch: arch.clone(),
                norm: norm.clone(),
                epsilon: epsilon.clone(),
                subject: number.subject.clone(),
                measure: number.measure.clone(),
                checkpoint: args.checkpoint.name().into(),
                seed: *seed,
                examples: answer.examples,
                value: number.value,
                run: run.config().id(),
                profile: profile::recipe(&args.training),
                seconds: *seconds,
            };
            answer.numbers.iter().map(line).collect()
        };
        measured.iter().flat_map(of).collect()
    }
}

/// Runs that are no row, but needed.
fn print_companions<M: Measurement>(measurement: &M, planned: &[Planned], args: &TableArgs) -> Result<()> {
    let rows: Vec<String> = planned.iter().flat_map(|p| &p.runs).map(|run| run.config().id()).collect();
    let needed = planned.iter().flat_map(|p| &p.runs).filter_map(|run| measurement.companion(run, args));
    let mut others: Vec<Run> = needed.collect();
    others.retain(|run| !rows.contains(&run.config().id()));
    others.sort_by_key(|run| run.config().id());
    others.dedup_by_key(|run| run.config().id());
    for run in others {
        let state = if run.trained() { "trained" } else { "to train" };
        print_line(format_args!("{:<29} {state}, as it is needed beside  {}", run.name(), run.config().id()))?;
    }
    Ok(())
}
