//! The attacks an evaluation can name: those of [`Probe`], those on I2FR's own terms, and transfer.

use crate::verdicts::{CLEAN, Place};
use anyhow::{Context, Result, bail};
use attacks::{Apgd, Attack, Ball, MatchFeatures, Norm, Pgd, Probe, Transfer};
use candle::{Device, Tensor};
use data::Dataset;
use i2fr::{I2fr, Reference};
use models::{Mode, Model, Net};
use objectives::{Clean, Objective, Pass, Stage, ce, margin};
use std::{cell::OnceCell, sync::Arc};

/// The stages of `adaptive`, an attack that knows how I2FR defends: the cross-entropy whatever the scale
/// of the logits, I2FR itself by PGD and by Auto-PGD, cross-entropy and I2FR together, and the features of
/// another class.
pub const ADAPTIVE: [&str; 5] = ["apgd-scaled-ce", "pgd-i2fr", "apgd-i2fr", "apgd-ce-i2fr", "match-features"];

/// Stages of `adaptive` that need the means of clean features.
const OWN_TERMS: [&str; 4] = ["pgd-i2fr", "apgd-i2fr", "apgd-ce-i2fr", "match-features"];

/// Gradient steps of an attack on own terms, as many as in AutoAttack.
const STEPS: usize = 100;

/// What `transfer` runs on the other network.
const TRANSFERRED: &str = "mim-20";

/// So many test images give the clean features whose class means stand for the classes. Not those under
/// attack alone: an example's verdict must not depend on how many others are attacked.
const ANCHORS: usize = 1000;

/// Another network whose adversarial examples are tried on the one under attack.
#[derive(Clone)]
pub struct Surrogate {
    /// What tells it from others: a run, or a hash of a file.
    pub id: String,
    /// Its weights.
    pub net: Arc<Net>,
}

/// What attacks may know beside the network.
pub struct Arsenal<'a> {
    /// All test images.
    pub test: &'a Dataset,
    /// Where networks run.
    pub device: &'a Device,
    /// The regulariser that attacks on own terms ascend.
    pub regularizer: I2fr,
    /// The network `transfer` takes its examples from, if there is one.
    pub surrogate: Option<Surrogate>,
    terms: OnceCell<OwnTerms>,
}

/// I2FR with class means that stay, and those means, `(K, D)`.
struct OwnTerms {
    objective: Objective,
    centers: Tensor,
}

/// The attacks that `attack` runs one after the other, by name; none for [`CLEAN`]. `transfer` needs a
/// surrogate's `id`.
///
/// # Errors
/// When no attack has that name.
pub fn stages(attack: &str, surrogate: Option<&str>) -> Result<Vec<String>> {
    match (attack, surrogate) {
        (CLEAN, _) => Ok(Vec::new()),
        ("adaptive", _) => Ok(ADAPTIVE.map(String::from).into()),
        ("transfer", Some(id)) => Ok(vec![transfer(id)]),
        ("transfer", None) => bail!("transfer needs another network: give its weights with --surrogate"),
        (own, _) if OWN_TERMS.contains(&own) => Ok(vec![own.into()]),
        // Which attacks there are does not depend on the radius.
        _ => match Probe::stages(attack, Ball::grey_levels(8.)) {
            Ok(probes) => Ok(probes.into_iter().map(|probe| probe.name).collect()),
            Err(unknown) => bail!("{unknown}; and here adaptive, {}, transfer", OWN_TERMS.join(", ")),
        },
    }
}

/// What stands between an attack and its revision.
const REVISION: &str = " revision ";

/// How `stage` within balls of `norm` is called where its results are stored: once it is revised (see
/// [`attacks::revision`]), it is another attack.
pub(crate) fn revised(stage: &str, norm: Norm) -> String {
    let attack = match stage {
        "pgd-i2fr" => "pgd",
        other if other.starts_with("transfer@") => TRANSFERRED,
        own => own,
    };
    match attacks::revision(attack, norm) {
        1 => stage.to_owned(),
        revision => format!("{stage}{REVISION}{revision}"),
    }
}

/// The attack that [`revised`] calls so.
pub(crate) fn unrevised(name: &str) -> &str {
    name.split(REVISION).next().unwrap_or_default()
}

/// Whether one of `stages` ascends I2FR, so that its options matter.
pub fn on_own_terms(stages: &[String]) -> bool {
    stages.iter().any(|stage| OWN_TERMS.contains(&stage.as_str()))
}

/// The stage that tries the adversarial examples of the surrogate called `id`.
pub(crate) fn transfer(id: &str) -> String {
    format!("transfer@{id}")
}

impl<'a> Arsenal<'a> {
    /// For a network evaluated on `test`; `regularizer` is what it was trained with, if it was.
    pub fn new(test: &'a Dataset, device: &'a Device, regularizer: Option<I2fr>, surrogate: Option<Surrogate>) -> Self {
        let regularizer = regularizer.filter(I2fr::weighs).unwrap_or_default();
        Self { test, device, regularizer, surrogate, terms: OnceCell::new() }
    }

    /// The attacks that `attack` runs one after the other, by name.
    ///
    /// # Errors
    /// When no attack has that name.
    pub fn stages(&self, attack: &str) -> Result<Vec<String>> {
        stages(attack, self.surrogate.as_ref().map(|s| s.id.as_str()))
    }

    /// The attack called `stage` on `model`.
    ///
    /// # Errors
    /// When no attack has that name, or the network fails.
    pub fn probe(&self, stage: &str, place: &Place, model: &dyn Model) -> Result<Probe> {
        let ball = place.ball()?;
        let own = |attack: Arc<dyn Attack>, objective| Probe { name: stage.into(), attack, objective, ball };
        if let (true, Some(Surrogate { net, .. })) = (stage.starts_with("transfer@"), &self.surrogate) {
            let attack = Transfer { source: net.clone(), probe: Probe::named(TRANSFERRED, ball)? };
            return Ok(own(Arc::new(attack), ce(Pass::Adv)));
        }
        if !OWN_TERMS.contains(&stage) {
            return Ok(Probe::named(stage, ball)?);
        }
        let OwnTerms { objective, centers } = self.own_terms(model)?;
        let apgd = Apgd { first: true, ..Apgd::new(ball, STEPS) };
        Ok(match stage {
            "pgd-i2fr" => own(Arc::new(Pgd::new(ball, STEPS)), objective.clone()),
            "apgd-i2fr" => own(Arc::new(apgd), objective.clone()),
            "apgd-ce-i2fr" => own(Arc::new(apgd), ce(Pass::Adv) + objective.clone()),
            "match-features" => own(Arc::new(MatchFeatures::new(ball, STEPS, centers.clone())), margin()),
            other => bail!("{other}: it is to be on own terms, but nothing says what it does"),
        })
    }

    fn own_terms(&self, model: &dyn Model) -> Result<&OwnTerms> {
        if let Some(known) = self.terms.get() {
            return Ok(known);
        }
        let made = self.learn(model).context("the attack on I2FR's own terms")?;
        Ok(self.terms.get_or_init(|| made))
    }

    /// Shows the regulariser clean features once, as a training step would; attacks then read its class
    /// means and leave them as they are.
    fn learn(&self, model: &dyn Model) -> Result<OwnTerms> {
        let anchors = self.test.first(ANCHORS);
        let positions: Vec<usize> = (0..anchors.len()).collect();
        let (mut features, mut logits) = (Vec::new(), Vec::new());
        for chunk in positions.chunks(250) {
            let output = model.forward(&anchors.batch(chunk, self.device)?.images, Mode::Eval)?;
            features.push(output.features.detach());
            logits.push(output.logits.detach());
        }
        let labels = Tensor::new(anchors.labels(), self.device)?;
        let output = models::Output { features: Tensor::cat(&features, 0)?, logits: Tensor::cat(&logits, 0)? };
        let reference = Reference::RunningMeans { decay: 0. };
        let objective = I2fr { reference, ..self.regularizer.clone() }.objective()?;
        // Both class terms may weigh nothing, and then no mean is kept.
        let means = I2fr { reference, ..I2fr::default() }.objective()?;
        for objective in [&objective, &means] {
            objective.losses(&Clean::known(output.clone(), &labels, Stage::Training).against_known(output.clone()))?;
        }
        let memory: Vec<_> = means.terms().flat_map(|(_, term)| term.memory()).collect();
        let centers = memory.into_iter().find(|(name, _)| name.ends_with("means")).context("no class means")?.1;
        Ok(OwnTerms { objective, centers })
    }
}
