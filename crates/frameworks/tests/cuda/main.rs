//! Networks, attacks and one training step of each framework on a GPU, against the CPU.
//!
//! Only with the feature `cuda`, and only where there is a GPU: elsewhere these tests fail and say so. The operators
//! one by one are compared in `kernels`. One thread at a time may have a GPU's tensors: `--test-threads=1`.

use attacks::{Ball, Keys, Norm, Probe, Victim};
use candle::{DType, Device, Result, Tensor, Var};
use frameworks::{Awp, Framework, Optimizer, OptimizerConfig, Setting};
use kernels::{Key, fill_uniform};
use models::{Arch, Mode, Model, Net, Output};
use objectives::{Clean, Objective, Pass, Stage, ce};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
};

fn gpu() -> &'static Device {
    static GPU: OnceLock<Device> = OnceLock::new();
    GPU.get_or_init(|| {
        kernels::gpu(0).unwrap_or_else(|e| panic!("no GPU answers, so nothing about GPUs can be tested: {e}"))
    })
}

/// Checks all cases, also those behind one that fails, as minutes of a GPU are dear; then fails with all of these.
fn each<T>(cases: impl IntoIterator<Item = (String, T)>, check: impl Fn(&str, T) -> Result<()>) {
    let failing = cases.into_iter().filter_map(|(what, case)| {
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&what, case)));
        match outcome {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(format!("{what}: {e}")),
            Err(_) => Some(format!("{what}: see above")),
        }
    });
    let failing: Vec<String> = failing.collect();
    assert!(failing.is_empty(), "{}", failing.join("\n"));
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
fn networks_and_their_gradients() {
    let networks = [
        ("tiny", [3, 32, 32]),
        ("resnet20", [3, 32, 32]),
        ("resnet18", [3, 32, 32]),
        ("preact-resnet18", [3, 32, 32]),
        ("wrn-16-4", [3, 32, 32]),
        ("mnist-cnn", [1, 28, 28]),
        ("lenet5", [1, 28, 28]),
    ];
    let modes = [Mode::Eval, Mode::BatchStats, Mode::Train];
    let cases =
        networks.iter().flat_map(|network| modes.map(|mode| (format!("{} {mode:?}", network.0), (network, mode))));
    each(cases, |what, (&(name, shape), mode)| {
        let arch: Arch = name.parse().expect("an architecture");
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
        let ((logits, pixels, weights, state), want) = (run(gpu())?, run(&Device::Cpu)?);
        assert_close(&format!("{what} logits"), &logits, &want.0, 1e-4)?;
        // A rectifier whose input is near zero may be open on one side only.
        assert_close(&format!("{what} pixels"), &pixels, &want.1, 1e-2)?;
        for ((name, got), (_, want)) in weights.iter().zip(&want.2) {
            assert_close(&format!("{what} {name}"), got, want, 1e-2)?;
        }
        for (name, got) in &state {
            assert_close(&format!("{what} {name}, afterwards"), got, &want.3[name], 1e-4)?;
        }
        Ok(())
    });
}

/// The mean cross-entropy by plain operations.
fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let all = logits.exp()?.sum(1)?.log()?;
    (all - logits.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?)?.mean_all()
}

#[test]
fn attacks_reach_as_far_and_stay_inside() {
    let (n, shape) = (8, [3, 32, 32]);
    let examples: Vec<u64> = (0..n as u64).collect();
    let keys = Keys { seed: 11, epoch: 0, examples: &examples };
    // Of Auto-PGD with two passes: with one it stops at the first success on a processor, and goes on on a GPU.
    let names = [
        "fgsm",
        "pgd-10",
        "pgd-5x2",
        "mim-5",
        "cw-10",
        "apgd-ce-20-eot2",
        "apgd-t-10-eot2",
        "fab-t-10",
        "square-100",
        "noise-10",
    ];
    let balls = [Ball::grey_levels(8.), Ball::new(Norm::L2, 0.5).expect("a ball")];
    let cases = names.iter().flat_map(|name| balls.map(|ball| (format!("{name} in {ball}"), (*name, ball))));
    each(cases, |what, (name, ball)| {
        let probe = Probe::named(name, ball).expect("an attack");
        let reached = |device: &Device| {
            let net = Net::new(Arch::Tiny, shape, 10, 7, device)?;
            let (x, view) = (images(n, shape, device)?, net.frozen());
            let y = view.forward(&x, Mode::Eval)?.logits.argmax(1)?;
            let victim = Victim { model: &view, mode: Mode::Eval, objective: &probe.objective };
            let adv = probe.attack.perturb(victim, &x, &y, &keys)?;
            ball.check(&adv, &x)?;
            loss(&view, &ce(Pass::Adv), &x, &y, &adv)
        };
        let (got, want) = (reached(gpu())?, reached(&Device::Cpu)?);
        assert!((got - want).abs() <= 0.02 * want.abs(), "{what}: loss {got}, {want} on the CPU");
        Ok(())
    });
}

/// A network whose gradients are not numbers, though its logits are.
struct Steep;

impl Model for Steep {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let features = images.flatten_from(1)?;
        let zero = (&features * features.zeros_like()?)?.sqrt()?.sum_keepdim(1)?;
        let logits = zero.broadcast_add(&Tensor::new(&[1f32, 0., 0., 0.], images.device())?)?;
        Ok(Output { features, logits })
    }
}

#[test]
fn gradients_that_are_no_numbers_are_no_defence() {
    let examples = [0, 1];
    let keys = Keys { seed: 11, epoch: 0, examples: &examples };
    let balls = [Ball::grey_levels(8.), Ball::new(Norm::L2, 0.5).expect("a ball")];
    let names = ["fgsm", "pgd-5", "mim-5", "apgd-ce-5", "fab-t-5"];
    let cases = names.iter().flat_map(|name| balls.map(|ball| (format!("{name} in {ball}"), (*name, ball))));
    each(cases, |what, (name, ball)| {
        let probe = Probe::named(name, ball).expect("an attack");
        let (x, y) = (images(2, [3, 8, 8], gpu())?, Tensor::zeros(2, DType::U32, gpu())?);
        let victim = Victim { model: &Steep, mode: Mode::Eval, objective: &probe.objective };
        let found = probe.attack.perturb(victim, &x, &y, &keys).and_then(|adv| ball.check(&adv, &x));
        assert!(found.is_err(), "{what}: nothing was said");
        Ok(())
    });
}

fn loss(model: &dyn Model, objective: &Objective, x: &Tensor, y: &Tensor, adv: &Tensor) -> Result<f32> {
    let clean = Clean::new(model, Mode::Eval, x, y, Stage::Generation);
    objective.losses(&clean.against(adv)?)?.mean_all()?.to_scalar()
}

/// All frameworks, and what can be added to one.
fn games() -> Vec<(String, Framework)> {
    let setting = Setting {
        ball: Ball::grey_levels(8.),
        steps: 1,
        step: None,
        epochs: 2,
        seed: 3,
        warm_up: 0,
        beta: None,
        grey: false,
    };
    let made = |name: &str| {
        let (_, make) = frameworks::ALL.iter().find(|(known, _)| *known == name).expect("a framework");
        make(setting)
    };
    let all = frameworks::ALL.iter().map(|(name, _)| made(name));
    let others = [made("trades").with_awp(Awp { gamma: 0.005 }), made("pgd-at").smoothed(0.1)];
    all.chain(others).map(|game| (game.name.clone(), game)).collect()
}

#[test]
fn one_step_of_each_framework() {
    let (n, shape) = (8, [3, 32, 32]);
    let examples: Vec<u64> = (0..n as u64).collect();
    each((0..games().len()).map(|at| (games()[at].0.clone(), at)), |what, at| {
        let step = |device: &Device| {
            // Made anew: some learn.
            let (_, game) = games().swap_remove(at);
            let mut net = Net::with_head(Arch::Tiny, game.head, shape, 10, 3, device)?;
            let optimizer = Optimizer::new(&net, OptimizerConfig::default())?;
            let keys = Keys { seed: 3, epoch: 1, examples: &examples };
            let (loss, grads) = game.gradients(&mut net, &images(n, shape, device)?, &labels(n, device)?, &keys)?;
            optimizer.step(&mut net, &grads, 0.05, 1)?;
            Ok::<_, candle::Error>((loss.to_scalar::<f32>()?, net.state()?))
        };
        let (got, want) = (step(gpu())?, step(&Device::Cpu)?);
        assert!((got.0 - want.0).abs() <= 1e-3 * want.0.abs(), "{what}: loss {}, {} on the CPU", got.0, want.0);
        for (parameter, got) in &got.1 {
            // A pixel whose gradient is hardly more than nothing may step the other way.
            assert_close(&format!("{what} {parameter}"), got, &want.1[parameter], 1e-2)?;
        }
        let again = step(gpu())?;
        assert_eq!(got.0.to_bits(), again.0.to_bits(), "{what}: another loss the second time");
        for (parameter, first) in &got.1 {
            let bits = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
            assert_eq!(bits(first)?, bits(&again.1[parameter])?, "{what} {parameter}: other bits the second time");
        }
        Ok(())
    });
}
