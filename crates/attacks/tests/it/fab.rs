//! FAB: the nearest adversarial images, and the official code's verdicts.

use crate::golden::{Golden, correct};
use crate::setting::{Flat, bits, eval, examples, images, keys, net, predictions};
use attacks::{Attack, Ball, Fab, Keys, Norm};
use candle::{DType, Device, Result, Tensor};
use models::{Mode, Model, Output};
use objectives::{Pass, ce};

/// Few steps, enough on small networks.
fn short(ball: Ball) -> Fab {
    Fab { steps: 15, targets: Some(3), ..Fab::new(ball) }
}

fn balls() -> [Ball; 5] {
    [(Norm::Linf, 8. / 255.), (Norm::Linf, 0.3), (Norm::Linf, 0.), (Norm::L2, 0.5), (Norm::L2, 3.)]
        .map(|(norm, eps)| Ball::new(norm, eps).expect("a ball"))
}

/// Whether each image of `adv` is another than in `x`.
fn moved(adv: &Tensor, x: &Tensor) -> Result<Vec<bool>> {
    (0..x.dim(0)?).map(|i| Ok(bits(&adv.get(i)?)? != bits(&x.get(i)?)?)).collect()
}

/// Logits that are linear in the pixels.
struct Linear {
    /// `(D, K)`.
    weight: Tensor,
    /// `(K,)`.
    bias: Tensor,
}

impl Linear {
    /// Random weights for images of 12 pixels; the first image of [`grey`] gets logits 0, -1, -2, ...
    fn new(classes: usize) -> Result<Self> {
        let mut weight = vec![0f32; 12 * classes];
        kernels::fill_normal(kernels::Key { seed: 1, epoch: 0, example: 0, restart: 0 }, 1., &mut weight);
        let weight = Tensor::from_vec(weight, (12, classes), &Device::Cpu)?;
        let wanted = Tensor::from_iter((0..classes).map(|k| -(k as f32)), &Device::Cpu)?;
        let bias = (wanted - grey()?.flatten_from(1)?.get(0)?.unsqueeze(0)?.matmul(&weight)?.squeeze(0)?)?;
        Ok(Self { weight, bias })
    }

    /// How far the first image of [`grey`] is from being said to be `class` rather than 0, away from bounds.
    fn distance(&self, class: usize, norm: Norm) -> Result<f64> {
        let w: Vec<f32> =
            (self.weight.narrow(1, class, 1)? - self.weight.narrow(1, 0, 1)?)?.flatten_all()?.to_vec1()?;
        let dual = match norm {
            Norm::Linf => w.iter().map(|w| f64::from(w.abs())).sum::<f64>(),
            Norm::L2 => w.iter().map(|w| f64::from(w * w)).sum::<f64>().sqrt(),
        };
        Ok(class as f64 / dual)
    }
}

impl Model for Linear {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let features = images.flatten_from(1)?;
        let logits = features.matmul(&self.weight)?.broadcast_add(&self.bias)?;
        Ok(Output { features, logits })
    }
}

/// One image far from the bounds.
fn grey() -> Result<Tensor> {
    Tensor::full(0.5f32, (1, 3, 2, 2), &Device::Cpu)
}

fn far(norm: Norm, adv: &Tensor, x: &Tensor) -> Result<f64> {
    let d: Vec<f32> = (adv - x)?.flatten_all()?.to_vec1()?;
    Ok(match norm {
        Norm::Linf => f64::from(d.iter().fold(0f32, |max, v| max.max(v.abs()))),
        Norm::L2 => d.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt(),
    })
}

#[test]
fn what_moves_is_misclassified_and_inside() -> Result<()> {
    let (net, x, n) = (net(), images(8), examples(8));
    let view = net.frozen();
    let said = predictions(&view, &x)?.to_vec1::<u32>()?;
    // Example 2 is wrong from the start.
    let labels: Vec<u32> = said.iter().enumerate().map(|(i, k)| if i == 2 { (k + 1) % 10 } else { *k }).collect();
    let labels = Tensor::new(labels, &Device::Cpu)?;
    let mut broken = 0;
    for ball in balls() {
        for (restarts, targets) in [(1, Some(3)), (2, Some(3)), (1, None), (2, None)] {
            let attack = Fab { restarts, targets, ..short(ball) };
            let adv = attack.perturb(eval(&view, &ce(Pass::Adv)), &x, &labels, &keys(&n))?;
            ball.check(&adv, &x).unwrap_or_else(|e| panic!("{attack}: {e}"));
            assert!(!adv.track_op(), "{attack} returns a gradient");
            let standing = correct(&view.forward(&adv, Mode::Eval)?.logits, &labels)?;
            for (i, moved) in moved(&adv, &x)?.into_iter().enumerate() {
                assert_eq!(moved, i != 2 && !standing[i], "{attack}: example {i}");
                broken += usize::from(moved);
            }
        }
    }
    assert!(broken > 20, "{broken}");
    Ok(())
}

#[test]
fn an_example_does_not_depend_on_its_batch() -> Result<()> {
    let (net, x) = (net(), images(7));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let some = Tensor::new(&[5u32, 1, 3], &Device::Cpu)?;
    let (few_x, few_y) = (x.index_select(&some, 0)?, y.index_select(&some, 0)?);
    let objective = ce(Pass::Adv);
    for (ball, targets) in balls().into_iter().flat_map(|ball| [(ball, Some(3)), (ball, None)]) {
        let attack = Fab { restarts: 2, targets, ..short(ball) };
        let run = |x: &Tensor, y: &Tensor, n: &[u64]| attack.perturb(eval(&view, &objective), x, y, &keys(n));
        let all = run(&x, &y, &examples(7))?;
        assert_eq!(bits(&all)?, bits(&run(&x, &y, &examples(7))?)?, "{attack} is not repeatable");
        let few = run(&few_x, &few_y, &[5, 1, 3])?;
        assert_eq!(bits(&all.index_select(&some, 0)?)?, bits(&few)?, "{attack}");
        for i in 0..7 {
            let alone = run(&x.narrow(0, i, 1)?, &y.narrow(0, i, 1)?, &[i as u64])?;
            assert_eq!(bits(&all.narrow(0, i, 1)?)?, bits(&alone)?, "{attack}: example {i}");
        }
    }
    Ok(())
}

#[test]
fn restarts_are_never_weaker() -> Result<()> {
    let (net, x, n) = (net(), images(20), examples(20));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let objective = ce(Pass::Adv);
    let broken = |attack: Fab, keys: Keys<'_>| moved(&attack.perturb(eval(&view, &objective), &x, &y, &keys)?, &x);
    let mut gained = 0;
    for ball in
        [Ball::grey_levels(2.), Ball::grey_levels(2.8), Ball::grey_levels(3.2), Ball { norm: Norm::L2, eps: 0.24 }]
    {
        // So few steps that the start matters.
        let one = Fab { steps: 1, targets: Some(1), ..Fab::new(ball) };
        let few = broken(one, keys(&n))?;
        let many = broken(Fab { restarts: 6, ..one }, keys(&n))?;
        assert!(few.iter().zip(&many).all(|(few, many)| few <= many), "{ball}: {few:?} to {many:?}");
        gained += many.iter().filter(|b| **b).count() - few.iter().filter(|b| **b).count();
    }
    assert!(gained > 0, "restarts broke nothing more");
    Ok(())
}

#[test]
fn random_starts_follow_the_seed() -> Result<()> {
    let (net, x, n) = (net(), images(20), examples(20));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let objective = ce(Pass::Adv);
    // Some examples fall from a random start only, as in the test above.
    let fab = Fab { steps: 1, targets: Some(1), ..Fab::new(Ball { norm: Norm::L2, eps: 0.24 }) };
    let run =
        |restarts, keys: Keys<'_>| bits(&Fab { restarts, ..fab }.perturb(eval(&view, &objective), &x, &y, &keys)?);
    let other = Keys { seed: 12, ..keys(&n) };
    assert_eq!(run(1, keys(&n))?, run(1, other)?, "the first run draws nothing");
    assert_eq!(run(6, keys(&n))?, run(6, keys(&n))?);
    assert_ne!(run(6, keys(&n))?, run(6, other)?);
    Ok(())
}

#[test]
fn the_nearest_point_of_a_linear_boundary() -> Result<()> {
    let (x, label) = (grey()?, Tensor::zeros(1, DType::U32, &Device::Cpu)?);
    for norm in [Norm::Linf, Norm::L2] {
        let two = Linear::new(2)?;
        let least = two.distance(1, norm)?;
        let fab = Fab::new(Ball { norm, eps: 4. * least });
        let adv = fab.perturb(eval(&two, &ce(Pass::Adv)), &x, &label, &keys(&[0]))?;
        let found = far(norm, &adv, &x)?;
        assert!(found >= least * 0.9999 && found <= least * 1.01, "{norm}: {found}, not {least}");
        for classes in [2, 3] {
            let model = Linear::new(classes)?;
            let distances = (1..classes).map(|k| model.distance(k, norm)).collect::<Result<Vec<_>>>()?;
            let least = distances.iter().copied().fold(f64::INFINITY, f64::min);
            for (share, broken) in [(0.99, false), (1.01, true)] {
                let ball = Ball { norm, eps: share * least };
                let adv = Fab::new(ball).perturb(eval(&model, &ce(Pass::Adv)), &x, &label, &keys(&[0]))?;
                ball.check(&adv, &x)?;
                assert_eq!(moved(&adv, &x)?, [broken], "{norm}, {classes} classes, {share} of {distances:?}");
            }
        }
    }
    Ok(())
}

/// Untargeted, it finds the nearest of all classes, the least likely one too.
#[test]
fn the_nearest_of_many_boundaries() -> Result<()> {
    let (x, label) = (grey()?, Tensor::zeros(1, DType::U32, &Device::Cpu)?);
    for norm in [Norm::Linf, Norm::L2] {
        for steep in 1..5 {
            // Class `steep` comes closer faster than the others.
            let mut model = Linear::new(5)?;
            let scale = Tensor::from_iter((0..5).map(|k| if k == steep { 12f32 } else { 1. }), &Device::Cpu)?;
            let shift = (x.flatten_from(1)?.matmul(&model.weight)? + &model.bias.unsqueeze(0)?)?;
            model.weight = model.weight.broadcast_mul(&scale)?;
            model.bias = (shift - x.flatten_from(1)?.matmul(&model.weight)?)?.squeeze(0)?;
            let least = model.distance(steep, norm)?;
            assert!((1..5).all(|k| k == steep || model.distance(k, norm).is_ok_and(|far| far > 1.1 * least)));
            let run = |fab: Fab| fab.perturb(eval(&model, &ce(Pass::Adv)), &x, &label, &keys(&[0]));
            let adv = run(Fab::untargeted(Ball { norm, eps: 4. * least }))?;
            let found = far(norm, &adv, &x)?;
            assert!(found >= least * 0.9999 && found <= least * 1.01, "{norm}: {found}, not {least} to {steep}");
            for (share, broken) in [(0.99, false), (1.01, true)] {
                let ball = Ball { norm, eps: share * least };
                assert_eq!(moved(&run(Fab::untargeted(ball))?, &x)?, [broken], "{norm}, {share}");
                // Towards the most likely class alone only that one is found.
                let one = run(Fab { targets: Some(1), ..Fab::new(ball) })?;
                assert_eq!(moved(&one, &x)?, [broken && steep == 1], "{norm}, {share} towards 1");
            }
        }
    }
    Ok(())
}

#[test]
fn odd_batches_and_networks() -> Result<()> {
    let objective = ce(Pass::Adv);
    for ball in balls() {
        // Every gradient is zero.
        let x = images(3);
        let y = predictions(&Flat, &x)?;
        let fab = Fab { restarts: 2, ..short(ball) };
        assert_eq!(bits(&fab.perturb(eval(&Flat, &objective), &x, &y, &keys(&examples(3)))?)?, bits(&x)?);
        // No image, no step, no target.
        let net = net();
        let view = net.frozen();
        let y = predictions(&view, &x)?;
        let none = fab.perturb(eval(&view, &objective), &x.narrow(0, 0, 0)?, &y.narrow(0, 0, 0)?, &keys(&[]))?;
        assert_eq!(none.dims(), [0, 3, 12, 12]);
        let run = |fab: Fab| bits(&fab.perturb(eval(&view, &objective), &x, &y, &keys(&examples(3)))?);
        for idle in [Fab { steps: 0, ..fab }, Fab { targets: Some(0), ..fab }] {
            assert_eq!(run(idle)?, bits(&x)?);
        }
        // As of every attack, there is one run at least.
        assert_eq!(run(Fab { restarts: 0, ..fab })?, run(Fab { restarts: 1, ..fab })?);
        // What does not fit.
        assert!(fab.perturb(eval(&view, &objective), &x, &y, &keys(&examples(2))).is_err());
        let unknown = Tensor::new(&[0u32, 1, 10], &Device::Cpu)?;
        assert!(fab.perturb(eval(&view, &objective), &x, &unknown, &keys(&examples(3))).is_err());
    }
    Ok(())
}

#[test]
fn its_name() {
    let fab = Fab::new(Ball::grey_levels(8.));
    assert_eq!(fab.to_string(), "fab-t-100 (linf 8/255, 9 targets)");
    let fab_u = Fab { restarts: 2, ..Fab::untargeted(fab.ball) };
    assert_eq!(fab_u.to_string(), "fab-100 (linf 8/255, 2 restarts)");
    assert_eq!(Fab { restarts: 2, ..fab }.to_string(), "fab-t-100 (linf 8/255, 9 targets, 2 restarts)");
}

/// Those of the first 25 CIFAR-10 test images that official FAB-T, alone, leaves at 1/255
/// (`individual` of `autoattack_resnet20.json`).
const OFFICIAL: [usize; 5] = [4, 11, 13, 18, 23];

#[test]
fn parity_fab_t() -> Result<()> {
    let Some(golden) = Golden::open() else {
        eprintln!("skipped: I2FR_FIXTURES is unset");
        return Ok(());
    };
    let n = 25;
    let (x, y) = (golden.images.narrow(0, 0, n)?, golden.labels.narrow(0, 0, n)?);
    let view = golden.net.frozen();
    let ball = Ball::grey_levels(1.);
    let adv = Fab::new(ball).perturb(eval(&view, &ce(Pass::Adv)), &x, &y, &keys(&examples(n)))?;
    ball.check(&adv, &x)?;
    let standing = correct(&view.forward(&adv, Mode::Eval)?.logits, &y)?;
    let ours: Vec<usize> = (0..n).filter(|i| standing[*i]).collect();
    println!("robust {ours:?}, officially {OFFICIAL:?}");
    // An image that only we break is a find, one that only the official code breaks a weakness.
    let missed = ours.iter().filter(|i| !OFFICIAL.contains(i)).count();
    assert!(missed <= 1, "robust {ours:?}, officially {OFFICIAL:?}");
    // It is the attack that breaks them, not a broken network.
    let clean = correct(&view.forward(&x, Mode::Eval)?.logits, &y)?;
    assert!(clean.iter().all(|hit| *hit), "all of the first 25 are right before");
    Ok(())
}
