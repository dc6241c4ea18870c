//! Audits of what a table shows.

use super::{
    TableArgs,
    fill::{claim, examples, train},
    row,
};
use crate::{
    arsenal::Surrogate,
    audit::{Audit, Examined, Subject},
    config::RunConfig,
    run::{CONTROL, Run},
    show,
};
use anyhow::Result;
use candle::Device;
use data::{Dataset, Splits};
use std::sync::Arc;

/// An audit looks at as many images as this attack does, but no more than settle its checks: it asks for
/// every attack of AutoAttack alone, and for ten others.
pub(crate) const AUDITED: (&str, usize) = ("autoattack", 1000);

/// What an audit of a run is to look at.
pub(super) struct AuditPlan {
    images: Dataset,
    /// Whose network lends adversarial examples.
    lender: Option<Run>,
    /// Accuracy of the undefended network.
    control: Option<f64>,
    /// All that in words.
    about: String,
}

impl AuditPlan {
    pub(super) fn of(run: &Run, args: &TableArgs, data: &Splits) -> Result<Self> {
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
    pub(super) fn is_done(&self, run: &Run, args: &TableArgs) -> Result<bool> {
        let settings = Audit::settings(run.config().ball()?, &self.images, &self.about);
        Ok(Audit::read(&run.audit(args.checkpoint))?.is_some_and(|known| known.settings == settings))
    }
}

/// Audits a run, unless that is done; whether it did.
pub(super) fn make(run: &Run, args: &TableArgs, data: &Splits, device: &Device) -> Result<bool> {
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
    let _alone = claim(run, args)?;
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
