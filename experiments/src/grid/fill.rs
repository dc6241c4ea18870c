//! Training, evaluating and auditing what a table shows.

use super::{Goal, Planned, TableArgs, estimate, row};
use crate::{
    ahead::Ahead,
    arsenal::{self, Surrogate},
    audit::{Audit, Examined, Subject},
    config::RunConfig,
    evaluation::{read_attacks, write_examples},
    interrupt,
    lock::Held,
    profile,
    progress::Grid,
    run::{CONTROL, Checkpoint, Run, Split},
    show,
    verdicts::{CLEAN, Outcome},
};
use anyhow::Result;
use candle::Device;
use data::{Dataset, Name, Splits};
use std::{sync::Arc, time::Duration};

/// An audit looks at as many images as this attack does, but no more than settle its checks: it asks for
/// every attack of AutoAttack alone, and for ten others.
const AUDITED: (&str, usize) = ("autoattack", 1000);

impl super::Grid {
    /// Trains and evaluates what is not there yet. Seeds are the outer loop, so that an interrupted grid
    /// has every row with few seeds rather than few rows with every seed.
    pub(super) fn fill(&self, planned: &[Planned], args: &TableArgs, goal: Goal) -> Result<()> {
        let data = load(args)?;
        let device = args.training.device.open()?;
        let seeds = planned.first().map_or(0, |p| p.runs.len());
        let runs: Vec<&Run> = (0..seeds).flat_map(|seed| planned.iter().map(move |p| &p.runs[seed])).collect();
        let ours: Vec<&Run> =
            runs.into_iter().enumerate().filter(|(i, _)| args.in_shard(*i)).map(|(_, run)| run).collect();
        let mut needed = Vec::new();
        for run in &ours {
            // Numbers outlive the weights.
            if goal == Goal::Weights || run.trained() || !self.answered(run, args, &data)? {
                needed.push(*run);
            } else if args.split == Split::Test {
                self.keep_known(run, args, &data)?;
            }
        }
        if needed.is_empty() && !ours.is_empty() {
            let out = args.training.out.display();
            tracing::info!("everything asked for is known in {out}/runs; --out elsewhere trains it anew");
        }
        each(&needed, args, &data, &device, |run| self.evaluate(run, args, &data, &device))?;
        // A run is audited against others, so all of them come first.
        let audited: Vec<_> = ours.into_iter().filter(|run| self.is_audited(run, args)).collect();
        let mut grid = Grid::new("audits", Ahead::new(vec![1.; audited.len()]));
        for run in audited {
            grid.begin();
            let worked = audit(run, args, &data, &device)?;
            grid.end(worked);
        }
        Ok(())
    }

    /// Whether `args` ask for an audit of `run`.
    fn is_audited(&self, run: &Run, args: &TableArgs) -> bool {
        self.audits(args) && !args.no_audit && run.defended()
    }

    /// Whether everything that is asked of `run` is known.
    fn answered(&self, run: &Run, args: &TableArgs, data: &Splits) -> Result<bool> {
        run.check_data(data)?;
        let images = args.split.of(run, data)?;
        Ok(run.numbers_stand()
            && known(run, args, &self.wanted(args, &images)?)?.is_some()
            && (!self.is_audited(run, args) || AuditPlan::of(run, args, data)?.is_done(run, args)?))
    }

    /// Writes what is known of the columns image by image, where another table has asked and left that undone.
    fn keep_known(&self, run: &Run, args: &TableArgs, data: &Splits) -> Result<()> {
        let (columns, kept) = (self.columns(args)?, read_attacks(&run.examples(args.checkpoint)));
        let all = columns.iter().all(|attack| *attack == CLEAN || kept.iter().any(|known| known == attack));
        if all { Ok(()) } else { keep_examples(run, args.checkpoint, &columns, &data.test) }
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
        let _alone = if known.is_none() { Some(run.claim()?) } else { None };
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
        if args.split == Split::HeldOut {
            return Ok(());
        }
        let attacks: Vec<&str> = outcomes.iter().map(|outcome| outcome.attack.as_str()).collect();
        keep_examples(run, args.checkpoint, &attacks, &data.test)?;
        show::all(run, data, device)
    }
}

/// Trains `runs` one after the other, and does `then` to each.
pub(super) fn each(
    runs: &[&Run],
    args: &TableArgs,
    data: &Splits,
    device: &Device,
    mut then: impl FnMut(&Run) -> Result<()>,
) -> Result<()> {
    // What comes after a training takes its time too: it is taken to grow as the training does.
    let sizes = runs.iter().map(|run| if run.trained() { 0. } else { estimate::work(run.config()) });
    let mut grid = Grid::new("runs", Ahead::new(sizes.collect()));
    for (i, run) in runs.iter().enumerate() {
        let eta = if i == 0 { String::new() } else { format!(", ETA {}", grid.eta()) };
        tracing::info!("[{}/{}{eta}] {} ({})", i + 1, runs.len(), run.name(), run.folder().display());
        grid.begin();
        train(run, args, data, device, &mut |done| grid.at(done))?;
        then(run)?;
        grid.end(true);
    }
    Ok(())
}

/// Trains `run`. Where the work is shared out, another part may need it too and be at it: this one waits then.
pub(super) fn train(
    run: &Run,
    args: &TableArgs,
    data: &Splits,
    device: &Device,
    told: &mut dyn FnMut(f64),
) -> Result<()> {
    let mut waits = false;
    loop {
        match run.train(data, device, args.training.save_minutes, told) {
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

/// What an audit of a run is to look at.
struct AuditPlan {
    images: Dataset,
    /// Whose network lends adversarial examples.
    lender: Option<Run>,
    /// Accuracy of the undefended network.
    control: Option<f64>,
    /// All that in words.
    about: String,
}

impl AuditPlan {
    fn of(run: &Run, args: &TableArgs, data: &Splits) -> Result<Self> {
        let asked = examples(args, data, AUDITED.0).min(AUDITED.1);
        // A look at fewer images must not replace one at more, which finds more.
        let seen = Audit::read(&run.audit(args.checkpoint))?.and_then(|known| known.examples());
        let images = data.test.first(asked.max(seen.unwrap_or(0)));
        let control = control(run, args, images.len())?;
        let lender = Some(sibling(run, args, surrogate(run))).filter(Run::numbers_stand);
        let about = format!(
            "seed {}; {} checkpoint; transfer from {}; control {}",
            run.config().seed,
            args.checkpoint.name(),
            lender.as_ref().map_or_else(|| "nowhere".to_owned(), |lender| lender.config().id()),
            control.map_or_else(|| "unknown".to_owned(), |percent| format!("{percent:.2} %"))
        );
        Ok(Self { images, lender, control, about })
    }

    /// Whether the audit that is there looked at this.
    fn is_done(&self, run: &Run, args: &TableArgs) -> Result<bool> {
        let settings = Audit::settings(run.config().ball()?, &self.images, &self.about);
        Ok(Audit::read(&run.audit(args.checkpoint))?.is_some_and(|known| known.settings == settings))
    }
}

/// Audits a run, unless that is done; whether it did.
fn audit(run: &Run, args: &TableArgs, data: &Splits, device: &Device) -> Result<bool> {
    let plan = AuditPlan::of(run, args, data)?;
    if plan.is_done(run, args)? {
        return Ok(false);
    }
    let AuditPlan { images, lender, control, about } = plan;
    let lender = match lender {
        Some(lender) => {
            // Its numbers may have outlived its weights.
            train(&lender, args, data, device, &mut |_| {})?;
            let net = Arc::new(lender.net(args.checkpoint, data, device)?);
            Some(Surrogate { id: lender.config().id(), net })
        }
        None => None,
    };
    // So may this run's.
    train(run, args, data, device, &mut |_| {})?;
    let _alone = run.claim()?;
    let net = run.net(args.checkpoint, data, device)?;
    let model = net.frozen();
    let mut examination = run.examination(args.checkpoint, &model, data, device, lender)?;
    let control = control.map(|percent| ("an undefended network", percent));
    let (name, ball, examples) = (run.config().id(), run.config().ball()?, images.len());
    let subject = Subject { name: &name, about: &about, model: &model, data: &images, ball, device, control };
    let mut evidence = Examined { examination: &mut examination, examples, measure: true };
    let audit = Audit::of(&subject, &mut evidence)?;
    tracing::info!("{}: audit: {}", run.name(), audit.summary().replace("**", ""));
    audit.write(&run.audit(args.checkpoint))?;
    show::all(run, data, device)?;
    Ok(true)
}

/// The framework whose network lends its adversarial examples to the audit of `run`: never its own.
pub(crate) fn surrogate(run: &Run) -> &'static str {
    if run.config().framework == "pgd-at" { "trades" } else { "pgd-at" }
}

/// The run of `framework` alone with the seed of `run`: it has what the command line adds to every row, and nothing
/// that its own row adds.
pub(crate) fn sibling(run: &Run, args: &TableArgs, framework: &'static str) -> Run {
    let usual = row(framework).config(&args.training);
    let config = RunConfig { seed: run.config().seed, ..usual };
    Run::new(config, &args.training.out)
}

/// The accuracy of the undefended network under PGD-20, if it is known.
fn control(run: &Run, args: &TableArgs, examples: usize) -> Result<Option<f64>> {
    let control = sibling(run, args, CONTROL);
    if !control.numbers_stand() {
        return Ok(None);
    }
    let (place, stages) = (control.place(args.checkpoint), ["pgd-20".to_owned()]);
    Ok(control.verdicts()?.outcome(&place, "pgd-20", &stages, examples).map(|outcome| outcome.percent()))
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
