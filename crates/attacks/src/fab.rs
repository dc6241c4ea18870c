//! Targeted FAB: looks for the nearest adversarial image instead of the worst one in the ball.

mod plane;

use crate::{Attack, Ball, Keys, Norm, Victim, apgd_t::rivals, name::more, survivors::Survivors};
use candle::{D, DType, Result, Tensor, Var};
use plane::{length, shortest_move};
use std::fmt;

/// Targeted fast adaptive boundary attack (Croce and Hein 2020, "Minimally distorted adversarial
/// examples with a fast adaptive boundary attack", algorithm 1), as AutoAttack runs it.
///
/// For each of the classes most likely beside the label it linearises the difference of the two
/// logits, and steps a little beyond the nearest point where that is zero, drawn towards the clean
/// image. From a misclassified point it goes back towards the clean image and approaches again, so
/// the shortest perturbation counts, whatever the radius.
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
    /// Runs for each target: the first from the image, the others from random points.
    pub restarts: usize,
    /// How many classes to try at most, the most likely ones first. An example broken by one is not
    /// attacked further.
    pub targets: usize,
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
        Self { ball, steps: 100, restarts: 1, targets: 9 }
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
            let (gaps, grads) = goal.linearised(victim, &x)?;
            let rows = x.chunks_mut(size).zip(goal.pixels.chunks(size)).zip(grads.chunks(size)).zip(gaps);
            rows.for_each(|(((x, centre), grad), f)| advance(norm, x, centre, grad, f));
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
        let found = goal.tensor(best)?;
        let settled = (0..goal.labels.len()).map(|row| {
            let (x, centre) = (found.narrow(0, row, 1)?, goal.images.narrow(0, row, 1)?);
            // A length summed in 32 bits may round to just beyond the radius.
            if self.ball.check(&x, &centre).is_ok() { Ok(x) } else { self.ball.project(&x, &centre) }
        });
        Tensor::cat(&settled.collect::<Result<Vec<_>>>()?, 0)
    }

    /// Where run number `run` starts: at the image, or on the surface of a ball of half the radius.
    ///
    /// The official code takes half the distance of the nearest point so far if that is less than
    /// the radius; here such an example is broken and not attacked again.
    fn begin(&self, images: &Tensor, keys: &Keys<'_>, target: usize, run: u64) -> Result<Vec<f32>> {
        if run == 0 {
            return images.flatten_all()?.to_vec1();
        }
        let half = Ball { eps: 0.5 * self.ball.eps, ..self.ball };
        let purpose = format!("fab start, target {target}");
        let noise = keys.draw(&purpose, run, images.shape(), images.device(), |key, out| half.surface(key, out))?;
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

/// The examples one run attacks together, each with the class it should become.
struct Goal<'a> {
    /// Clean images, `(N, C, H, W)`.
    images: &'a Tensor,
    /// The same, image by image.
    pixels: Vec<f32>,
    /// `(N,)`.
    labels: Vec<u32>,
    /// 1 at each example's target and -1 at its label, `(N, K)`.
    contrast: Tensor,
}

impl<'a> Goal<'a> {
    /// `targets` and `labels` are `(N,)`; each is less than `classes`, and the two differ.
    fn new(images: &'a Tensor, labels: &Tensor, targets: &Tensor, classes: usize) -> Result<Self> {
        let labels: Vec<u32> = labels.to_dtype(DType::U32)?.to_vec1()?;
        let mut contrast = vec![0f32; labels.len() * classes];
        for ((row, &label), target) in contrast.chunks_mut(classes).zip(&labels).zip(targets.to_vec1::<u32>()?) {
            row[target as usize] = 1.;
            row[label as usize] = -1.;
        }
        let contrast = Tensor::from_vec(contrast, (labels.len(), classes), images.device())?;
        Ok(Self { images, pixels: images.flatten_all()?.to_vec1()?, labels, contrast })
    }

    fn tensor(&self, pixels: Vec<f32>) -> Result<Tensor> {
        Tensor::from_vec(pixels, self.images.shape(), self.images.device())
    }

    /// The target's logit less the label's at `x`, `(N,)`, and its gradient in every pixel.
    fn linearised(&self, victim: Victim<'_>, x: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        let var = Var::from_tensor(&self.tensor(x.to_vec())?)?;
        let logits = victim.model.forward(&var, victim.mode)?.logits;
        let gaps = (logits * &self.contrast)?.sum(D::Minus1)?;
        let Some(grad) = gaps.sum_all()?.backward()?.remove(&var) else {
            candle::bail!("the network's logits do not depend on its images")
        };
        Ok((gaps.to_vec1()?, grad.flatten_all()?.to_vec1()?))
    }

    /// Where the network does not say at `x` what the label says.
    fn wrong(&self, victim: Victim<'_>, x: &[f32]) -> Result<Vec<bool>> {
        let logits = victim.model.forward(&self.tensor(x.to_vec())?, victim.mode)?.logits;
        let said: Vec<u32> = logits.argmax(D::Minus1)?.to_vec1()?;
        Ok(said.iter().zip(&self.labels).map(|(said, label)| said != label).collect())
    }
}

impl Attack for Fab {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = &images.detach();
        let n = images.dim(0)?;
        if n != keys.examples.len() || n != labels.dim(0)? {
            candle::bail!("{n} images, but {} labels and random keys for {}", labels.dim(0)?, keys.examples.len())
        }
        if n == 0 {
            return Ok(images.clone());
        }
        // Also refuses labels that are not among the classes.
        let rivals = rivals(victim, images, labels)?;
        let others = rivals.dim(1)?;
        // Judges what a run gives, so each further run is at the unbroken examples only.
        let mut survivors = Survivors::new(victim, images, labels, keys)?;
        for target in 0..self.targets.min(others) {
            let aim = rivals.narrow(1, target, 1)?.squeeze(1)?.contiguous()?;
            for run in 0..self.restarts as u64 {
                survivors.try_each(|images, labels, keys, at| {
                    let goal = Goal::new(images, labels, &aim.index_select(at, 0)?, others + 1)?;
                    self.run(victim, &goal, self.begin(images, keys, target, run)?)
                })?;
            }
        }
        Ok(survivors.found())
    }
}

impl fmt::Display for Fab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fab-t-{} ({}, {} targets", self.steps, self.ball, self.targets)?;
        more(f, self.restarts, "restarts")?;
        f.write_str(")")
    }
}
