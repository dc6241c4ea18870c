//! Auto-PGD: projected gradient ascent that chooses its own step lengths.

use crate::{
    Attack, Ball, Keys, Norm, Victim,
    candidate::{Candidate, pick},
};
use candle::{DType, Result, Tensor};
use objectives::{Clean, Stage};
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
}

/// Share of a step that is new; the rest repeats the move before it.
const FRESH: f64 = 0.75;
/// A window in which the objective rose in at most this share of the steps is one of oscillation.
const RHO: f64 = 0.75;

impl Apgd {
    /// `steps` from one random start.
    pub fn new(ball: Ball, steps: usize) -> Self {
        Self { ball, steps, restarts: 1, passes: 1 }
    }

    /// Attacks from `start` instead of random points; it is projected into the ball first.
    ///
    /// # Errors
    /// When the network fails, shapes differ, or the objective does not depend on its input.
    pub fn from_point(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, start: &Tensor) -> Result<Tensor> {
        let images = &images.detach();
        let clean = Clean::new(victim.model, victim.mode, images, labels, Stage::Generation);
        Ok(self.run(victim, &clean, images, self.ball.project(&start.detach(), images)?)?.x)
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
        let clean = Clean::new(victim.model, victim.mode, images, labels, Stage::Generation);
        let run = |restart| self.run(victim, &clean, images, self.begin(images, keys, restart)?);
        let mut best = run(first)?;
        for restart in first + 1..first + self.restarts as u64 {
            best = best.or(&run(restart)?)?;
        }
        Ok(best.x)
    }

    /// Random points on the surface of the ball, as in the official code.
    fn begin(&self, images: &Tensor, keys: &Keys<'_>, restart: u64) -> Result<Tensor> {
        let eps = self.ball.eps as f32;
        let norm = self.ball.norm;
        let noise = keys
            .draw("attack start", restart, images.shape(), images.device(), |key, out| surface(norm, eps, key, out))?;
        self.ball.project(&(images + noise)?, images)
    }

    fn run(&self, victim: Victim<'_>, clean: &Clean<'_>, images: &Tensor, start: Tensor) -> Result<Candidate> {
        let (mut here, mut grad) = Candidate::climbed(victim, clean, &start, self.passes)?;
        let mut found = here.clone();
        let mut peak = Peak { x: here.x.clone(), grad: grad.clone(), losses: here.losses.clone() };
        let mut pace = Pace::new(self.ball.eps, &here.losses)?;
        let mut windows = Windows::new(self.steps);
        let mut before: Option<Tensor> = None;
        for _ in 0..self.steps {
            let x = self.advance(&here.x, &grad, before.as_ref(), &pace.step, images)?;
            let (next, new_grad) = Candidate::climbed(victim, clean, &x, self.passes)?;
            before = Some(here.x);
            pace.count(&here.losses, &next.losses)?;
            (here, grad) = (next, new_grad);
            found = found.or(&here)?;
            peak.raise(&here, &grad)?;
            if let Some(length) = windows.ends() {
                let halved = pace.checkpoint(length, &peak.losses)?;
                here.x = pick(&halved, &peak.x, &here.x)?;
                grad = pick(&halved, &peak.grad, &grad)?;
            }
        }
        Ok(found)
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

/// Noise on the surface of the ball.
pub(crate) fn surface(norm: Norm, eps: f32, key: kernels::Key, out: &mut [f32]) {
    let size = match norm {
        Norm::Linf => {
            kernels::fill_uniform(key, -1., 1., out);
            out.iter().fold(0f32, |max, v| max.max(v.abs()))
        }
        Norm::L2 => {
            kernels::fill_normal(key, 1., out);
            out.iter().map(|v| v * v).sum::<f32>().sqrt()
        }
    };
    let scale = eps / size.max(f32::MIN_POSITIVE);
    out.iter_mut().for_each(|v| *v *= scale);
}

/// The iterate of each example with the highest objective, and the gradient there.
struct Peak {
    x: Tensor,
    grad: Tensor,
    losses: Tensor,
}

impl Peak {
    fn raise(&mut self, here: &Candidate, grad: &Tensor) -> Result<()> {
        let higher = here.losses.gt(&self.losses)?;
        self.x = pick(&higher, &here.x, &self.x)?;
        self.grad = pick(&higher, grad, &self.grad)?;
        self.losses = pick(&higher, &here.losses, &self.losses)?;
        Ok(())
    }
}

/// The step length of each example, and what decides on it.
struct Pace {
    /// `(N, 1, 1, 1)`.
    step: Tensor,
    /// In how many steps of this window the objective rose, `(N,)`.
    rises: Tensor,
    /// The highest objective at the last checkpoint, `(N,)`.
    highest: Tensor,
    /// Whether the last checkpoint halved the step, `(N,)`, `u8`; at first it counts as if.
    halved: Tensor,
}

impl Pace {
    fn new(eps: f64, losses: &Tensor) -> Result<Self> {
        let (n, device) = (losses.dim(0)?, losses.device());
        Ok(Self {
            step: Tensor::full((2. * eps) as f32, (n, 1, 1, 1), device)?,
            rises: Tensor::zeros(n, DType::F32, device)?,
            highest: losses.clone(),
            halved: Tensor::ones(n, DType::U8, device)?,
        })
    }

    fn count(&mut self, old: &Tensor, new: &Tensor) -> Result<()> {
        self.rises = (&self.rises + new.gt(old)?.to_dtype(DType::F32)?)?;
        Ok(())
    }

    /// Ends a window of `length` steps; tells which examples start again from their best point.
    fn checkpoint(&mut self, length: usize, highest: &Tensor) -> Result<Tensor> {
        let oscillates = self.rises.le(RHO * length as f64)?;
        let stuck = (self.halved.eq(0u8)? * self.highest.ge(highest)?)?;
        let halved = oscillates.maximum(&stuck)?;
        self.step = pick(&halved, &(&self.step * 0.5)?, &self.step)?;
        self.rises = self.rises.zeros_like()?;
        self.highest = highest.clone();
        self.halved = halved.clone();
        Ok(halved)
    }
}

/// The steps between checkpoints: 22 % of all at first, each window 3 % shorter, none below 6 %.
struct Windows {
    length: usize,
    left: usize,
    shrink: usize,
    least: usize,
}

impl Windows {
    fn new(steps: usize) -> Self {
        let percent = |p: usize| (p * steps / 100).max(1);
        Self { length: percent(22), left: percent(22), shrink: percent(3), least: percent(6) }
    }

    /// Called after each step: the window's length if that was its last.
    fn ends(&mut self) -> Option<usize> {
        self.left -= 1;
        if self.left > 0 {
            return None;
        }
        let length = self.length;
        self.length = length.saturating_sub(self.shrink).max(self.least);
        self.left = self.length;
        Some(length)
    }
}

impl Attack for Apgd {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        self.search(victim, images, labels, keys, 0)
    }
}

impl fmt::Display for Apgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "apgd-{} ({}", self.steps, self.ball)?;
        if self.restarts > 1 {
            write!(f, ", {} restarts", self.restarts)?;
        }
        if self.passes > 1 {
            write!(f, ", {} passes", self.passes)?;
        }
        write!(f, ")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_of_a_hundred_steps() {
        let mut windows = Windows::new(100);
        let ends: Vec<usize> = (1..=100).filter(|_| windows.ends().is_some()).collect();
        assert_eq!(ends, [22, 41, 57, 70, 80, 87, 93, 99]);
    }

    #[test]
    fn every_number_of_steps_has_windows() {
        for steps in 0..50 {
            let mut windows = Windows::new(steps);
            assert!((0..steps).filter_map(|_| windows.ends()).all(|length| length > 0));
        }
    }
}
