//! How far an example moves, and when that is decided anew.

use crate::candidate::{pick, rows};
use candle::{DType, Result, Tensor};

/// A window in which the objective rose in at most this share of the steps is one of oscillation.
const RHO: f64 = 0.75;

/// The step length of each example, and what decides on it.
pub(super) struct Pace {
    /// `(N, 1, 1, 1)`.
    pub step: Tensor,
    /// In how many steps of this window the objective rose, `(N,)`.
    rises: Tensor,
    /// The highest objective at the last checkpoint, `(N,)`.
    highest: Tensor,
    /// Whether the last checkpoint halved the step, `(N,)`, `u8`; at first it counts as if.
    halved: Tensor,
}

impl Pace {
    pub fn new(eps: f64, losses: &Tensor) -> Result<Self> {
        let (n, device) = (losses.dim(0)?, losses.device());
        Ok(Self {
            step: Tensor::full((2. * eps) as f32, (n, 1, 1, 1), device)?,
            rises: Tensor::zeros(n, DType::F32, device)?,
            highest: losses.clone(),
            halved: Tensor::ones(n, DType::U8, device)?,
        })
    }

    pub fn count(&mut self, old: &Tensor, new: &Tensor) -> Result<()> {
        self.rises = (&self.rises + new.gt(old)?.to_dtype(DType::F32)?)?;
        Ok(())
    }

    /// Ends a window of `length` steps; tells which examples start again from their best point.
    pub fn checkpoint(&mut self, length: usize, highest: &Tensor) -> Result<Tensor> {
        let oscillates = self.rises.le(RHO * length as f64)?;
        let stuck = (self.halved.eq(0u8)? * self.highest.ge(highest)?)?;
        let halved = oscillates.maximum(&stuck)?;
        self.step = pick(&halved, &(&self.step * 0.5)?, &self.step)?;
        self.rises = self.rises.zeros_like()?;
        self.highest = highest.clone();
        self.halved = halved.clone();
        Ok(halved)
    }

    /// Those at positions `at`.
    pub fn rows(&self, at: &Tensor) -> Result<Self> {
        Ok(Self {
            step: rows(&self.step, at)?,
            rises: rows(&self.rises, at)?,
            highest: rows(&self.highest, at)?,
            halved: rows(&self.halved, at)?,
        })
    }
}

/// The steps between checkpoints: 22 % of all at first, each window 3 % shorter, none below 6 %.
pub(super) struct Windows {
    length: usize,
    left: usize,
    shrink: usize,
    least: usize,
}

impl Windows {
    pub fn new(steps: usize) -> Self {
        let percent = |p: usize| (p * steps / 100).max(1);
        Self { length: percent(22), left: percent(22), shrink: percent(3), least: percent(6) }
    }

    /// Called after each step: the window's length if that was its last.
    pub fn ends(&mut self) -> Option<usize> {
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
