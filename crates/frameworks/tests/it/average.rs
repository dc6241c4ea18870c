//! The mean of weights and running statistics that a training keeps.

use crate::{
    golden::numbers,
    trainer::{EPOCHS, STEPS, bits, framework, trainer_of},
};
use candle::Tensor;
use frameworks::Averaging;
use std::{collections::BTreeMap, ops::ControlFlow};

type Weights = BTreeMap<String, Tensor>;

/// A weight, and a running variance, which is averaged like one.
const WATCHED: [&str; 2] = ["linear.weight", "bn4.running_var"];

/// The latest weights and those that are kept, after each epoch.
fn trained(averaging: Option<Averaging>) -> Vec<(Weights, Weights)> {
    let mut trainer = trainer_of(framework("pgd-at"), averaging);
    let mut weights = Vec::new();
    while !trainer.finished() {
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap();
        weights.push((trainer.net().state().unwrap(), trainer.weights().unwrap()));
    }
    weights
}

/// Within `tolerance`, of entries above 1 relative.
fn near(ours: &[f64], theirs: &[f64], tolerance: f64) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= tolerance * b.abs().max(1.))
}

#[test]
fn what_is_kept_is_the_average() {
    let plain = trained(None);
    for (latest, kept) in &plain {
        assert!(bits(latest) == bits(kept));
    }
    // Averaging does not touch training.
    let averaged = trained(Some(Averaging::Swa { from: 0. }));
    assert!(bits(&averaged[1].0) == bits(&plain[1].0));
    // The second half of two epochs is the second.
    let late = trained(Some(Averaging::Swa { from: 0.5 }));
    assert!(bits(&late[0].1) == bits(&plain[0].0) && bits(&late[1].1) == bits(&plain[1].0));
    let forgetful = trained(Some(Averaging::Ema { decay: 1e-6 }));
    for name in WATCHED {
        let [one, two] = [0, 1].map(|epoch: usize| numbers(&plain[epoch].0[name]));
        let middle: Vec<f64> = one.iter().zip(&two).map(|(a, b)| f64::midpoint(*a, *b)).collect();
        assert!(!near(&one, &two, 1e-4), "{name} stands still");
        assert!(near(&numbers(&averaged[1].1[name]), &middle, 1e-6), "{name}");
        // A mean that forgets nearly everything is the latest.
        assert!(near(&numbers(&forgetful[1].1[name]), &two, 1e-5), "{name}");
    }
}

/// It begins at the weights after the first step, and goes a tenth of the way to those after each later one.
#[test]
fn an_exponential_mean_follows_every_step() {
    let mut trainer = trainer_of(framework("pgd-at"), Some(Averaging::Ema { decay: 0.9 }));
    let mut passed = Vec::new();
    while !trainer.finished() {
        let left = trainer
            .epoch(&mut |step| if step.examples > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            .unwrap()
            .is_none();
        if left {
            passed.push(trainer.net().state().unwrap());
        }
    }
    assert_eq!(passed.len(), EPOCHS * STEPS);
    let kept = trainer.weights().unwrap();
    for name in WATCHED {
        let mut steps = passed.iter().map(|weights| numbers(&weights[name]));
        let first = steps.next().expect("a step");
        let mean = steps.fold(first, |mean, now| mean.iter().zip(&now).map(|(m, w)| 0.9 * m + 0.1 * w).collect());
        assert!(near(&numbers(&kept[name]), &mean, 2e-6), "{name}");
    }
}

#[test]
fn averaging_is_named() {
    for name in ["ema-0.995", "swa-0.5", "swa-0"] {
        assert_eq!(name.parse::<Averaging>().unwrap().to_string(), name);
    }
    for name in ["ema", "ema-1", "ema-0", "swa-1", "swa--1", "mean", "ema-nan"] {
        assert!(name.parse::<Averaging>().is_err(), "{name}");
    }
}
