//! Which images stand under which attack.

use super::{Stop, Subject, model::Anatomy};
use crate::verdicts::CLEAN;
use anyhow::{Result, ensure};
use attacks::{Ball, Norm};

/// Every attack that an audit asks for inside the ball of the claim, in this order.
///
/// `transfer` is whatever the caller has that was made on another network, `adaptive` its attack on the
/// defence's own terms; the others are [`attacks::Probe`]s.
pub const ATTACKS: [&str; 14] = [
    CLEAN,
    "fgsm",
    "pgd-20",
    "pgd-100",
    "pgd-20x5",
    "cw",
    "apgd-ce",
    "apgd-t",
    "fab-t",
    "autoattack",
    "square",
    "noise-1000",
    "transfer",
    "adaptive",
];

/// Attacks of [`ATTACKS`] that see no gradient of the network.
pub(super) const BLACK: [&str; 3] = ["square", "noise-1000", "transfer"];

/// Attacks of [`ATTACKS`] that do; AutoAttack is neither, as Square is part of it.
pub(super) const WHITE: [&str; 7] = ["pgd-20", "pgd-100", "pgd-20x5", "cw", "apgd-ce", "apgd-t", "fab-t"];

/// Radii, in radii of the claim, at which `pgd-20` is asked for too.
pub const RADII: [f64; 3] = [0.5, 2., 4.];

/// Everything an audit asks for, in order: [`ATTACKS`], `pgd-20` at the other [`RADII`], and `pgd-100`
/// where every image can become grey.
pub fn questions(ball: Ball, shape: [usize; 3]) -> Vec<(&'static str, Ball)> {
    let within = ATTACKS.map(|attack| (attack, ball));
    let scaled = RADII.map(|factor| ("pgd-20", scaled(ball, factor)));
    within.into_iter().chain(scaled).chain([("pgd-100", unbounded(ball, shape))]).collect()
}

fn scaled(ball: Ball, factor: f64) -> Ball {
    Ball { eps: factor * ball.eps, ..ball }
}

/// The smallest ball that reaches the grey image from any other.
fn unbounded(ball: Ball, shape: [usize; 3]) -> Ball {
    let pixels: usize = shape.iter().product();
    let eps = match ball.norm {
        Norm::Linf => 0.5,
        Norm::L2 => 0.5 * (pixels as f64).sqrt(),
    };
    Ball { eps, ..ball }
}

/// Knows, or finds out, what stands.
pub trait Evidence {
    /// Whether each image of the subject, in order, is classified correctly both clean and under `attack`
    /// (`clean`: clean, whatever the ball); `None` if that attack is not to be had.
    ///
    /// # Errors
    /// When it cannot be measured. An attack that left its ball is an error of [`Ball::check`], and a
    /// finding of the audit; any other error ends it.
    fn stands(&mut self, attack: &str, ball: Ball) -> Result<Option<Vec<bool>>>;
}

impl<F: FnMut(&str, Ball) -> Result<Option<Vec<bool>>>> Evidence for F {
    fn stands(&mut self, attack: &str, ball: Ball) -> Result<Option<Vec<bool>>> {
        self(attack, ball)
    }
}

/// How the error of [`Ball::check`] begins.
const BROKEN: &str = "an attack broke its threat model";

/// All the answers.
pub(super) struct Measured {
    /// The threat model.
    ball: Ball,
    shape: [usize; 3],
    /// How many images.
    pub(super) examples: usize,
    /// How many classes.
    pub(super) classes: usize,
    /// An undefended network and its accuracy under attack.
    pub(super) control: Option<(String, f64)>,
    /// What left its ball, and how.
    pub(super) escapes: Vec<String>,
    answers: Vec<(&'static str, Ball, Answer)>,
}

/// What stands, or why that is not known.
type Answer = std::result::Result<Vec<bool>, String>;

impl Measured {
    pub(super) fn of(subject: &Subject<'_>, anatomy: &Anatomy, evidence: &mut dyn Evidence) -> Result<Self> {
        let Subject { data, ball, control, .. } = *subject;
        let (examples, shape) = (data.len(), data.shape());
        let (mut answers, mut escapes) = (Vec::new(), Vec::new());
        for (attack, ball) in questions(ball, shape) {
            let answer = match anatomy.obstacle(attack == CLEAN || BLACK.contains(&attack)) {
                Some(obstacle) => Err(obstacle),
                None => match evidence.stands(attack, ball) {
                    Ok(Some(stands)) => {
                        let found = stands.len();
                        ensure!(found == examples, "{attack} tells of {found} examples, not of {examples}");
                        Ok(stands)
                    }
                    Ok(None) => Err(format!("{attack} was not measured")),
                    Err(error) => {
                        let Some(how) = error.chain().map(ToString::to_string).find(|e| e.starts_with(BROKEN)) else {
                            return Err(error);
                        };
                        // A backtrace may follow.
                        escapes.push(format!("{attack}: {}", how.lines().next().unwrap_or_default()));
                        Err(format!("{attack} left its ball"))
                    }
                },
            };
            answers.push((attack, ball, answer));
        }
        let control = control.map(|(label, percent)| (label.to_owned(), percent));
        Ok(Self { ball, shape, examples, classes: data.classes(), control, escapes, answers })
    }

    /// What stands under `attack`.
    pub(super) fn get(&self, attack: &str) -> std::result::Result<&[bool], Stop> {
        self.within(attack, self.ball)
    }

    /// What stands under `pgd-20` at so many radii.
    pub(super) fn at_radius(&self, factor: f64) -> std::result::Result<&[bool], Stop> {
        self.within("pgd-20", scaled(self.ball, factor))
    }

    /// What stands under `pgd-100` where the ball holds everything between an image and grey.
    pub(super) fn unbounded(&self) -> std::result::Result<&[bool], Stop> {
        self.within("pgd-100", unbounded(self.ball, self.shape))
    }

    fn within(&self, attack: &str, ball: Ball) -> std::result::Result<&[bool], Stop> {
        let (_, _, answer) =
            self.answers.iter().find(|a| (a.0, a.1) == (attack, ball)).expect("one of the questions of an audit");
        answer.as_deref().map_err(|reason| Stop::Skip(reason.clone()))
    }

    /// Those of `attacks` that were measured, with what stands under them.
    pub(super) fn known(&self, attacks: &[&'static str]) -> Vec<(&'static str, &[bool])> {
        attacks.iter().filter_map(|attack| Some((*attack, self.get(attack).ok()?))).collect()
    }

    /// What stands under all of `attacks` that were measured; everything, without any.
    pub(super) fn under_all(&self, attacks: &[&'static str]) -> Vec<bool> {
        let known = self.known(attacks);
        (0..self.examples).map(|i| known.iter().all(|(_, stands)| stands[i])).collect()
    }

    /// Every attack in the ball that was measured, with what stands under it.
    pub(super) fn attacks(&self) -> Vec<(&'static str, &[bool])> {
        ATTACKS.into_iter().filter(|attack| *attack != CLEAN).filter_map(|a| Some((a, self.get(a).ok()?))).collect()
    }

    /// Examples, in per cent of all.
    pub(super) fn percent(&self, examples: usize) -> f64 {
        100. * examples as f64 / self.examples as f64
    }
}
