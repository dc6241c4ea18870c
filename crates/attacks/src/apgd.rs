//! Auto-PGD: projected gradient ascent that chooses its own step lengths.

mod climb;
mod pace;

use crate::{
    Attack, Ball, Keys, Victim,
    candidate::{Candidate, check_images, rows},
    name::more,
};
use candle::{Result, Tensor};
use climb::{Climb, Group};
use models::Mode;
use pace::Windows;
use std::fmt;

/// Auto-PGD (Croce and Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of
/// diverse parameter-free attacks", section 3 and algorithm 1).
///
/// Every example has its own step length, at first twice the radius. At checkpoints that become
/// denser, an example whose objective rose too seldom since the last one, or whose best has not
/// moved although its step was kept, halves its step and goes on from its best point.
///
/// It returns each example's misclassified iterate with the highest objective, or, if it met none,
/// the iterate with the highest objective. So labels must be the true ones: a targeted attack
/// carries its target in the objective, as [`objectives::targeted_dlr`] does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apgd {
    /// Threat model.
    pub ball: Ball,
    /// Gradient steps.
    pub steps: usize,
    /// Independent runs; each example keeps a misclassified one if there is any, else the one with
    /// the highest objective.
    pub restarts: usize,
    /// Passes a gradient is the mean of, as in [`crate::Pgd`]; the objective and the verdict are those
    /// of the last one.
    pub passes: usize,
    /// Whether an example's first misclassified iterate is its result, and it is attacked no more. Which
    /// examples are broken is the same either way, and so is what comes back of the others, unless the
    /// network answers at random, or the objective compares examples with each other: then only with those
    /// left. No effect with batch statistics, which would change with the batch, nor on a GPU: there the last bits of
    /// a network's answer may depend on the size of its batch, and a point just beyond the boundary be on this side
    /// of it again when it is judged.
    pub first: bool,
}

/// Share of a step that is new; the rest repeats the move before it.
const FRESH: f64 = 0.75;

impl Apgd {
    /// `steps` from one random start, each example through all of them.
    pub fn new(ball: Ball, steps: usize) -> Self {
        Self { ball, steps, restarts: 1, passes: 1, first: false }
    }

    /// Attacks from `start` instead of random points; it is projected into the ball first.
    ///
    /// # Errors
    /// When the network fails, shapes differ, images are not in `[0, 1]`, or the objective does not depend on its input.
    pub fn from_point(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, start: &Tensor) -> Result<Tensor> {
        let images = &images.detach();
        check_images(images)?;
        let start = self.ball.project(&start.detach(), images)?;
        Ok(self.run(&Group::new(victim, images, labels), &start)?.x)
    }

    /// The best of all restarts, the first of which is number `first`.
    pub(crate) fn search(
        &self,
        victim: Victim<'_>,
        images: &Tensor,
        labels: &Tensor,
        keys: &Keys<'_>,
        first: u64,
    ) -> Result<Tensor> {
        let images = &images.detach();
        let group = Group::new(victim, images, labels);
        let mut best = self.run(&group, &self.begin(images, keys, first)?)?;
        for restart in first + 1..first + self.restarts as u64 {
            let start = self.begin(images, keys, restart)?;
            best = match self.left(&group, &best, 1)? {
                None => best.or(&self.run(&group, &start)?)?,
                Some(at) if at.is_empty() => break,
                Some(at) => {
                    let next = group.among(&at, |group, at| self.run(group, &rows(&start, at)?))?;
                    best.with(&at, |best| best.or(&next))?
                }
            };
        }
        Ok(best.x)
    }

    /// Random points on the surface of the ball, as in the official code.
    fn begin(&self, images: &Tensor, keys: &Keys<'_>, restart: u64) -> Result<Tensor> {
        let noise = keys
            .draw("attack start", restart, images.shape(), images.device(), |key, out| self.ball.surface(key, out))?;
        self.ball.project(&(images + noise)?, images)
    }

    fn run(&self, group: &Group<'_>, start: &Tensor) -> Result<Candidate> {
        let climb = Climb::new(self, group, start)?;
        self.go_on(group, climb, Windows::new(self.steps), self.steps)
    }

    /// The last `steps` of a run.
    fn go_on(&self, group: &Group<'_>, mut climb: Climb, mut windows: Windows, steps: usize) -> Result<Candidate> {
        for step in 0..steps {
            // A smaller batch is a copy of all that is known, so a few broken examples stay in it.
            match self.left(group, &climb.found, climb.found.len()?.div_ceil(4))? {
                None => climb.step(self, group, windows.ends())?,
                Some(at) if at.is_empty() => break,
                Some(at) => {
                    let rest =
                        group.among(&at, |group, at| self.go_on(group, climb.rows(at)?, windows, steps - step))?;
                    return climb.found.with(&at, |_| Ok(rest));
                }
            }
        }
        Ok(climb.found)
    }

    /// Whether [`Apgd::first`] has an effect on `group`.
    fn stops(&self, group: &Group<'_>) -> bool {
        self.first && group.victim.mode == Mode::Eval && group.images.device().is_cpu()
    }

    /// The positions of examples to attack further if at least `broken` are not among them.
    fn left(&self, group: &Group<'_>, found: &Candidate, broken: usize) -> Result<Option<Vec<u32>>> {
        if !self.stops(group) {
            return Ok(None);
        }
        let left = found.standing()?;
        Ok((left.len() + broken <= found.len()?).then_some(left))
    }

    /// The next iterate after `x`, which the attack reached from `before`.
    fn advance(
        &self,
        x: &Tensor,
        grad: &Tensor,
        before: Option<&Tensor>,
        step: &Tensor,
        images: &Tensor,
    ) -> Result<Tensor> {
        let plain = self.ball.project(&(x + self.ball.direction(grad)?.broadcast_mul(step)?)?, images)?;
        let Some(before) = before else { return Ok(plain) };
        let fresh = ((plain - x)? * FRESH)?;
        let repeated = ((x - before)? * (1. - FRESH))?;
        self.ball.project(&((x + fresh)? + repeated)?, images)
    }
}

impl Attack for Apgd {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        check_images(images)?;
        self.search(victim, images, labels, keys, 0)
    }
}

impl fmt::Display for Apgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "apgd-{} ({}", self.steps, self.ball)?;
        more(f, self.restarts, "restarts")?;
        more(f, self.passes, "passes")?;
        f.write_str(")")
    }
}
