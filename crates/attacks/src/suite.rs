//! The attacks evaluations know by name.

use crate::{Apgd, ApgdT, Attack, AutoAttack, Ball, Fab, Noise, Norm, Pgd, Square, name::Name};
use objectives::{Objective, Pass, ce, dlr, margin, scaled_ce};
use std::sync::Arc;

/// A named attack of an evaluation: how it searches, and what it ascends.
#[derive(Clone)]
pub struct Probe {
    /// As on the command line and in CSV files: `fgsm`, `pgd-20`, `mim-20`, `cw`, ...
    pub name: String,
    /// How it searches.
    pub attack: Arc<dyn Attack>,
    /// What it ascends.
    pub objective: Objective,
    /// Where it must stay.
    pub ball: Ball,
}

/// An attack nobody knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown attack `{0}`; known: {known} (numbers from 1 to 10000; RESTARTS and PASSES from 2; LENGTH of a step in pixel units, such as 0.003)",
    known = Name::known()
)]
pub struct UnknownAttack(String);

/// How often what the attack called `name` finds within balls of `norm` has changed since verdicts say so (2026-11-30), from 1
/// on: verdicts of another revision are those of another attack. For an attack that has no name here, ask by the family
/// that it is made of, such as `pgd`.
pub fn revision(name: &str, norm: Norm) -> u32 {
    match (Name::family(name), norm) {
        // Their steps in l2 were shorter where the gradient is hardly more than nothing.
        (Some("fgsm" | "pgd" | "mim" | "cw"), Norm::L2) => 2,
        _ => 1,
    }
}

impl UnknownAttack {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl Probe {
    /// The attack called `name` within `ball`.
    ///
    /// - `fgsm`: one full step on the cross-entropy, from the image.
    /// - `pgd-K`: K steps of eps/4 on the cross-entropy from a uniform start.
    /// - `mim-K`: K momentum steps of eps/4 on the cross-entropy, decay 1, from the image.
    /// - `cw`, `cw-K`: CW-Linf, that is PGD on the margin loss, K steps (30) of eps/4.
    /// - `apgd-ce`, `apgd-dlr`, or with `-K`: Auto-PGD on the cross-entropy or the difference-of-logits
    ///   ratio (which needs 3 classes), K steps (100) from a random start.
    /// - `apgd-scaled-ce`, `apgd-scaled-ce-K`: Auto-PGD on the cross-entropy of standardised logits.
    /// - `apgd-t`, `apgd-t-K`: Auto-PGD towards each of the 9 most likely wrong classes, K steps (100); it needs 4
    ///   classes, and so do the sequences that it is in.
    /// - `fab`, `fab-K`: untargeted FAB, K steps (100) towards the nearest class.
    /// - `fab-t`, `fab-t-K`: targeted FAB, K steps (100) towards each of 9 classes.
    /// - `square`, `square-Q`: random search with Q queries (5000), no gradients.
    /// - `noise`, `noise-N`: N random points (1000) at the full radius.
    /// - `autoattack`, `autoattack-plus`, `autoattack-rand`: a sequence, see [`AutoAttack::named`].
    ///
    /// After a number, `xR` asks for R independent runs (all but `mim` and `noise`); then `@L` for steps of L in pixel units
    /// (`pgd`, `mim`, `cw`: `pgd-20@0.003`, in decimals), whatever the radius; at the end, `-eotP`
    /// for gradients that are means over P passes (`fgsm`, `pgd`, `mim`, `cw` and `apgd`). Numbers have
    /// one spelling: no sign, no leading zero, no `x1` or `-eot1`. (A number that is the default may be left out
    /// or said: `cw` and `cw-30` are one attack under two names, whose verdicts are kept apart.) Auto-PGD leaves
    /// examples alone once they are broken ([`Apgd::first`]), but with `-eotP`: what a network that answers at
    /// random got wrong once it may get right when it is asked again.
    ///
    /// # Errors
    /// When no attack has that name.
    pub fn named(name: &str, ball: Ball) -> std::result::Result<Self, UnknownAttack> {
        let Some(Name { family, steps, restarts, length, passes }) = Name::parse(name) else {
            return Err(UnknownAttack::new(name));
        };
        let step = length.unwrap_or(ball.eps / 4.);
        let pgd = Pgd { step, restarts, passes, ..Pgd::new(ball, steps) };
        let apgd = Apgd { restarts, passes, first: passes == 1, ..Apgd::new(ball, steps) };
        let (attack, objective): (Arc<dyn Attack>, _) = match family {
            "fgsm" => (Arc::new(Pgd { passes, ..Pgd::fgsm(ball) }), ce(Pass::Adv)),
            "pgd" => (Arc::new(pgd), ce(Pass::Adv)),
            "mim" => (Arc::new(Pgd { step, passes, ..Pgd::mim(ball, steps) }), ce(Pass::Adv)),
            "cw" => (Arc::new(pgd), margin()),
            "apgd-ce" => (Arc::new(apgd), ce(Pass::Adv)),
            "apgd-dlr" => (Arc::new(apgd), dlr()),
            "apgd-scaled-ce" => (Arc::new(apgd), scaled_ce()),
            "apgd-t" => (Arc::new(ApgdT { apgd, ..ApgdT::new(ball, steps) }), ce(Pass::Adv)),
            "fab" => (Arc::new(Fab { steps, restarts, ..Fab::untargeted(ball) }), margin()),
            "fab-t" => (Arc::new(Fab { steps, restarts, ..Fab::new(ball) }), margin()),
            "square" => {
                let usual = Square::new(ball);
                // With fewer queries than AutoAttack's, windows must shrink sooner.
                (Arc::new(Square { queries: steps, restarts, rescaled: steps != usual.queries, ..usual }), margin())
            }
            "noise" => (Arc::new(Noise { ball, draws: steps }), margin()),
            sequence => (Arc::new(AutoAttack::named(sequence, ball)?), ce(Pass::Adv)),
        };
        Ok(Self { name: name.into(), attack, objective, ball })
    }

    /// The attacks that make up the one called `name`, each meant for what those before it have left:
    /// several for a sequence, else the attack itself. [`Probe::named`] knows each by its own name, so
    /// verdicts under that name hold for every sequence it is in.
    ///
    /// # Errors
    /// When no attack has that name.
    pub fn stages(name: &str, ball: Ball) -> std::result::Result<Vec<Self>, UnknownAttack> {
        match AutoAttack::named(name, ball) {
            Ok(sequence) => Ok(sequence.stages()),
            Err(_) => Ok(vec![Self::named(name, ball)?]),
        }
    }
}
