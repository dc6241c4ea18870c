//! Training, evaluating and auditing what a table shows.

use super::{
    Goal, Planned, TableArgs,
    audits::{self, AuditPlan},
    estimate,
    plan::by_seed,
};
use crate::{
    ahead::Ahead,
    arsenal,
    evaluation::{read_attacks, write_examples},
    interrupt::{self, Interrupted},
    lock::{Held, Lock},
    profile,
    progress::Grid,
    run::{Checkpoint, Run, Split},
    show,
    verdicts::{CLEAN, Outcome},
};
use anyhow::Result;
use candle::Device;
use data::{Dataset, Name, Splits};
use std::{io, time::Duration};

impl super::Grid {
    /// Trains and evaluates what is not there yet.
    pub(super) fn fill(&self, planned: &[Planned], args: &TableArgs, goal: Goal) -> Result<()> {
        let data = load_for(planned, args)?;
        let device = args.training.device.open()?;
        let all = by_seed(planned).concat();
        let count = all.len();
        let ours = args.part(all);
        let mut needed = Vec::new();
        for run in &ours {
            // Numbers outlive the weights.
            if goal == Goal::Weights || run.trained() || !self.answered(run, args, &data)? {
                needed.push(*run);
            } else if args.split == Split::Test {
                self.keep_known(run, args, &data)?;
            }
        }
        if ours.is_empty() {
            tracing::info!("this part has none of the {count} runs");
        } else if needed.is_empty() {
            let out = args.training.out.display();
            tracing::info!("everything asked for is known in {out}/runs; --out elsewhere trains it anew");
        }
        let mut failures = each(&needed, args, &data, &device, |run| self.evaluate(run, args, &data, &device))?;
        // A run is audited against others, so all of them come first.
        let audited: Vec<_> =
            ours.into_iter().filter(|run| self.is_audited(run, args) && run.numbers_stand()).collect();
        let mut grid = Grid::new("audits", Ahead::new(vec![1.; audited.len()]));
        for (i, run) in audited.iter().enumerate() {
            grid.begin();
            let made = audits::make(run, args, &data, &device);
            grid.end(made.as_ref().is_ok_and(|worked| *worked));
            failures.note(run, made.map(drop), audited.len() - i - 1)?;
        }
        failures.end()
    }

    /// Whether `args` ask for an audit of `run`.
    fn is_audited(&self, run: &Run, args: &TableArgs) -> bool {
        self.audits(args) && !args.no_audit && run.defended()
    }

    /// Whether everything that is asked of `run` is known.
    fn answered(&self, run: &Run, args: &TableArgs, data: &Splits) -> Result<bool> {
        let images = args.split.of(run, data)?;
        Ok(run.numbers_stand()
            && known(run, args, &self.wanted(args, &images)?)?.is_some()
            && (!self.is_audited(run, args) || AuditPlan::of(run, args, data)?.is_done(run, args)?))
    }

    /// Writes what is known of the columns image by image, where another table has asked and left that undone.
    fn keep_known(&self, run: &Run, args: &TableArgs, data: &Splits) -> Result<()> {
        let (columns, kept) = (self.columns(args)?, read_attacks(&run.examples(args.checkpoint)));
        if columns.iter().all(|attack| *attack == CLEAN || kept.iter().any(|known| known == attack)) {
            return Ok(());
        }
        match claim_if_free(run)? {
            Some(_alone) => keep_examples(run, args.checkpoint, &columns, &data.test),
            None => Ok(()),
        }
    }

    /// The columns and how many images each is to take.
    fn wanted(&self, args: &TableArgs, data: &Splits) -> Result<Vec<(&'static str, usize)>> {
        let columns = self.columns(args)?.into_iter().filter(|attack| *attack != CLEAN);
        Ok(std::iter::once(CLEAN).chain(columns).map(|attack| (attack, examples(args, data, attack))).collect())
    }

    /// Measures what is not known yet of a run's columns.
    fn evaluate(&self, run: &Run, args: &TableArgs, data: &Splits, device: &Device) -> Result<()> {
        let data = &args.split.of(run, data)?;
        let wanted = self.wanted(args, data)?;
        let known = known(run, args, &wanted)?;
        let alone = if known.is_none() { Some(claim(run, args)?) } else { claim_if_free(run)? };
        let outcomes = match known {
            Some(outcomes) => outcomes,
            None => {
                let net = run.net(args.checkpoint, data, device)?;
                let model = net.frozen();
                let mut examination = run.examination(args.checkpoint, &model, data, device, None)?;
                let place = args.split.place(run.place(args.checkpoint));
                let ask =
                    |(attack, examples): &(&str, usize)| examination.outcome_within(place.clone(), attack, *examples);
                wanted.iter().map(ask).collect::<Result<_>>()?
            }
        };
        if args.split == Split::HeldOut || alone.is_none() {
            return Ok(());
        }
        let attacks: Vec<&str> = outcomes.iter().map(|outcome| outcome.attack.as_str()).collect();
        keep_examples(run, args.checkpoint, &attacks, &data.test)?;
        show::all(run, data, device)
    }
}

/// What failed of work on several runs: one that fails by itself, as a training does that diverges, leaves the others
/// their turn.
#[derive(Default)]
pub(super) struct Failures(Option<anyhow::Error>);

impl Failures {
    /// Notes what came of the work on `run`, which `more` runs come after.
    ///
    /// # Errors
    /// When no other run would fare better.
    pub(super) fn note(&mut self, run: &Run, done: Result<()>, more: usize) -> Result<()> {
        let Err(e) = done else { return Ok(()) };
        if e.is::<Interrupted>() || e.chain().any(|cause| cause.is::<io::Error>()) {
            return Err(e);
        }
        // The first is told in the end, too.
        if more > 0 || self.0.is_some() {
            tracing::error!("{}: {e:#}; the other runs come first", run.name());
        }
        self.0.get_or_insert(e);
        Ok(())
    }

    /// Whether nothing failed so far.
    pub(super) fn none(&self) -> bool {
        self.0.is_none()
    }

    /// # Errors
    /// The first of all.
    pub(super) fn end(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Trains `runs` one after the other, and does `then` to each.
///
/// # Errors
/// Those that end all work.
pub(super) fn each(
    runs: &[&Run],
    args: &TableArgs,
    data: &Splits,
    device: &Device,
    mut then: impl FnMut(&Run) -> Result<()>,
) -> Result<Failures> {
    // What comes after a training takes its time too: it is taken to grow as the training does.
    let sizes = runs.iter().map(|run| if run.trained() { 0. } else { estimate::work(run.config()) });
    let mut grid = Grid::new("runs", Ahead::new(sizes.collect()));
    let (mut failures, mut held) = (Failures::default(), Vec::new());
    for (i, run) in runs.iter().enumerate() {
        let eta = if i == 0 { String::new() } else { format!(", ETA {}", grid.eta()) };
        tracing::info!("[{}/{}{eta}] {} ({})", i + 1, runs.len(), run.name(), run.folder().display());
        grid.begin();
        let done = train(run, args, data, device, &mut |done| grid.at(done)).and_then(|()| then(run));
        grid.end(done.is_ok());
        match done {
            Err(e) if e.is::<Held>() && i + 1 < runs.len() => {
                tracing::warn!("{}: {e:#}; the other runs come first", run.name());
                held.push(*run);
            }
            done => failures.note(run, done, runs.len() - i - 1)?,
        }
    }
    // Who held them may be done.
    for (i, run) in held.iter().enumerate() {
        let done = train(run, args, data, device, &mut |_| {}).and_then(|()| then(run));
        failures.note(run, done, held.len() - i - 1)?;
    }
    Ok(failures)
}

/// Trains `run`.
pub(super) fn train(
    run: &Run,
    args: &TableArgs,
    data: &Splits,
    device: &Device,
    told: &mut dyn FnMut(f64),
) -> Result<()> {
    patiently(run, args, || run.train(data, device, args.training.save_minutes, told))
}

/// Claims `run`.
pub(super) fn claim(run: &Run, args: &TableArgs) -> Result<Lock> {
    patiently(run, args, || run.claim())
}

/// Claims `run` to show what is known of it; `None` if another process is at work on it.
pub(super) fn claim_if_free(run: &Run) -> Result<Option<Lock>> {
    match run.claim() {
        Err(e) if e.is::<Held>() => Ok(None),
        claimed => claimed.map(Some),
    }
}

/// Does `work` on `run`. Where the work is shared out, another part may need it too and be at it (or its machine have
/// died with it): this one waits then.
fn patiently<T>(run: &Run, args: &TableArgs, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let mut waits = false;
    loop {
        match work() {
            Err(e) if args.shard.is_some() && e.is::<Held>() => {
                if !waits {
                    tracing::info!("{}: another part is at work on it; waiting", run.name());
                }
                waits = true;
                interrupt::wait(Duration::from_secs(2))?;
            }
            done => return done,
        }
    }
}

/// The data set, if it is the one that all runs of `planned` were made on which are there.
pub(super) fn load_for(planned: &[Planned], args: &TableArgs) -> Result<Splits> {
    let data = load(args)?;
    planned.iter().flat_map(|p| &p.runs).try_for_each(|run| run.check_data(&data))?;
    Ok(data)
}

pub(crate) fn load(args: &TableArgs) -> Result<Splits> {
    let dataset: Name = profile::resolve(&args.training).dataset.parse().map_err(anyhow::Error::msg)?;
    args.training.source.load_noting_gaps(dataset)
}

/// Writes all that is known of `attacks`, and of those that are there already, image by image. Other tables' columns
/// stay.
pub(super) fn keep_examples(run: &Run, checkpoint: Checkpoint, attacks: &[&str], test: &Dataset) -> Result<()> {
    let path = run.examples(checkpoint);
    let mut names = read_attacks(&path);
    names.extend(attacks.iter().map(|attack| (*attack).to_owned()));
    let (verdicts, place) = (run.verdicts()?, run.place(checkpoint));
    let mut outcomes: Vec<Outcome> = verdicts.outcome_so_far(&place, CLEAN, &[]).into_iter().collect();
    if outcomes.is_empty() {
        return Ok(());
    }
    for name in names {
        // The name of what no longer is an attack goes.
        let Ok(stages) = arsenal::stages(&name, None) else { continue };
        if outcomes.iter().all(|known| known.attack != name) {
            outcomes.extend(verdicts.outcome_so_far(&place, &name, &stages));
        }
    }
    write_examples(&path, test, &outcomes)
}

/// How many images of `data.test` `attack` attacks.
pub(super) fn examples(args: &TableArgs, data: &Splits, attack: &str) -> usize {
    match profile::examples(&args.training, attack) {
        0 => data.test.len(),
        wanted => wanted.min(data.test.len()),
    }
}

/// What `wanted` comes to, if all of it is known; then nobody needs the weights.
fn known(run: &Run, args: &TableArgs, wanted: &[(&str, usize)]) -> Result<Option<Vec<Outcome>>> {
    let (verdicts, place) = (run.verdicts()?, args.split.place(run.place(args.checkpoint)));
    let outcome = |(attack, examples): &(&str, usize)| {
        let stages = arsenal::stages(attack, None)?;
        Ok(verdicts.outcome(&place, attack, &stages, *examples))
    };
    wanted.iter().map(outcome).collect()
}
