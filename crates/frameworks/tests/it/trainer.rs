//! Leaving a training between two steps, and taking it up again.

use attacks::{Ball, Norm, Probe};
use candle::{Device, Result, Tensor};
use data::{Augment, Dataset, Name};
use frameworks::{Epoch, Resume, Schedule, SgdConfig, Trainer, TrainingConfig};
use models::{Arch, Net};
use std::{collections::BTreeMap, ops::ControlFlow};

const EPOCHS: usize = 2;
/// 20 examples in batches of 6.
const STEPS: usize = 4;

fn images(count: usize) -> Dataset {
    let pixels = (0..count * 3072).map(|i| (i * 7 + i / 3072 * 31) as u8).collect();
    Dataset::new(Name::Cifar10, pixels, (0..count).map(|i| (i % 10) as u8).collect()).unwrap()
}

fn trainer() -> Trainer {
    let ball = Ball { norm: Norm::Linf, eps: 8. / 255. };
    let config = TrainingConfig {
        epochs: EPOCHS,
        batch: 6,
        lr: 0.05,
        schedule: Schedule::OneCycle,
        sgd: SgdConfig::default(),
        augment: Augment { crop_padding: 4, flip: true },
        seed: 3,
        selection: Some(Probe::named("pgd-2", ball).unwrap()),
    };
    let net = Net::new(Arch::Tiny, [3, 32, 32], 10, 3, &Device::Cpu).unwrap();
    let framework = frameworks::named("trades", ball, 2).unwrap();
    Trainer::new(framework, config, net, images(20), images(8), &Device::Cpu).unwrap()
}

/// Trains to the end, telling `progress` how many steps are done, and whether it is a step at all; whenever
/// it breaks, what is left is a state, and another trainer goes on from there.
fn train(mut progress: impl FnMut(usize, bool) -> bool) -> Result<(Vec<Epoch>, Resume)> {
    let (mut trainer, mut epochs) = (trainer(), Vec::new());
    while !trainer.finished() {
        let mut heard = |step: frameworks::Step| match progress(step.done, step.examples > 0) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        match trainer.epoch(&mut heard)? {
            Some(epoch) => epochs.push(epoch),
            None => {
                let state = trainer.state()?;
                trainer = self::trainer();
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
        assert!(bits(&state.net) == bits(&whole.net) && bits(&state.sgd) == bits(&whole.sgd), "left after step {at}");
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
