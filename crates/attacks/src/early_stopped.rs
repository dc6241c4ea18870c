//! Projected gradient ascent that goes no further than it must.

use crate::{
    Attack, Keys, Norm, Pgd, Victim,
    candidate::{Ascent, ascent, check_gradient, check_images, pick},
};
use candle::{Result, Tensor, Var};
use std::fmt;

/// Early-stopped PGD (Zhang et al. 2020, "Attacks which do not kill training make adversarial learning stronger"): an
/// example that has been misclassified after more steps than its patience stops moving. Training uses it; as an
/// evaluation it is PGD with fewer steps.
///
/// All examples stay in the batch until the last has stopped, since an objective may compare them.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlyStopped {
    /// The attack that is stopped; one run without momentum.
    pub pgd: Pgd,
    /// Patience after so many epochs, ascending; before the first of them it is 0.
    pub patience: Vec<(u64, usize)>,
    /// Standard deviation of the noise that is added at each step, in pixel units.
    pub noise: f64,
}

impl EarlyStopped {
    /// The patience in `epoch`, counted from 1; 0 is evaluation, of a network that training has made most patient.
    fn patience_in(&self, epoch: u64) -> usize {
        self.patience.iter().rfind(|(after, _)| epoch == 0 || epoch > *after).map_or(0, |(_, patience)| *patience)
    }
}

impl Attack for EarlyStopped {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = &images.detach();
        if keys.evaluates() {
            check_images(images)?;
        }
        let clean = victim.clean(images, labels);
        let mut x = self.pgd.begin(images, keys, 0)?;
        let mut left = vec![self.patience_in(keys.epoch); keys.examples.len()];
        let mut moving = vec![1u8; left.len()];
        for step in 0..self.pgd.steps as u64 {
            let var = Var::from_tensor(&x)?;
            let Ascent { grad, wrong, .. } = ascent(victim, &clean, &var, self.pgd.passes)?;
            check_gradient(&grad, self.pgd.ball.norm == Norm::Linf)?;
            for ((wrong, left), moving) in wrong.to_vec1::<u8>()?.into_iter().zip(&mut left).zip(&mut moving) {
                match (wrong, *left) {
                    (0, _) => {}
                    (_, 0) => *moving = 0,
                    (_, _) => *left -= 1,
                }
            }
            if moving.iter().all(|moving| *moving == 0) {
                break;
            }
            let here = var.as_detached_tensor();
            // What has stopped gets none, as drawing takes time.
            let noise = keys.draw_rows("friendly noise", step, images.shape(), images.device(), |row, key, out| {
                if moving[row] == 1 {
                    kernels::fill_normal(key, self.noise as f32, out);
                }
            })?;
            let ball = self.pgd.ball;
            // Projected once, as in the official code: noise does not bring back what the step took to the bound.
            let moved = ((&here + (ball.direction(&grad)? * self.pgd.step)?)? + noise)?;
            let stepped = ball.project(&moved, images)?;
            x = pick(&Tensor::new(moving.as_slice(), images.device())?, &stepped, &here)?;
        }
        Ok(x)
    }
}

impl fmt::Display for EarlyStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "early-stopped {}, patience 0", self.pgd)?;
        self.patience.iter().try_for_each(|(after, patience)| write!(f, ", {patience} after epoch {after}"))?;
        if self.noise > 0. { write!(f, ", noise {}", self.noise) } else { Ok(()) }
    }
}
