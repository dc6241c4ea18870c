//! Adversarial images made for another network.

use crate::{Attack, Keys, Probe, Victim};
use candle::{Result, Tensor};
use models::{Mode, Net};
use std::{fmt, sync::Arc};

/// Attacks `source` and hands on what that gives, whatever the victim: its model, mode and objective
/// play no role (Papernot et al. 2016, "Transferability in machine learning").
///
/// A network that such images break, but not its own attack, hides its gradients.
///
/// Give it an attack that goes on when the source is broken, such as `mim-20` or `pgd-20`. What stops there (Auto-PGD by
/// name, FAB, Square, AutoAttack) hands on images just beyond the source's boundary, or clean ones where it breaks nothing.
pub struct Transfer {
    /// The network that is attacked, in evaluation mode.
    pub source: Arc<Net>,
    /// How it is attacked.
    pub probe: Probe,
}

impl Attack for Transfer {
    fn perturb(&self, _: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let Probe { attack, objective, .. } = &self.probe;
        attack.perturb(Victim { model: &self.source.frozen(), mode: Mode::Eval, objective }, images, labels, keys)
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transfer of {}", self.probe.attack)
    }
}
