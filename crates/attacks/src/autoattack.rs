//! AutoAttack: attacks without parameters to tune, one after the other.

use crate::{Attack, Ball, Keys, Probe, UnknownAttack, Victim, survivors::Survivors};
use candle::{Result, Tensor};
use std::fmt;

/// AutoAttack (Croce and Hein 2020), each attack at those examples only that the ones before have not
/// broken.
///
/// Versions with APGD-T need at least 4 classes, as its ratio of logits does; with fewer, an image that is left for it is an
/// error. Ignores the victim's objective. Examples it does not break come back as they were, so an example
/// counts as robust only if all attacks fail.
pub struct AutoAttack {
    name: &'static str,
    ball: Ball,
    stages: Vec<Probe>,
}

/// The official code's versions, by their only names here. A stage's own name says all its parameters.
const VERSIONS: [(&str, &[&str]); 3] = [
    ("autoattack", &["apgd-ce", "apgd-t", "fab-t", "square"]),
    ("autoattack-plus", &["apgd-ce-100x5", "apgd-dlr-100x5", "fab-100x5", "square", "apgd-t", "fab-t"]),
    ("autoattack-rand", &["apgd-ce-eot20", "apgd-dlr-eot20"]),
];

impl AutoAttack {
    /// The names of the versions.
    pub const NAMES: [&str; 3] = [VERSIONS[0].0, VERSIONS[1].0, VERSIONS[2].0];

    /// The version called `name` for `ball`. There are three names; what the official code calls a version is none here:
    ///
    /// - `autoattack`, the official code's standard version: APGD-CE, APGD-T, FAB-T and Square.
    /// - `autoattack-plus`, its plus version: APGD-CE, APGD-DLR and untargeted FAB with 5 runs each, then Square,
    ///   APGD-T and FAB-T.
    /// - `autoattack-rand`, its version for networks that answer at random: APGD-CE and APGD-DLR, each
    ///   gradient the mean of 20 passes.
    ///
    /// # Errors
    /// When no version has that name.
    pub fn named(name: &str, ball: Ball) -> std::result::Result<Self, UnknownAttack> {
        let version = VERSIONS.iter().find(|(version, _)| *version == name);
        let (name, stages) = version.ok_or_else(|| UnknownAttack::new(name))?;
        let stages = stages.iter().map(|stage| Probe::named(stage, ball)).collect::<std::result::Result<_, _>>()?;
        Ok(Self { name, ball, stages })
    }

    /// The attacks, in order.
    pub fn stages(self) -> Vec<Probe> {
        self.stages
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
        write!(f, "{} ({}: {})", self.name, self.ball, names.join(", "))
    }
}
