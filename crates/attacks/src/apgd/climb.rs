//! A run of Auto-PGD: what it attacks, and what it knows.

use super::{Apgd, pace::Pace};
use crate::{
    Victim,
    candidate::{Candidate, pick, rows},
};
use candle::{Result, Tensor};
use objectives::Clean;

/// Examples attacked together, with their clean pass.
pub(super) struct Group<'a> {
    pub victim: Victim<'a>,
    pub images: &'a Tensor,
    labels: &'a Tensor,
    clean: Clean<'a>,
}

impl<'a> Group<'a> {
    pub fn new(victim: Victim<'a>, images: &'a Tensor, labels: &'a Tensor) -> Self {
        let clean = victim.clean(images, labels);
        Self { victim, images, labels, clean }
    }

    /// What `attack` finds for the examples at positions `at` alone; it also gets these as a tensor.
    pub fn among(
        &self,
        at: &[u32],
        attack: impl FnOnce(&Group<'_>, &Tensor) -> Result<Candidate>,
    ) -> Result<Candidate> {
        let at = &Tensor::new(at, self.images.device())?;
        let (images, labels) = (rows(self.images, at)?, rows(self.labels, at)?);
        let objective = &self.victim.objective.rows(at)?;
        attack(&Group::new(Victim { objective, ..self.victim }, &images, &labels), at)
    }
}

/// How far a run has come.
pub(super) struct Climb {
    here: Candidate,
    grad: Tensor,
    before: Option<Tensor>,
    peak: Peak,
    pace: Pace,
    /// The best iterate of each example.
    pub found: Candidate,
}

impl Climb {
    pub fn new(attack: &Apgd, group: &Group<'_>, start: &Tensor) -> Result<Self> {
        let (here, grad) = Candidate::climbed(group.victim, &group.clean, start, attack.passes, attack.ball.norm)?;
        let peak = Peak { x: here.x.clone(), grad: grad.clone(), losses: here.losses.clone() };
        let pace = Pace::new(attack.ball.eps, &here.losses)?;
        Ok(Self { found: here.clone(), here, grad, before: None, peak, pace })
    }

    /// One step, the last of a window if that has a length.
    pub fn step(&mut self, attack: &Apgd, group: &Group<'_>, window: Option<usize>) -> Result<()> {
        let x = attack.advance(&self.here.x, &self.grad, self.before.as_ref(), &self.pace.step, group.images)?;
        let (next, grad) = Candidate::climbed(group.victim, &group.clean, &x, attack.passes, attack.ball.norm)?;
        self.pace.count(&self.here.losses, &next.losses)?;
        self.before = Some(std::mem::replace(&mut self.here, next).x);
        self.grad = grad;
        self.found =
            if attack.stops(group) { self.found.or_while_right(&self.here) } else { self.found.or(&self.here) }?;
        self.peak.raise(&self.here, &self.grad)?;
        if let Some(length) = window {
            let halved = self.pace.checkpoint(length, &self.peak.losses)?;
            self.here.x = pick(&halved, &self.peak.x, &self.here.x)?;
            self.grad = pick(&halved, &self.peak.grad, &self.grad)?;
        }
        Ok(())
    }

    /// The examples at positions `at`.
    pub fn rows(&self, at: &Tensor) -> Result<Self> {
        let rows = |x: &Tensor| rows(x, at);
        let Peak { x, grad, losses } = &self.peak;
        Ok(Self {
            here: self.here.rows(at)?,
            grad: rows(&self.grad)?,
            before: self.before.as_ref().map(rows).transpose()?,
            peak: Peak { x: rows(x)?, grad: rows(grad)?, losses: rows(losses)? },
            pace: self.pace.rows(at)?,
            found: self.found.rows(at)?,
        })
    }
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
