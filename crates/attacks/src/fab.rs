//! FAB: looks for the nearest adversarial image instead of the worst one in the ball.

mod goal;
mod plane;

use crate::{Attack, Ball, Keys, Norm, Victim, candidate::rows, name::more, rivals::rivals, survivors::Survivors};
use candle::{Result, Tensor};
use goal::Goal;
use plane::{length, shortest_move};
use rayon::prelude::*;
use std::fmt;

/// Fast adaptive boundary attack (Croce and Hein 2020, "Minimally distorted adversarial examples with a
/// fast adaptive boundary attack", algorithm 1), as AutoAttack runs it.
///
/// It linearises the difference of a class's and the label's logits, and steps a little beyond the
/// nearest point where that is zero, drawn towards the clean image. Targeted, it does so for one class
/// after another; else each step is towards the class whose boundary is then the nearest. From a
/// misclassified point it goes back towards the clean image and approaches again, so the shortest
/// perturbation counts, whatever the radius.
///
/// It returns each example's misclassified point if that lies in the ball, else the clean image;
/// clean-wrong examples come back as they are. The victim's objective plays no role: logits do. So
/// labels must be the true ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fab {
    /// Threat model; its norm is the distance that is made small.
    pub ball: Ball,
    /// Gradient steps of one run.
    pub steps: usize,
    /// Runs (for each target): the first from the image, the others from random points.
    pub restarts: usize,
    /// How many classes to try at most, the most likely ones first. An example broken by one is not
    /// attacked further. `None` tries all at once, at the price of a gradient for each in every step.
    pub targets: Option<usize>,
}

// The frozen parameters of AutoAttack (Croce and Hein 2020, "Reliable evaluation of adversarial
// robustness with an ensemble of diverse parameter-free attacks").

/// The most that an iterate is drawn towards the move that starts at the clean image.
const ALPHA_MAX: f64 = 0.1;
/// Moves are longer than to the linearised boundary by this factor, so as to cross it.
const ETA: f64 = 1.05;
/// The share of its perturbation that a misclassified point keeps.
const BETA: f32 = 0.9;
/// Guards the ratio of two moves' sizes, as in the official code.
const LEAST: f64 = 1e-8;

impl Fab {
    /// FAB-T of AutoAttack: 100 steps from the image towards each of 9 classes.
    pub fn new(ball: Ball) -> Self {
        Self { ball, steps: 100, restarts: 1, targets: Some(9) }
    }

    /// Untargeted FAB: 100 steps from the image.
    pub fn untargeted(ball: Ball) -> Self {
        Self { targets: None, ..Self::new(ball) }
    }

    /// One run from `start`, pixels as in `goal`: of each example the nearest misclassified point if
    /// that lies in the ball, else the clean image.
    fn run(&self, victim: Victim<'_>, goal: &Goal<'_>, start: Vec<f32>) -> Result<Tensor> {
        let norm = self.ball.norm;
        let size = (goal.pixels.len() / goal.labels.len()).max(1);
        let (mut x, mut best) = (start, goal.pixels.clone());
        // Beyond the radius nothing counts.
        let mut nearest = vec![self.ball.eps; goal.labels.len()];
        for _ in 0..self.steps {
            let (gaps, grads) = goal.linearised(victim, norm, &x)?;
            let rows = x.par_chunks_mut(size).zip(goal.pixels.par_chunks(size)).zip(grads.par_chunks(size));
            rows.zip(gaps).for_each(|(((x, centre), grad), f)| advance(norm, x, centre, grad, f));
            let wrong = goal.wrong(victim, &x)?;
            let rows = x.chunks_mut(size).zip(goal.pixels.chunks(size)).zip(best.chunks_mut(size)).zip(&mut nearest);
            for ((((x, centre), best), nearest), _) in rows.zip(wrong).filter(|(_, wrong)| *wrong) {
                let far = length(norm, x.iter().zip(centre).map(|(x, c)| x - c));
                if far <= *nearest {
                    *nearest = far;
                    best.copy_from_slice(x);
                }
                x.iter_mut().zip(centre).for_each(|(x, c)| *x = c + BETA * (*x - c));
            }
        }
        goal.tensor(best)
    }

    /// Where run number `run` starts: at the image, or on the surface of a ball of half the radius.
    fn begin(&self, images: &Tensor, keys: &Keys<'_>, purpose: &str, run: u64) -> Result<Vec<f32>> {
        if run == 0 {
            return images.flatten_all()?.to_vec1();
        }
        let half = Ball { eps: 0.5 * self.ball.eps, ..self.ball };
        let noise = keys.draw(purpose, run, images.shape(), images.device(), |key, out| half.surface(key, out))?;
        (images + noise)?.clamp(0f32, 1f32)?.flatten_all()?.to_vec1()
    }
}

/// Moves `x` `(D,)` in `[0, 1]` beyond the nearest point where `f + grad . (x' - x)` is zero; a part
/// of the move starts at `centre` instead, the larger the farther `x` is from that plane.
fn advance(norm: Norm, x: &mut [f32], centre: &[f32], grad: &[f32], f: f32) {
    let f = f64::from(f);
    let back = x.iter().zip(centre).zip(grad).map(|((x, c), w)| f64::from(*w) * (f64::from(*x) - f64::from(*c)));
    let from_centre = shortest_move(norm, centre, grad, back.sum::<f64>() - f);
    let from_x = shortest_move(norm, x, grad, -f);
    let [near, far] = [&from_x, &from_centre].map(|d| length(norm, d.iter().copied()).max(LEAST));
    let alpha = (near / (near + far)).min(ALPHA_MAX);
    for (((x, c), dx), dc) in x.iter_mut().zip(centre).zip(from_x).zip(from_centre) {
        let mixed =
            (f64::from(*x) + ETA * f64::from(dx)) * (1. - alpha) + (f64::from(*c) + ETA * f64::from(dc)) * alpha;
        *x = (mixed as f32).clamp(0., 1.);
    }
}

impl Attack for Fab {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = &images.detach();
        if images.dim(0)? == 0 {
            return Ok(images.clone());
        }
        // Judges what a run gives, so each further run is at the unbroken examples only.
        let mut survivors = Survivors::new(victim, images, labels, keys)?;
        let rivals = rivals(victim, images, labels)?;
        let others = rivals.dim(1)?;
        let aims: Vec<(String, Tensor)> = match self.targets {
            None => vec![("fab start".into(), rivals)],
            Some(targets) => (0..targets.min(others))
                .map(|target| Ok((format!("fab start, target {target}"), rivals.narrow(1, target, 1)?)))
                .collect::<Result<_>>()?,
        };
        for (purpose, aim) in &aims {
            for run in 0..self.restarts.max(1) as u64 {
                survivors.try_each(|images, labels, keys, at| {
                    let goal = Goal::new(images, labels, &rows(aim, at)?, others + 1)?;
                    self.run(victim, &goal, self.begin(images, keys, purpose, run)?)
                })?;
            }
        }
        Ok(survivors.found())
    }
}

impl fmt::Display for Fab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.targets {
            None => write!(f, "fab-{} ({}", self.steps, self.ball)?,
            Some(targets) => write!(f, "fab-t-{} ({}, {targets} targets", self.steps, self.ball)?,
        }
        more(f, self.restarts, "restarts")?;
        f.write_str(")")
    }
}
