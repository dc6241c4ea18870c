//! A radius that grows while training begins.

use crate::{Framework, Setting};
use attacks::{Attack, Ball, Keys, Victim};
use candle::{Result, Tensor};
use std::{fmt, sync::Arc};

/// The attack of a framework at radii that rise in equal steps over the first epochs of training: with two epochs,
/// a third and two thirds of the radius. On MNIST at radius 0.3 PGD-AT needs it: begun at the whole radius, a small
/// network stays at the constant prediction.
struct WarmUp {
    /// One an epoch, then that of the whole radius.
    attacks: Vec<Arc<dyn Attack>>,
}

impl Framework {
    /// The game that `make` makes of `setting`, at smaller radii, with steps in proportion, in its first [`Setting::warm_up`] epochs.
    pub(crate) fn warmed_up(make: impl Fn(Setting) -> Self, setting: Setting) -> Self {
        let game = make(setting);
        if setting.warm_up == 0 {
            return game;
        }
        let steps = setting.warm_up + 1;
        let attack = |step: usize| {
            let share = step as f64 / steps as f64;
            let ball = Ball { eps: setting.ball.eps * share, ..setting.ball };
            make(Setting { ball, step: setting.step.map(|length| length * share), ..setting }).attack
        };
        let attacks = (1..steps).map(attack).chain([game.attack.clone()]).collect();
        Self { attack: Arc::new(WarmUp { attacks }), ..game }
    }
}

impl WarmUp {
    fn whole(&self) -> &dyn Attack {
        self.attacks[self.attacks.len() - 1].as_ref()
    }
}

impl Attack for WarmUp {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        // Epochs of training count from 1; 0 is evaluation, of a network that has seen the whole radius.
        let rising = keys.epoch.checked_sub(1).and_then(|reached| self.attacks.get(reached as usize));
        rising.map_or(self.whole(), Arc::as_ref).perturb(victim, images, labels, keys)
    }
}

impl fmt::Display for WarmUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, its radius rising over the first {} epochs,", self.whole(), self.attacks.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named;
    use candle::Device;
    use models::{Arch, Mode, Net};
    use objectives::{Pass, ce};

    fn setting(steps: usize, step: Option<f64>) -> Setting {
        let ball = Ball { norm: attacks::Norm::Linf, eps: 0.3 };
        Setting { ball, steps, step, epochs: 5, seed: 0, warm_up: 2, beta: None, grey: false }
    }

    /// How far the attack of `game` moves a pixel at most, in each of the epochs 1, 2, 3, 4, and in evaluation.
    fn farthest(game: &Framework) -> [f32; 5] {
        let net = Net::new(Arch::MnistCnn, [1, 28, 28], 10, 0, &Device::Cpu).unwrap();
        let images = Tensor::full(0.5f32, (2, 1, 28, 28), &Device::Cpu).unwrap();
        let labels = Tensor::new(&[3u32, 5], &Device::Cpu).unwrap();
        let moved = |epoch: u64| {
            let victim = Victim { model: &net.frozen(), mode: Mode::Eval, objective: &ce(Pass::Adv) };
            let keys = Keys { seed: 0, epoch, examples: &[0, 1] };
            let adv = game.attack.perturb(victim, &images, &labels, &keys).unwrap();
            let farthest = (adv - &images).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            farthest.to_scalar::<f32>().unwrap()
        };
        [1, 2, 3, 4, 0].map(moved)
    }

    fn close(moved: [f32; 5], wanted: [f32; 5]) -> bool {
        moved.iter().zip(wanted).all(|(moved, wanted)| (moved - wanted).abs() < 1e-5)
    }

    #[test]
    fn the_radius_rises_to_the_whole_one() {
        let game = named("pgd-at", setting(3, None)).unwrap();
        assert!(game.attack.to_string().ends_with("rising over the first 2 epochs,"), "{}", game.attack);
        let moved = farthest(&game);
        assert!(close(moved, [0.1, 0.2, 0.3, 0.3, 0.3]), "{moved:?}");
    }

    #[test]
    fn steps_of_a_set_length_grow_with_it() {
        // From the clean image, so that one step is all there is.
        let moved = farthest(&named("pcl", setting(1, Some(0.06))).unwrap());
        assert!(close(moved, [0.02, 0.04, 0.06, 0.06, 0.06]), "{moved:?}");
    }
}
