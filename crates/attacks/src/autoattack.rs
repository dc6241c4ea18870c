//! AutoAttack: four attacks without parameters to tune, one after the other.

use crate::{Apgd, ApgdT, Attack, Ball, Fab, Keys, Square, Victim, survivors::Survivors};
use candle::{Result, Tensor};
use objectives::{Objective, Pass, ce};
use std::{fmt, sync::Arc};

/// AutoAttack `standard` (Croce and Hein 2020): APGD-CE, APGD-T, FAB-T and Square with the official
/// code's parameters, each at those examples only that the ones before have not broken.
///
/// Ignores the victim's objective. Examples it does not break come back as they were, so an example
/// counts as robust only if all four fail.
pub struct AutoAttack {
    ball: Ball,
    stages: Vec<(&'static str, Arc<dyn Attack>, Objective)>,
}

/// Steps of APGD and FAB.
const STEPS: usize = 100;

impl AutoAttack {
    /// The standard version for `ball`.
    pub fn standard(ball: Ball) -> Self {
        let stages: Vec<(_, Arc<dyn Attack>, _)> = vec![
            ("apgd-ce", Arc::new(Apgd::new(ball, STEPS)), ce(Pass::Adv)),
            ("apgd-t", Arc::new(ApgdT::new(ball, STEPS)), ce(Pass::Adv)),
            ("fab-t", Arc::new(Fab::new(ball)), ce(Pass::Adv)),
            ("square", Arc::new(Square::new(ball)), ce(Pass::Adv)),
        ];
        Self { ball, stages }
    }
}

impl Attack for AutoAttack {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = &images.detach();
        let mut survivors = Survivors::new(victim, images, labels, keys)?;
        for (_, attack, objective) in &self.stages {
            survivors.try_each(|images, labels, keys, _| {
                attack.perturb(Victim { objective, ..victim }, images, labels, keys)
            })?;
        }
        Ok(survivors.found())
    }
}

impl fmt::Display for AutoAttack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.stages.iter().map(|(name, ..)| *name).collect();
        write!(f, "autoattack ({}: {})", self.ball, names.join(", "))
    }
}
