//! What a reviewer of a robustness claim looks for, looked for by software.
//!
//! [`Audit::of`] looks at a network ([`Subject`]), and at which images stand under which attacks
//! ([`Evidence`]). A defence that only hides its gradients fails here, whatever its table says.
//!
//! | check | passes when | warns | fails |
//! |---|---|---|---|
//! | deterministic | five passes give the same classes and normalised logits | | they differ by more than 1e-4 |
//! | logits | outputs are scores of at least 4 classes | log-probabilities, fewer classes | probabilities, no numbers |
//! | gradient | the margin has one in every image, clean and at a random point | | missing, zero, not finite |
//! | saturation | the cross-entropy has one in every correct image | one is exactly zero | more than 5 % are |
//! | finite differences | a small step changes the margin by 1/2 to 2 times what its gradient says | in less than 90 % of images | 60 % |
//! | one step | pgd-20 leaves no more than fgsm | | by more than 1 example and 0.5 points |
//! | more steps | pgd-100 leaves as much as pgd-20 | 2 points less, 1 point more | 5 points more |
//! | more restarts | pgd-20x5 leaves no example pgd-20 breaks | it leaves one, or breaks 2 points more | it leaves more than 1 example and 0.2 points |
//! | larger radius | pgd-20 leaves no more at eps than at eps/2, at 2 eps than at eps, at 4 eps than at 2 eps | | by more than 1 example and 0.5 points |
//! | unbounded | pgd-100 breaks all where the ball holds the grey image | more than 1 % stand | more than chance |
//! | black box | attacks without gradients break nothing the others leave | more than 0.2 points | by more than 1 example and 2 points |
//! | cross-entropy against targeted | apgd-ce leaves as much as apgd-t | 10 points more | 25 points |
//! | own terms | an attack on the defence's terms breaks nothing the rest leaves | 0.5 points | 2 points |
//! | clean | accuracy is above chance, by the lower end of its interval | | it is not |
//! | control | the same attack takes an undefended network below 5 % | not below 5 % | 15 % |
//! | sample | there are 1000 examples | fewer | |
//! | worst case | it counts example by example, the clean-wrong ones as broken | | an attack repairs an example |
//! | threat model | every attack stayed in its ball and in [0, 1] | | one did not |
//!
//! A step of `finite differences` is 1/64 of the radius in the gradient's direction: networks are close to
//! linear over it, while a quantised input moves by a whole level or not at all, and a made-up gradient does
//! not say by how much. What cannot be checked is skipped and says why.

mod evidence;
mod examined;
mod model;
mod report;
mod strength;

pub use evidence::{ATTACKS, Evidence, RADII, questions};
pub use examined::Examined;

use crate::arsenal;
use anyhow::{Result, ensure};
use attacks::Ball;
use candle::Device;
use data::Dataset;
use evidence::Measured;
use model::Anatomy;
use models::Model;
use serde::{Deserialize, Serialize};

/// What a check found, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It could not be made.
    Skipped,
    /// Nothing speaks against the claim.
    Pass,
    /// Somebody should look at it.
    Warn,
    /// Robust accuracy means nothing until it is explained.
    Fail,
}

impl Verdict {
    /// What a table prints behind a number.
    pub fn mark(self) -> &'static str {
        if self == Self::Fail { "‡" } else { "" }
    }

    /// The worst that holds.
    fn of(fail: bool, warn: bool) -> Self {
        match (fail, warn) {
            (true, _) => Self::Fail,
            (_, true) => Self::Warn,
            _ => Self::Pass,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// As in the table above.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// The numbers; unless it passed, also what to do.
    pub detail: String,
}

/// All checks of one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// The network.
    pub subject: String,
    /// Threat model, images, and what else the subject says about itself.
    pub settings: String,
    /// In the order of the table above.
    pub checks: Vec<Check>,
}

/// What is audited.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What the report calls it.
    pub name: &'a str,
    /// What else belongs to its figures: seed, how the checkpoint was selected, ...
    pub about: &'a str,
    /// A frozen view; it runs in evaluation mode.
    pub model: &'a dyn Model,
    /// The images, all of which the evidence is about; the network itself is tried on the first 200.
    pub data: &'a Dataset,
    /// The threat model of the claim.
    pub ball: Ball,
    /// Where the network is.
    pub device: &'a Device,
    /// An undefended network and its accuracy, in per cent, under PGD-20.
    pub control: Option<(&'a str, f64)>,
}

impl Audit {
    /// Makes every check. `evidence` is asked for each of [`questions`] once, unless the network has
    /// no gradient (then for attacks that need none) or answers with what is no number.
    ///
    /// # Errors
    /// When the network fails, or `evidence` does for another reason than an attack that left its ball.
    pub fn of(subject: &Subject<'_>, evidence: &mut dyn Evidence) -> Result<Self> {
        let Subject { name, about, data, ball, .. } = *subject;
        ensure!(!data.is_empty(), "an audit needs images");
        let anatomy = Anatomy::of(subject)?;
        let measured = Measured::of(subject, &anatomy, evidence)?;
        Ok(Self {
            subject: name.into(),
            settings: Self::settings(ball, data, about),
            checks: judge(&model::RULES, &anatomy)?.into_iter().chain(judge(&strength::RULES, &measured)?).collect(),
        })
    }

    /// How a report says what it looked at, and with which attacks if they are not the first of their names.
    pub fn settings(ball: Ball, data: &Dataset, about: &str) -> String {
        let looked = format!("{ball}; {} images of {}", data.len(), data.name());
        let revised = ATTACKS.iter().map(|attack| arsenal::revised(attack, ball.norm));
        let revised = revised.filter(|name| !ATTACKS.contains(&name.as_str())).collect::<Vec<_>>().join(", ");
        let parts = [looked, about.to_owned(), revised];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }

    /// The number of images it looked at, as its settings say.
    pub fn examples(&self) -> Option<usize> {
        self.settings.split("; ").find_map(|part| part.split_once(" images of ")?.0.parse().ok())
    }

    /// Whether no network lent adversarial examples to it, so that `black box` is without `transfer`.
    pub fn lacks_transfer(&self) -> bool {
        self.settings.split("; ").any(|part| part == "transfer from nowhere")
    }

    /// The worst verdict of all checks.
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Skipped)
    }

    /// The check of that name.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// A check: how it judges facts `T`, and what to do where they do not pass.
struct Rule<T> {
    name: &'static str,
    judge: fn(&T) -> Judged,
    advice: &'static str,
}

/// A verdict with its numbers.
type Judged = std::result::Result<(Verdict, String), Stop>;

/// Why a check gives no verdict.
enum Stop {
    /// The facts are not there, for this reason.
    Skip(String),
    /// The device failed.
    Error(candle::Error),
}

impl From<candle::Error> for Stop {
    fn from(error: candle::Error) -> Self {
        Self::Error(error)
    }
}

fn judge<T>(rules: &[Rule<T>], facts: &T) -> candle::Result<Vec<Check>> {
    let check = |rule: &Rule<T>| {
        let (verdict, detail) = match (rule.judge)(facts) {
            Ok((verdict @ (Verdict::Warn | Verdict::Fail), found)) => (verdict, format!("{found}: {}", rule.advice)),
            Ok(passed) => passed,
            Err(Stop::Skip(reason)) => (Verdict::Skipped, reason),
            Err(Stop::Error(error)) => return Err(error),
        };
        Ok(Check { name: rule.name, verdict, detail })
    };
    rules.iter().map(check).collect()
}
