//! Leaving a training between two steps, and taking it up again.

use attacks::{Ball, Keys, Norm, Probe};
use candle::{Device, Result, Tensor};
use data::{Augment, Batch, Dataset, Name};
use frameworks::{
    Averaging, Awp, Epoch, Framework, Optimizer, OptimizerConfig, Resume, Schedule, Setting, Trainer, TrainingConfig,
};
use models::{Arch, Net};
use std::{collections::BTreeMap, ops::ControlFlow};

pub const EPOCHS: usize = 2;
/// 20 examples in batches of 6.
pub const STEPS: usize = 4;

pub fn images(count: usize) -> Dataset {
    let pixels = (0..count * 3072).map(|i| (i * 7 + i / 3072 * 31) as u8).collect();
    Dataset::new(Name::Cifar10, pixels, (0..count).map(|i| (i % 10) as u8).collect()).unwrap()
}

const BALL: Ball = Ball { norm: Norm::Linf, eps: 8. / 255. };
/// As small networks on MNIST are trained.
const ADAM: OptimizerConfig = OptimizerConfig::Adam { momentum: 0.9, weight_decay: 0. };

pub fn framework(name: &str) -> Framework {
    frameworks::named(
        name,
        Setting { ball: BALL, steps: 2, step: None, epochs: EPOCHS, seed: 3, warm_up: 0, beta: None, grey: false },
    )
    .unwrap()
}

fn trainer() -> Trainer {
    trainer_of(framework("trades"), None)
}

pub fn config(averaging: Option<Averaging>) -> TrainingConfig {
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

pub fn network(framework: &Framework) -> Net {
    Net::with_head(Arch::Tiny, framework.head, [3, 32, 32], 10, 3, &Device::Cpu).unwrap()
}

pub fn trainer_with(framework: Framework, config: TrainingConfig) -> Trainer {
    let net = network(&framework);
    Trainer::new(framework, config, net, images(20), images(8), &Device::Cpu).unwrap()
}

pub fn trainer_of(framework: Framework, averaging: Option<Averaging>) -> Trainer {
    trainer_with(framework, config(averaging))
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
fn train(make: impl Fn() -> Trainer, mut progress: impl FnMut(usize, bool) -> bool) -> Result<(Vec<Epoch>, Resume)> {
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

pub fn bits(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<&str, Vec<u32>> {
    let bits = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    tensors.iter().map(|(name, t)| (name.as_str(), bits(t).iter().map(|v| v.to_bits()).collect())).collect()
}

#[test]
fn a_training_left_after_any_step_ends_with_the_same_bits() {
    for (optimizer, lr) in [(OptimizerConfig::default(), 0.05), (ADAM, 1e-3)] {
        let make = || trainer_with(framework("trades"), TrainingConfig { optimizer, lr, ..config(None) });
        let (epochs, whole) = train(make, |_, _| false).unwrap();
        assert_eq!(epochs.len(), EPOCHS);
        for at in 1..=EPOCHS * STEPS {
            let mut left = 0;
            let (again, state) = train(make, |done, step| {
                let now = step && done == at;
                left += usize::from(now);
                now
            })
            .unwrap();
            assert_eq!(left, 1, "{optimizer:?}: step {at} was not done once");
            assert_eq!(again, epochs, "{optimizer:?}: left after step {at}");
            assert!(
                bits(&state.net) == bits(&whole.net) && bits(&state.optimizer) == bits(&whole.optimizer),
                "{optimizer:?}: left after step {at}"
            );
        }
    }
}

/// Adam corrects its young means by the number of steps since training began, not since the epoch did.
#[test]
fn steps_are_numbered_through_all_epochs() {
    let (method, data) = (framework("pgd-at"), images(20));
    let config = TrainingConfig {
        batch: data.len(),
        lr: 1e-3,
        schedule: Schedule::Constant,
        optimizer: ADAM,
        augment: Augment::NONE,
        selection: None,
        ..config(None)
    };
    let mut net = network(&method);
    let optimizer = Optimizer::new(&net, ADAM).unwrap();
    for epoch in 0..EPOCHS {
        let batches = data.epoch(config.seed, epoch as u64, config.batch);
        assert_eq!(batches.len(), 1, "an epoch is a step");
        let Batch { images, labels, examples } = data.batch(&batches[0], &Device::Cpu).unwrap();
        let keys = Keys { seed: config.seed, epoch: epoch as u64 + 1, examples: &examples };
        let (_, grads) = method.gradients(&mut net, &images, &labels, &keys).unwrap();
        optimizer.step(&mut net, &grads, config.lr, epoch + 1).unwrap();
    }
    let mut trainer = trainer_with(method, config);
    while !trainer.finished() {
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap();
    }
    assert!(bits(&trainer.net().state().unwrap()) == bits(&net.state().unwrap()));
}

#[test]
fn a_training_left_while_it_is_measured_trains_no_step_twice() {
    for averaging in [None, Some(Averaging::Swa { from: 0. }), Some(Averaging::Ema { decay: 0.9 })] {
        let make = || trainer_of(framework("trades"), averaging);
        let (epochs, whole) = train(make, |_, _| false).unwrap();
        let (mut steps, mut heard) = (0, [0; EPOCHS]);
        let (again, state) = train(make, |done, step| {
            if step {
                steps += 1;
                return false;
            }
            // In every epoch: a mean that takes the same weights twice is another from the second on.
            let heard = &mut heard[done / STEPS - 1];
            *heard += 1;
            matches!(*heard, 1 | 3 | 6)
        })
        .unwrap();
        assert!(steps == EPOCHS * STEPS && heard.iter().all(|heard| *heard > 3), "{steps} steps, {heard:?}");
        assert!(again == epochs && bits(&state.net) == bits(&whole.net), "{averaging:?}");
        assert!(bits(&state.average) == bits(&whole.average), "{averaging:?}");
    }
}

/// It is how a state is saved on the way.
#[test]
fn the_same_trainer_goes_on_after_a_break() {
    let (epochs, whole) = train(trainer, |_, _| false).unwrap();
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
        let (epochs, whole) = train(make, |_, _| false).unwrap();
        assert!(epochs.iter().all(|epoch| epoch.loss.is_finite()), "{method}");
        let start = make().state().unwrap();
        assert!(bits(&start.net) != bits(&whole.net), "{method} learns nothing");
        let mut broken = false;
        let (again, state) =
            train(make, |done, step| step && done == 3 && !std::mem::replace(&mut broken, true)).unwrap();
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
fn a_step_is_as_long_as_it_is_set_where_a_method_has_no_length_of_its_own() {
    let setting =
        |step| Setting { ball: BALL, steps: 2, step, epochs: EPOCHS, seed: 3, warm_up: 0, beta: None, grey: false };
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
    let setting =
        |beta| Setting { ball: BALL, steps: 2, step: None, epochs: EPOCHS, seed: 3, warm_up: 0, beta, grey: false };
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
