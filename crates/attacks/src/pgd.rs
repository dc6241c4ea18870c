//! Projected gradient ascent, and the attacks that are presets of it.

use crate::{
    Attack, Ball, Keys, Norm, Victim,
    candidate::{Ascent, Candidate, ascent, check_gradient, check_images},
    name::more,
};
use candle::{D, Result, Tensor, Var};
use objectives::Clean;
use std::fmt;

/// Where an attack starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// At the image.
    Image,
    /// Uniformly in the ball (l2: a uniform direction at a uniform distance).
    Uniform,
    /// The same, but pixels may leave `[0, 1]` until the first step has been taken, as in the MNIST script of Fast-AT.
    Unclipped,
    /// Gaussian noise of this standard deviation in every pixel, as TRADES does.
    Gaussian(f64),
}

/// Projected gradient ascent (Madry et al. 2018), with optional momentum (Dong et al. 2018).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pgd {
    /// Threat model.
    pub ball: Ball,
    /// Gradient steps.
    pub steps: usize,
    /// Length of a step in pixel units.
    pub step: f64,
    /// Where it starts.
    pub start: Start,
    /// Decay of accumulated gradients (1 in MIM); `None` steps along the latest gradient alone.
    pub momentum: Option<f64>,
    /// Independent runs; each example keeps a misclassified one if there is any, else the one with
    /// the highest objective. With more than one, labels must be the true ones: a targeted attack
    /// then carries its target in the objective.
    pub restarts: usize,
    /// Passes a gradient is the mean of: expectation over transformation (Athalye et al. 2018,
    /// "Obfuscated gradients give a false sense of security"). 1 for a network without randomness.
    pub passes: usize,
}

impl Pgd {
    /// `steps` of a quarter of the radius from a uniform start.
    pub fn new(ball: Ball, steps: usize) -> Self {
        Self { ball, steps, step: ball.eps / 4., start: Start::Uniform, momentum: None, restarts: 1, passes: 1 }
    }

    /// One full step from the image: the fast gradient sign method (Goodfellow et al. 2015).
    pub fn fgsm(ball: Ball) -> Self {
        Self { step: ball.eps, start: Start::Image, ..Self::new(ball, 1) }
    }

    /// Momentum iterative method with decay 1 (Dong et al. 2018), from the image.
    pub fn mim(ball: Ball, steps: usize) -> Self {
        Self { start: Start::Image, momentum: Some(1.), ..Self::new(ball, steps) }
    }

    /// Attacks once from `start` instead of the points `self.start` names; it is projected into the
    /// ball first.
    ///
    /// # Errors
    /// When the network fails, shapes differ, images are not in `[0, 1]`, or the objective does not depend on its input.
    pub fn from_point(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, start: &Tensor) -> Result<Tensor> {
        let images = &images.detach();
        check_images(images)?;
        let clean = victim.clean(images, labels);
        self.run(victim, &clean, images, self.ball.project(&start.detach(), images)?)
    }

    /// The starting points of one restart.
    pub(crate) fn begin(&self, images: &Tensor, keys: &Keys<'_>, restart: u64) -> Result<Tensor> {
        let eps = self.ball.eps as f32;
        let draw = |fill: &(dyn Fn(kernels::Key, &mut [f32]) + Sync)| {
            keys.draw("attack start", restart, images.shape(), images.device(), fill)
        };
        let noise = match (self.start, self.ball.norm) {
            (Start::Image, _) => return Ok(images.clone()),
            (Start::Gaussian(std), _) => draw(&|key, out| kernels::fill_normal(key, std as f32, out))?,
            (Start::Uniform | Start::Unclipped, Norm::Linf) => {
                draw(&|key, out| kernels::fill_uniform(key, -eps, eps, out))?
            }
            (Start::Uniform | Start::Unclipped, Norm::L2) => draw(&|key, out| uniform_l2(key, eps, out))?,
        };
        match self.start {
            Start::Unclipped => images + noise,
            _ => self.ball.project(&(images + noise)?, images),
        }
    }

    fn run(&self, victim: Victim<'_>, clean: &Clean<'_>, images: &Tensor, start: Tensor) -> Result<Tensor> {
        let mut x = start;
        let mut velocity: Option<Tensor> = None;
        for _ in 0..self.steps {
            let var = Var::from_tensor(&x)?;
            let Ascent { grad, .. } = ascent(victim, clean, &var, self.passes)?;
            // A GPU would have to finish all that is under way first. There a step in l-infinity makes pixels of it that are
            // no numbers, which end an evaluation, and a training by its loss.
            if grad.device().is_cpu() || self.ball.norm == Norm::L2 {
                check_gradient(&grad, self.ball.norm == Norm::Linf && self.momentum.is_none())?;
            }
            let direction = match self.momentum {
                None => grad,
                Some(decay) => {
                    let scale = grad.abs()?.flatten_from(1)?.mean_keepdim(D::Minus1)?;
                    // An example whose gradient is exactly zero stays put instead of becoming no number.
                    let scale = scale.reshape((scale.dim(0)?, 1, 1, 1))?.maximum(f64::from(f32::MIN_POSITIVE))?;
                    let unit = grad.broadcast_div(&scale)?;
                    match velocity {
                        None => unit,
                        Some(v) => (unit + (v * decay)?)?,
                    }
                }
            };
            x = self.ball.ascend(&var.as_detached_tensor(), &direction, images, self.step)?;
            velocity = self.momentum.map(|_| direction);
        }
        Ok(x)
    }
}

/// A point at a uniform distance in a uniform direction.
fn uniform_l2(key: kernels::Key, eps: f32, out: &mut [f32]) {
    let mut radius = [0f32];
    kernels::fill_uniform(key.domain("radius"), 0., eps, &mut radius);
    Ball { norm: Norm::L2, eps: radius[0].into() }.surface(key, out);
}

impl Attack for Pgd {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = &images.detach();
        if keys.evaluates() {
            check_images(images)?;
        }
        let clean = victim.clean(images, labels);
        let run = |restart| self.run(victim, &clean, images, self.begin(images, keys, restart)?);
        if self.restarts <= 1 {
            return run(0);
        }
        let mut best = Candidate::at(victim, &clean, run(0)?)?;
        for restart in 1..self.restarts as u64 {
            best = best.or(&Candidate::at(victim, &clean, run(restart)?)?)?;
        }
        Ok(best.x)
    }
}

impl fmt::Display for Pgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.momentum.is_some() { "mim" } else { "pgd" };
        write!(f, "{name}-{} ({}, step {:.5}, {:?}", self.steps, self.ball, self.step, self.start)?;
        more(f, self.restarts, "restarts")?;
        more(f, self.passes, "passes")?;
        f.write_str(")")
    }
}
