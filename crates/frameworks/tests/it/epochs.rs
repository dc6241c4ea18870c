//! What an epoch reports, what chooses the best one, and what every step of it is given.

use crate::{
    golden::numbers,
    trainer::{EPOCHS, STEPS, config, framework, images, network, trainer_of, trainer_with},
};
use attacks::{Attack, Ball, Evaluation, Keys, Norm, Probe, Victim};
use candle::{Device, Result, Tensor};
use data::Dataset;
use frameworks::{Averaging, Epoch, Framework, Schedule, Trainer, TrainingConfig};
use models::{Mode, Model};
use objectives::{Pass, ce};
use std::{
    collections::BTreeMap,
    fmt,
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

fn epochs(trainer: &mut Trainer, mut each: impl FnMut(&mut Trainer, &Epoch)) {
    while !trainer.finished() {
        let epoch = trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap().unwrap();
        each(trainer, &epoch);
    }
}

#[test]
fn the_rate_falls_over_all_steps_of_training() {
    let mut rates = Vec::new();
    epochs(&mut trainer_of(framework("standard"), None), |_, epoch| rates.push(epoch.lr));
    let last = |epoch: usize| 0.05 * Schedule::OneCycle.factor(epoch * STEPS - 1, EPOCHS * STEPS);
    assert_eq!(rates, [last(1), last(2)]);
}

/// The share of `data` that the network with `weights` knows, in percent.
fn known(weights: &BTreeMap<String, Tensor>, data: &Dataset) -> f64 {
    let mut net = network(&framework("standard"));
    net.load(weights).unwrap();
    let evaluation = Evaluation { model: &net.frozen(), data, batch: 6, device: &Device::Cpu };
    let right = evaluation.clean(&mut |_| ControlFlow::Continue(())).unwrap().unwrap();
    100. * right.iter().filter(|right| **right).count() as f64 / right.len() as f64
}

#[test]
fn an_epoch_is_measured_on_what_is_held_out() {
    let mut elsewhere = 0;
    epochs(&mut trainer_of(framework("pgd-at"), None), |trainer, epoch| {
        let kept = trainer.weights().unwrap();
        let clean = known(&kept, &images(8));
        assert_eq!(epoch.clean_percent, clean, "epoch {}", epoch.epoch);
        elsewhere += usize::from(known(&kept, &images(20)) != clean);
    });
    assert!(elsewhere > 0, "images of training tell the same");
}

/// Keeps what the network it shall attack says of the images, and changes none.
#[derive(Default)]
struct Listener(Mutex<Vec<[Tensor; 2]>>);

impl Attack for Listener {
    fn perturb(&self, victim: Victim<'_>, images: &Tensor, _: &Tensor, _: &Keys<'_>) -> Result<Tensor> {
        let logits = victim.model.forward(images, victim.mode)?.logits;
        self.0.lock().expect("no panic").push([images.clone(), logits]);
        Ok(images.clone())
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("listener")
    }
}

/// An average, where training makes one, and not the latest weights.
#[test]
fn the_best_epoch_is_chosen_by_the_weights_that_are_kept() {
    let listener = Arc::new(Listener::default());
    let ball = Ball { norm: Norm::Linf, eps: 0.1 };
    let selection = Probe { name: "listener".into(), attack: listener.clone(), objective: ce(Pass::Adv), ball };
    let averaging = Some(Averaging::Ema { decay: 0.9 });
    let config = TrainingConfig { selection: Some(selection), ..config(averaging) };
    epochs(&mut trainer_with(framework("pgd-at"), config), |trainer, epoch| {
        let heard = std::mem::take(&mut *listener.0.lock().unwrap());
        assert!(!heard.is_empty(), "epoch {}: no image is classified correctly", epoch.epoch);
        let mut net = network(&framework("pgd-at"));
        for [images, said] in heard {
            for (weights, are) in [(trainer.weights().unwrap(), true), (trainer.net().state().unwrap(), false)] {
                net.load(&weights).unwrap();
                let logits = net.frozen().forward(&images, Mode::Eval).unwrap().logits;
                assert_eq!(numbers(&logits) == numbers(&said), are, "epoch {}", epoch.epoch);
            }
        }
    });
}

/// The first of those with the highest robust accuracy, whatever the clean one.
#[test]
fn the_best_epoch_is_the_first_of_the_most_robust() {
    let config = TrainingConfig { epochs: 12, schedule: Schedule::Constant, ..config(None) };
    let (mut most, mut ties, mut cleaner) = ([f64::NEG_INFINITY; 2], 0, 0);
    epochs(&mut trainer_with(framework("pgd-at"), config), |_, epoch| {
        let Epoch { clean_percent: clean, robust_percent: robust, best, .. } = *epoch;
        assert_eq!(best, robust > most[1], "epoch {}: {clean} and {robust} %", epoch.epoch);
        ties += usize::from(robust == most[1]);
        cleaner += usize::from((clean > most[0]) != best);
        most = [most[0].max(clean), most[1].max(robust)];
    });
    assert!(ties > 0 && cleaner > 0, "{ties} ties, and {cleaner} epochs that clean accuracy would judge otherwise");
}

/// Keeps the images it is given, by epoch and example, and changes none.
#[derive(Default)]
struct Recorder(Mutex<BTreeMap<(u64, u64), Vec<f32>>>);

impl Attack for Recorder {
    fn perturb(&self, _: Victim<'_>, images: &Tensor, _: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let pixels = images.flatten_from(1)?.to_vec2::<f32>()?;
        let names = keys.examples.iter().map(|example| (keys.epoch, *example));
        self.0.lock().expect("no panic").extend(names.zip(pixels));
        Ok(images.clone())
    }
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("recorder")
    }
}

#[test]
fn images_are_cropped_and_turned_anew_in_every_epoch() {
    let recorder = Arc::new(Recorder::default());
    epochs(&mut trainer_of(Framework { attack: recorder.clone(), ..framework("standard") }, None), |_, _| {});
    let seen = recorder.0.lock().unwrap();
    let changed = (0..20).filter(|example| match (seen.get(&(1, *example)), seen.get(&(2, *example))) {
        (Some(one), Some(two)) => one != two,
        _ => false,
    });
    // An image of which the same part is seen twice in the same direction is one of 162.
    assert!(changed.count() >= 15);
}

/// In a training of the official length.
#[test]
fn friendly_patience_grows_where_the_official_code_lets_it() {
    let pgd = attacks::Pgd::new(Ball { norm: Norm::Linf, eps: 0.1 }, 10);
    let attack = frameworks::friendly_at(pgd, 120).attack.to_string();
    assert!(attack.contains(", patience 0, 1 after epoch 50, 2 after epoch 90,"), "{attack}");
}
