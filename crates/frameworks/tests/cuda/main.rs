//! Networks, attacks and one training step of each framework on a card, against the CPU.
//!
//! Only with the feature `cuda`, and only where there is a card: elsewhere these tests fail and say so. The operators
//! one by one are compared in `kernels`.

use attacks::{Ball, Keys, Probe, Victim};
use candle::{Device, Result, Tensor, Var};
use frameworks::{Optimizer, OptimizerConfig, Setting};
use kernels::{Key, fill_uniform};
use models::{Arch, Mode, Model, Net};
use objectives::{Clean, Objective, Pass, Stage, ce};
use std::sync::OnceLock;

fn card() -> &'static Device {
    static CARD: OnceLock<Device> = OnceLock::new();
    CARD.get_or_init(|| {
        Device::new_cuda(0).unwrap_or_else(|e| panic!("no card answers, so nothing about cards can be tested: {e}"))
    })
}

fn images(n: usize, [c, h, w]: [usize; 3], device: &Device) -> Result<Tensor> {
    let mut values = vec![0.; n * c * h * w];
    fill_uniform(Key { seed: 3, epoch: 0, example: 0, restart: 0 }, 0., 1., &mut values);
    Tensor::from_vec(values, (n, c, h, w), device)
}

fn labels(n: usize, device: &Device) -> Result<Tensor> {
    Tensor::from_vec((0..n as u32).map(|i| i % 10).collect(), n, device)
}

/// Panics unless `a` is `b` but for `share` of the length of `b`.
fn assert_close(what: &str, a: &Tensor, b: &Tensor, share: f64) -> Result<()> {
    let (a, b) = (a.to_device(&Device::Cpu)?, b.to_device(&Device::Cpu)?);
    let length = |t: &Tensor| Ok::<_, candle::Error>(f64::from(t.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt());
    let (off, all) = (length(&(a - &b)?)?, length(&b)?);
    assert!(off <= share * all + 1e-7, "{what}: {off:e} off of {all:e}");
    Ok(())
}

#[test]
fn networks_and_their_gradients() -> Result<()> {
    let cases = [
        ("tiny", [3, 32, 32]),
        ("resnet20", [3, 32, 32]),
        ("resnet18", [3, 32, 32]),
        ("preact-resnet18", [3, 32, 32]),
        ("wrn-16-4", [3, 32, 32]),
        ("mnist-cnn", [1, 28, 28]),
        ("lenet5", [1, 28, 28]),
    ];
    for (name, shape) in cases {
        let arch: Arch = name.parse().expect("an architecture");
        for mode in [Mode::Eval, Mode::BatchStats, Mode::Train] {
            let run = |device: &Device| {
                let net = Net::new(arch, shape, 10, 7, device)?;
                let x = Var::from_tensor(&images(4, shape, device)?)?;
                let logits = net.live().forward(&x, mode)?.logits;
                let grads = cross_entropy(&logits, &labels(4, device)?)?.backward()?;
                let of = |v: &Var| grads.get(v).expect("a gradient").copy();
                let weights = net.parameters().trainable().map(|(name, v)| Ok((name.to_owned(), of(v)?)));
                let weights = weights.collect::<Result<Vec<_>>>()?;
                Ok::<_, candle::Error>((logits.detach(), of(&x)?, weights, net.state()?))
            };
            let ((logits, pixels, weights, state), want) = (run(card())?, run(&Device::Cpu)?);
            let what = format!("{arch} {mode:?}");
            assert_close(&format!("{what} logits"), &logits, &want.0, 1e-4)?;
            // A rectifier whose input is near zero may be open on one side only.
            assert_close(&format!("{what} pixels"), &pixels, &want.1, 1e-2)?;
            for ((name, got), (_, want)) in weights.iter().zip(&want.2) {
                assert_close(&format!("{what} {name}"), got, want, 1e-2)?;
            }
            for (name, got) in &state {
                assert_close(&format!("{what} {name}, afterwards"), got, &want.3[name], 1e-4)?;
            }
        }
    }
    Ok(())
}

/// The mean cross-entropy by plain operations.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let all = logits.exp()?.sum(1)?.log()?;
    (all - logits.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?)?.mean_all()
}

#[test]
fn attacks_reach_as_far_and_stay_inside() -> Result<()> {
    let (n, shape) = (8, [3, 32, 32]);
    let examples: Vec<u64> = (0..n as u64).collect();
    let keys = Keys { seed: 11, epoch: 0, examples: &examples };
    for name in
        ["fgsm", "pgd-10", "pgd-5x2", "mim-5", "cw-10", "apgd-ce-20", "apgd-t-10", "fab-t-10", "square-100", "noise-10"]
    {
        let ball = Ball::grey_levels(8.);
        let probe = Probe::named(name, ball).expect("an attack");
        let reached = |device: &Device| {
            let net = Net::new(Arch::Tiny, shape, 10, 7, device)?;
            let (x, view) = (images(n, shape, device)?, net.frozen());
            let y = view.forward(&x, Mode::Eval)?.logits.argmax(1)?;
            let victim = Victim { model: &view, mode: Mode::Eval, objective: &probe.objective };
            let adv = probe.attack.perturb(victim, &x, &y, &keys)?;
            ball.check(&adv, &x).unwrap_or_else(|e| panic!("{name}: {e}"));
            loss(&view, &ce(Pass::Adv), &x, &y, &adv)
        };
        let (got, want) = (reached(card())?, reached(&Device::Cpu)?);
        assert!((got - want).abs() <= 0.02 * want.abs(), "{name}: loss {got}, {want} on the CPU");
    }
    Ok(())
}

fn loss(model: &dyn Model, objective: &Objective, x: &Tensor, y: &Tensor, adv: &Tensor) -> Result<f32> {
    let clean = Clean::new(model, Mode::Eval, x, y, Stage::Generation);
    objective.losses(&clean.against(adv)?)?.mean_all()?.to_scalar()
}

#[test]
fn one_step_of_each_framework() -> Result<()> {
    let (n, shape) = (8, [3, 32, 32]);
    let examples: Vec<u64> = (0..n as u64).collect();
    for (name, make) in frameworks::ALL {
        let step = |device: &Device| {
            let game = make(Setting {
                ball: Ball::grey_levels(8.),
                steps: 1,
                step: None,
                epochs: 2,
                seed: 3,
                warm_up: 0,
                beta: None,
            });
            let mut net = Net::with_head(Arch::Tiny, game.head, shape, 10, 3, device)?;
            let optimizer = Optimizer::new(&net, OptimizerConfig::default())?;
            let keys = Keys { seed: 3, epoch: 1, examples: &examples };
            let (loss, grads) = game.gradients(&mut net, &images(n, shape, device)?, &labels(n, device)?, &keys)?;
            optimizer.step(&mut net, &grads, 0.05, 1)?;
            Ok::<_, candle::Error>((loss.to_scalar::<f32>()?, net.state()?))
        };
        let (got, want) = (step(card())?, step(&Device::Cpu)?);
        assert!((got.0 - want.0).abs() <= 1e-3 * want.0.abs(), "{name}: loss {}, {} on the CPU", got.0, want.0);
        for (parameter, got) in &got.1 {
            assert_close(&format!("{name} {parameter}"), got, &want.1[parameter], 1e-3)?;
        }
        let again = step(card())?;
        assert_eq!(got.0.to_bits(), again.0.to_bits(), "{name}: another loss the second time");
        for (parameter, first) in &got.1 {
            let bits = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
            assert_eq!(bits(first)?, bits(&again.1[parameter])?, "{name} {parameter}: other bits the second time");
        }
    }
    Ok(())
}
