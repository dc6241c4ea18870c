//! AutoAttack: four attacks without parameters to tune, one after the other.

use crate::{Attack, Ball, Keys, Probe, UnknownAttack, Victim, survivors::Survivors};
use candle::{Result, Tensor};
use std::fmt;

/// AutoAttack `standard` (Croce and Hein 2020): APGD-CE, APGD-T, FAB-T and Square with the official
/// code's parameters, each at those examples only that the ones before have not broken.
///
/// Ignores the victim's objective. Examples it does not break come back as they were, so an example
/// counts as robust only if all four fail.
pub struct AutoAttack {
    ball: Ball,
    stages: Vec<Probe>,
}

impl AutoAttack {
    /// The standard version for `ball`: each attack with the parameters its name alone stands for.
    ///
    /// # Errors
    /// Never for these names.
    pub fn standard(ball: Ball) -> std::result::Result<Self, UnknownAttack> {
        let names = ["apgd-ce", "apgd-t", "fab-t", "square"];
        let stages = names.into_iter().map(|name| Probe::named(name, ball)).collect::<std::result::Result<_, _>>()?;
        Ok(Self { ball, stages })
    }
}

impl Attack for AutoAttack {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let images = &images.detach();
        let mut survivors = Survivors::new(victim, images, labels, keys)?;
        for Probe { attack, objective, .. } in &self.stages {
            survivors.try_each(|images, labels, keys, _| {
                attack.perturb(Victim { objective, ..victim }, images, labels, keys)
            })?;
        }
        Ok(survivors.found())
    }
}

impl fmt::Display for AutoAttack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.stages.iter().map(|probe| probe.name.as_str()).collect();
        write!(f, "autoattack ({}: {})", self.ball, names.join(", "))
    }
}
