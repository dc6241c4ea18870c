//! Leaving a training between two steps, and taking it up again.

use attacks::{Ball, Norm, Probe};
use candle::{Device, Result, Tensor};
use data::{Augment, Dataset, Name};
use frameworks::{
    Averaging, Awp, Epoch, Framework, OptimizerConfig, Resume, Schedule, Setting, Trainer, TrainingConfig,
};
use models::{Arch, Net};
use std::{collections::BTreeMap, ops::ControlFlow};

const EPOCHS: usize = 2;
/// 20 examples in batches of 6.
const STEPS: usize = 4;

fn images(count: usize) -> Dataset {
    let pixels = (0..count * 3072).map(|i| (i * 7 + i / 3072 * 31) as u8).collect();
    Dataset::new(Name::Cifar10, pixels, (0..count).map(|i| (i % 10) as u8).collect()).unwrap()
}

const BALL: Ball = Ball { norm: Norm::Linf, eps: 8. / 255. };

fn framework(name: &str) -> Framework {
    frameworks::named(
        name,
        Setting { ball: BALL, steps: 2, step: None, epochs: EPOCHS, seed: 3, warm_up: 0, beta: None },
    )
    .unwrap()
}

fn trainer() -> Trainer {
    trainer_of(framework("trades"), None)
}

fn config(averaging: Option<Averaging>) -> TrainingConfig {
    TrainingConfig {
        epochs: EPOCHS,
        batch: 6,
        lr: 0.05,
        schedule: Schedule::OneCycle,
        optimizer: OptimizerConfig::default(),
        averaging,
        augment: Augment { crop_padding: 4, flip: true },
        seed: 3,
        selection: Some(Probe::named("pgd-2", BALL).unwrap()),
    }
}

fn trainer_of(framework: Framework, averaging: Option<Averaging>) -> Trainer {
    let net = Net::with_head(Arch::Tiny, framework.head, [3, 32, 32], 10, 3, &Device::Cpu).unwrap();
    Trainer::new(framework, config(averaging), net, images(20), images(8), &Device::Cpu).unwrap()
}

#[test]
fn a_network_with_another_last_layer_is_refused() {
    let net = Net::new(Arch::Tiny, [3, 32, 32], 10, 3, &Device::Cpu).unwrap();
    let trainer = Trainer::new(framework("he"), config(None), net, images(20), images(8), &Device::Cpu);
    let error = trainer.err().expect("HE's head is no linear one").to_string();
    assert!(error.contains("HE trains a network whose last layer is cosine-"), "{error}");
}

/// Trains to the end, telling `progress` how many steps are done, and whether it is a step at all; whenever
/// it breaks, what is left is a state, and another trainer goes on from there.
fn train(progress: impl FnMut(usize, bool) -> bool) -> Result<(Vec<Epoch>, Resume)> {
    train_with(trainer, progress)
}

fn train_with(
    make: impl Fn() -> Trainer,
    mut progress: impl FnMut(usize, bool) -> bool,
) -> Result<(Vec<Epoch>, Resume)> {
    let (mut trainer, mut epochs) = (make(), Vec::new());
    while !trainer.finished() {
        let mut heard = |step: frameworks::Step| match progress(step.done, step.examples > 0) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        match trainer.epoch(&mut heard)? {
            Some(epoch) => epochs.push(epoch),
            None => {
                let state = trainer.state()?;
                trainer = make();
                trainer.resume(&state)?;
            }
        }
    }
    Ok((epochs, trainer.state()?))
}

fn bits(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<&str, Vec<u32>> {
    let bits = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    tensors.iter().map(|(name, t)| (name.as_str(), bits(t).iter().map(|v| v.to_bits()).collect())).collect()
}

#[test]
fn a_training_left_after_any_step_ends_with_the_same_bits() {
    let (epochs, whole) = train(|_, _| false).unwrap();
    assert_eq!(epochs.len(), EPOCHS);
    for at in 1..=EPOCHS * STEPS {
        let mut left = 0;
        let (again, state) = train(|done, step| {
            let now = step && done == at;
            left += usize::from(now);
            now
        })
        .unwrap();
        assert_eq!(left, 1, "step {at} was not done once");
        assert_eq!(again, epochs, "left after step {at}");
        assert!(
            bits(&state.net) == bits(&whole.net) && bits(&state.optimizer) == bits(&whole.optimizer),
            "left after step {at}"
        );
    }
}

#[test]
fn a_training_left_while_it_is_measured_trains_no_step_twice() {
    let (epochs, whole) = train(|_, _| false).unwrap();
    let (mut steps, mut breaks) = (0, 0);
    let (again, state) = train(|_, step| {
        steps += usize::from(step);
        breaks += usize::from(!step);
        !step && [1, 3, 8].contains(&breaks)
    })
    .unwrap();
    assert!(breaks > 2 * EPOCHS && steps == EPOCHS * STEPS, "{breaks} breaks, {steps} steps");
    assert!(again == epochs && bits(&state.net) == bits(&whole.net));
}

/// It is how a state is saved on the way.
#[test]
fn the_same_trainer_goes_on_after_a_break() {
    let (epochs, whole) = train(|_, _| false).unwrap();
    let (mut trainer, mut again) = (trainer(), Vec::new());
    while !trainer.finished() {
        again.extend(
            trainer
                .epoch(&mut |step| if step.examples > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                .unwrap(),
        );
        let Resume { epochs, step, .. } = trainer.state().unwrap();
        assert!(step <= STEPS && epochs <= EPOCHS);
    }
    assert!(again == epochs && bits(&trainer.state().unwrap().net) == bits(&whole.net));
}

#[test]
fn a_state_of_another_length_is_refused() {
    let state = trainer().state().unwrap();
    for (epochs, step) in [(EPOCHS + 1, 0), (EPOCHS, 1), (0, STEPS + 1)] {
        let error = trainer().resume(&Resume { epochs, step, ..state.clone() }).unwrap_err().to_string();
        assert!(error.contains("more than 2 epochs of 4 steps"), "{error}");
    }
    trainer().resume(&Resume { epochs: EPOCHS, ..state.clone() }).unwrap();
    trainer().resume(&Resume { step: STEPS, ..state }).unwrap();
}

/// What every method learns beside the network (class centres, means, averages) is part of the state.
#[test]
fn every_method_trains_and_resumes_with_the_same_bits() {
    let awp = Awp { gamma: 0.005 };
    let (ema, swa) = (Averaging::Ema { decay: 0.9 }, Averaging::Swa { from: 0. });
    let mut methods: Vec<(Framework, Option<Averaging>)> =
        frameworks::ALL.iter().map(|(name, _)| (framework(name), None)).collect();
    methods.push((framework("trades").with_awp(awp).smoothed(0.1), Some(ema)));
    methods.push((framework("pcl").with_awp(awp), Some(swa)));
    for (method, averaging) in methods {
        let make = || trainer_of(method_again(&method), averaging);
        let (epochs, whole) = train_with(make, |_, _| false).unwrap();
        assert!(epochs.iter().all(|epoch| epoch.loss.is_finite()), "{method}");
        let start = make().state().unwrap();
        assert!(bits(&start.net) != bits(&whole.net), "{method} learns nothing");
        let mut broken = false;
        let (again, state) =
            train_with(make, |done, step| step && done == 3 && !std::mem::replace(&mut broken, true)).unwrap();
        assert!(broken && again == epochs, "{method}");
        for (a, b) in [
            (&state.net, &whole.net),
            (&state.optimizer, &whole.optimizer),
            (&state.memory, &whole.memory),
            (&state.average, &whole.average),
        ] {
            assert!(bits(a) == bits(b), "{method}");
        }
    }
}

/// A framework whose terms have learnt nothing: clones share what they learn.
fn method_again(method: &Framework) -> Framework {
    let named = frameworks::ALL.iter().map(|(name, _)| framework(name));
    // One's name may begin as another's.
    let plain =
        named.filter(|plain| method.name.starts_with(&plain.name)).max_by_key(|plain| plain.name.len()).unwrap();
    Framework { name: method.name.clone(), awp: method.awp, label_smoothing: method.label_smoothing, ..plain }
}

#[test]
fn what_is_kept_is_the_average() {
    let last = |averaging| {
        let mut trainer = trainer_of(framework("pgd-at"), averaging);
        let mut weights = Vec::new();
        while !trainer.finished() {
            trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap();
            weights.push((trainer.net().state().unwrap(), trainer.weights().unwrap()));
        }
        weights
    };
    let plain = last(None);
    for (latest, kept) in &plain {
        assert!(bits(latest) == bits(kept));
    }
    let values =
        |weights: &BTreeMap<String, Tensor>| weights["linear.weight"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    // Averaging does not touch training.
    let averaged = last(Some(Averaging::Swa { from: 0. }));
    assert!(bits(&averaged[1].0) == bits(&plain[1].0));
    let [one, two] = [0, 1].map(|epoch| values(&plain[epoch].0));
    for ((mean, a), b) in values(&averaged[1].1).iter().zip(&one).zip(&two) {
        assert!((mean - f32::midpoint(*a, *b)).abs() < 1e-6);
    }
    // The second half of two epochs is the second.
    let late = last(Some(Averaging::Swa { from: 0.5 }));
    assert!(bits(&late[0].1) == bits(&plain[0].0) && bits(&late[1].1) == bits(&plain[1].0));
    // A mean that forgets nearly everything is the latest.
    let ema = last(Some(Averaging::Ema { decay: 1e-6 }));
    assert!(values(&ema[1].1).iter().zip(&two).all(|(mean, latest)| (mean - latest).abs() < 1e-5));
    let ema = last(Some(Averaging::Ema { decay: 0.9 }));
    assert!(bits(&ema[1].1) != bits(&plain[1].0));
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

#[test]
fn a_step_is_as_long_as_it_is_set_where_a_method_has_no_length_of_its_own() {
    let setting = |step| Setting { ball: BALL, steps: 2, step, epochs: EPOCHS, seed: 3, warm_up: 0, beta: None };
    for (name, _) in frameworks::ALL {
        let attack = |step| frameworks::named(name, setting(step)).unwrap().attack.to_string();
        match frameworks::own_steps(name) {
            Some(0) => assert!(!attack(Some(0.0123)).contains("pgd"), "{name}: {}", attack(None)),
            Some(steps) => {
                assert!(attack(None).contains(&format!("pgd-{steps} ")), "{name}: {}", attack(None));
                assert_eq!(attack(Some(0.0123)), attack(None), "{name}");
            }
            None => {
                assert!(attack(None).contains("pgd-2 "), "{name}: {}", attack(None));
                assert!(attack(Some(0.0123)).contains("step 0.01230"), "{name}: {}", attack(Some(0.0123)));
                assert_eq!(attack(Some(BALL.eps / 4.)), attack(None), "{name}");
            }
        }
    }
}

#[test]
fn beta_is_the_weight_of_the_robust_term() {
    let setting = |beta| Setting { ball: BALL, steps: 2, step: None, epochs: EPOCHS, seed: 3, warm_up: 0, beta };
    for (name, _) in frameworks::ALL {
        let loss = |beta| frameworks::named(name, setting(beta)).unwrap().outer.to_string();
        match frameworks::beta(name) {
            Some(usual) => {
                assert_eq!(loss(Some(usual)), loss(None), "{name}");
                assert_ne!(loss(Some(usual + 1.)), loss(None), "{name}");
            }
            None => assert_eq!(loss(Some(2.)), loss(None), "{name} has no such weight"),
        }
    }
}
