//! Networks that answer at random: gradients that are means over passes.

use crate::setting::{SHAPE, bits, eval, examples, images, keys, net, predictions};
use attacks::{Apgd, Attack, Ball, Pgd};
use candle::{Device, Result, Tensor};
use kernels::Key;
use models::{Mode, Model, Output};
use objectives::{Clean, Pass, Stage, ce, margin};
use std::sync::atomic::{AtomicU64, Ordering};

/// Two classes: class 1 leads by the sum of the pixels less that of the image at 0.5, but every pass adds
/// noise to how much each pixel counts.
struct Noisy {
    std: f32,
    passes: AtomicU64,
}

impl Noisy {
    fn new(std: f32) -> Self {
        Self { std, passes: AtomicU64::new(0) }
    }
}

impl Model for Noisy {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let size: usize = SHAPE.iter().product();
        let pass = self.passes.fetch_add(1, Ordering::Relaxed);
        let mut weights = vec![0f32; size];
        kernels::fill_normal(Key { seed: 5, epoch: pass, example: 0, restart: 0 }, self.std, &mut weights);
        let weights = (Tensor::from_vec(weights, (size, 1), &Device::Cpu)? + 1.)?;
        let features = (images.flatten_from(1)? - 0.5)?;
        let lead = features.matmul(&weights)?;
        Ok(Output { features, logits: Tensor::cat(&[&lead.zeros_like()?, &lead], 1)? })
    }
}

/// How far the sum of the pixels rises, the mean over examples; `radius * pixels` at most.
fn rise(attack: &dyn Attack) -> Result<f32> {
    let x = Tensor::full(0.5f32, (4, SHAPE[0], SHAPE[1], SHAPE[2]), &Device::Cpu)?;
    let labels = Tensor::zeros(4, candle::DType::U32, &Device::Cpu)?;
    let adv = attack.perturb(eval(&Noisy::new(4.), &margin()), &x, &labels, &keys(&examples(4)))?;
    (adv - x)?.flatten_from(1)?.sum(1)?.mean_all()?.to_scalar()
}

#[test]
fn many_passes_see_through_noise() -> Result<()> {
    let ball = Ball::grey_levels(8.);
    let most = SHAPE.iter().product::<usize>() as f32 * ball.eps as f32;
    let (one, many) = (rise(&Pgd::fgsm(ball))?, rise(&Pgd { passes: 100, ..Pgd::fgsm(ball) })?);
    assert!(one < 0.35 * most && many > 0.9 * most, "pgd: {one} and {many} of {most}");
    let apgd = Apgd::new(ball, 2);
    let (one, many) = (rise(&apgd)?, rise(&Apgd { passes: 100, ..apgd })?);
    assert!(one < 0.5 * many && many > 0.7 * most, "apgd: {one} and {many} of {most}");
    Ok(())
}

#[test]
fn passes_are_counted() -> Result<()> {
    let (x, labels) = (images(2), Tensor::zeros(2, candle::DType::U32, &Device::Cpu)?);
    let ball = Ball::grey_levels(8.);
    for passes in [0, 1, 7] {
        let noisy = Noisy::new(1.);
        Pgd { passes, ..Pgd::new(ball, 3) }.perturb(eval(&noisy, &ce(Pass::Adv)), &x, &labels, &keys(&[0, 1]))?;
        assert_eq!(noisy.passes.swap(0, Ordering::Relaxed), 3 * passes.max(1) as u64);
        Apgd { passes, ..Apgd::new(ball, 3) }.perturb(eval(&noisy, &ce(Pass::Adv)), &x, &labels, &keys(&[0, 1]))?;
        assert_eq!(noisy.passes.into_inner(), 4 * passes.max(1) as u64);
    }
    Ok(())
}

#[test]
fn a_network_without_randomness_gains_nothing() -> Result<()> {
    let (net, x, n) = (net(), images(4), examples(4));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let objective = ce(Pass::Adv);
    let loss = |adv: &Tensor| {
        let clean = Clean::new(&view, Mode::Eval, &x, &y, Stage::Generation);
        objective.losses(&clean.against(adv)?)?.to_vec1::<f32>()
    };
    let ball = Ball::grey_levels(4.);
    let pgd = |passes| Pgd { passes, ..Pgd::mim(ball, 4) };
    let apgd = |passes| Apgd { passes, ..Apgd::new(ball, 4) };
    let pairs: [[Box<dyn Attack>; 2]; 2] =
        [[Box::new(pgd(1)), Box::new(pgd(3))], [Box::new(apgd(1)), Box::new(apgd(3))]];
    for [one, three] in pairs {
        let run = |attack: &dyn Attack| attack.perturb(eval(&view, &objective), &x, &y, &keys(&n));
        let (once, thrice) = (run(&*one)?, run(&*three)?);
        assert_ne!(bits(&once)?, bits(&x)?);
        for (a, b) in loss(&once)?.into_iter().zip(loss(&thrice)?) {
            assert!((a - b).abs() <= 1e-3 * a.abs().max(1.), "{three}: {b}, not {a}");
        }
    }
    assert_eq!(apgd(20).to_string(), "apgd-4 (linf 4/255, 20 passes)");
    assert!(pgd(20).to_string().ends_with(", 20 passes)"));
    Ok(())
}
