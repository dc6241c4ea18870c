//! Random points: the baseline that knows nothing of a network but its answers.

use crate::{Attack, Ball, Keys, Norm, Victim, survivors::Survivors};
use candle::{Result, Tensor};
use kernels::Key;
use std::fmt;

/// Random points as far from the image as the threat model allows, one after the other: for
/// l-infinity corners of the ball, each pixel up or down by the radius, for l2 a random direction.
///
/// The first point the network gets wrong is an example's result. It computes no gradient, reads no
/// logits beyond the class they name and ignores the victim's objective, so an attack with gradients
/// that breaks less has met gradients that mislead. Examples it does not break, and those wrong to
/// begin with, come back as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Threat model.
    pub ball: Ball,
    /// Points for each example at most.
    pub draws: usize,
}

impl Noise {
    /// Fills `out` with a move to the surface of the ball.
    fn fill(&self, key: Key, out: &mut [f32]) {
        self.ball.surface(key, out);
        if self.ball.norm == Norm::Linf {
            let eps = self.ball.eps as f32;
            out.iter_mut().for_each(|v| *v = eps.copysign(*v));
        }
    }
}

impl Attack for Noise {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = &images.detach();
        let mut survivors = Survivors::new(victim, images, labels, keys)?;
        for draw in 0..self.draws as u64 {
            survivors.try_each(|images, _, keys, _| {
                let fill = |key, out: &mut [f32]| self.fill(key, out);
                let noise = keys.draw("noise", draw, images.shape(), images.device(), fill)?;
                self.ball.project(&(images + noise)?, images)
            })?;
        }
        Ok(survivors.found())
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "noise-{} ({})", self.draws, self.ball)
    }
}
