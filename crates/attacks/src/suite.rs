//! The attacks evaluations know by name.

use crate::{Apgd, ApgdT, Attack, AutoAttack, Ball, Fab, Pgd, Square};
use objectives::{Objective, Pass, ce, dlr, margin};
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
    "unknown attack `{0}`; known: fgsm, pgd-STEPS, pgd-STEPSxRESTARTS, mim-STEPS, cw, cw-STEPS, apgd-ce, apgd-ce-STEPS, \
     apgd-dlr, apgd-dlr-STEPS, apgd-t, apgd-t-STEPS, fab-t, square, square-QUERIES, autoattack \
     (all numbers from 1 to 10000)"
)]
pub struct UnknownAttack(String);

/// Steps of `cw` without a number.
const CW_STEPS: usize = 30;

/// Steps of `apgd-ce` and `apgd-dlr` without a number, as in AutoAttack.
const APGD_STEPS: usize = 100;

impl Probe {
    /// The attack called `name` within `ball`.
    ///
    /// - `fgsm`: one full step on the cross-entropy, from the image.
    /// - `pgd-K`, `pgd-KxR`: K steps of eps/4 on the cross-entropy from a uniform start, R restarts.
    /// - `mim-K`: K momentum steps of eps/4 on the cross-entropy, decay 1, from the image.
    /// - `cw`, `cw-K`: CW-Linf, that is PGD on the margin loss, K steps (30) of eps/4.
    /// - `apgd-ce`, `apgd-ce-K`, `apgd-dlr`, `apgd-dlr-K`: Auto-PGD on the cross-entropy or the
    ///   difference-of-logits ratio, K steps (100) from one random start.
    /// - `apgd-t`, `apgd-t-K`: Auto-PGD towards each of the 9 most likely wrong classes, K steps (100).
    /// - `fab-t`: targeted FAB, 100 steps towards each of 9 classes.
    /// - `square`, `square-Q`: random search with Q queries (5000), no gradients.
    /// - `autoattack`: `apgd-ce`, `apgd-t`, `fab-t`, `square`, each at what is left.
    ///
    /// # Errors
    /// When no attack has that name.
    pub fn named(name: &str, ball: Ball) -> std::result::Result<Self, UnknownAttack> {
        let unknown = || UnknownAttack(name.into());
        // Only the usual spelling of a number: `pgd-20` and `pgd-+020` must not be two attacks of one table.
        let usual = |s: &str, n: &usize| (1..=10_000).contains(n) && n.to_string() == s;
        let count = |s: &str| s.parse().ok().filter(|n| usual(s, n)).ok_or_else(unknown);
        let probe = |attack: Arc<dyn Attack>, objective| Self { name: name.into(), attack, objective, ball };
        let (attack, objective) = match name.split_once('-') {
            None if name == "fgsm" => (Pgd::fgsm(ball), ce(Pass::Adv)),
            None if name == "square" => return Ok(probe(Arc::new(Square::new(ball)), margin())),
            None if name == "autoattack" => return Ok(probe(Arc::new(AutoAttack::standard(ball)?), ce(Pass::Adv))),
            Some(("fab", "t")) => return Ok(probe(Arc::new(Fab::new(ball)), margin())),
            Some(("square", queries)) => {
                let attack = Square { queries: count(queries)?, ..Square::new(ball) };
                return Ok(probe(Arc::new(attack), margin()));
            }
            None if name == "cw" => (Pgd::new(ball, CW_STEPS), margin()),
            Some(("cw", steps)) => (Pgd::new(ball, count(steps)?), margin()),
            Some(("mim", steps)) => (Pgd::mim(ball, count(steps)?), ce(Pass::Adv)),
            Some(("pgd", budget)) => {
                let (steps, restarts) = budget.split_once('x').unwrap_or((budget, "1"));
                (Pgd { restarts: count(restarts)?, ..Pgd::new(ball, count(steps)?) }, ce(Pass::Adv))
            }
            Some(("apgd", rest)) => {
                let (loss, steps) = match rest.split_once('-') {
                    None => (rest, APGD_STEPS),
                    Some((loss, steps)) => (loss, count(steps)?),
                };
                if loss == "t" {
                    return Ok(probe(Arc::new(ApgdT::new(ball, steps)), ce(Pass::Adv)));
                }
                let objective = match loss {
                    "ce" => ce(Pass::Adv),
                    "dlr" => dlr(),
                    _ => return Err(unknown()),
                };
                return Ok(probe(Arc::new(Apgd::new(ball, steps)), objective));
            }
            _ => return Err(unknown()),
        };
        Ok(probe(Arc::new(attack), objective))
    }
}
