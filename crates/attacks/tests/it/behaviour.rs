//! What every attack must do whatever the network.

use crate::setting::{Flat, SHAPE, attacks, bits, eval, examples, images, judge, keys, net, predictions, searches};
use attacks::{Apgd, Attack, Ball, Identity, Keys, Norm, Pgd, Start, Victim};
use candle::{Device, Result, Tensor, Var};
use models::{Mode, Model};
use objectives::{Clean, Objective, Pass, Stage, ce, dlr, kl, margin};
use std::sync::Arc;

fn balls() -> Vec<Ball> {
    [(Norm::Linf, 8. / 255.), (Norm::Linf, 0.3), (Norm::Linf, 0.), (Norm::L2, 0.5), (Norm::L2, 0.)]
        .map(|(norm, eps)| Ball::new(norm, eps).expect("a ball"))
        .to_vec()
}

fn objectives() -> Vec<Objective> {
    vec![ce(Pass::Adv), margin(), dlr(), kl() + 2. * ce(Pass::Adv)]
}

#[test]
fn perturbations_stay_inside() -> Result<()> {
    let (net, x, n) = (net(), images(6), examples(6));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    for ball in balls() {
        for objective in &objectives() {
            for attack in attacks(ball) {
                let adv = attack.perturb(eval(&view, objective), &x, &y, &keys(&n))?;
                ball.check(&adv, &x).unwrap_or_else(|e| panic!("{attack} on {objective}: {e}"));
                assert!(!adv.track_op(), "{attack} returns a gradient");
                assert_eq!(bits(&adv)? == bits(&x)?, ball.eps == 0., "{attack} on {objective}");
            }
        }
    }
    Ok(())
}

#[test]
fn images_on_the_bounds() -> Result<()> {
    let (net, n) = (net(), examples(2));
    let [c, h, w] = SHAPE;
    let black = Tensor::zeros((1, c, h, w), candle::DType::F32, &Device::Cpu)?;
    let x = Tensor::cat(&[&black, &(&black + 1.)?], 0)?;
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    for ball in balls() {
        for attack in attacks(ball).into_iter().chain(searches(ball)) {
            let adv = attack.perturb(eval(&view, &ce(Pass::Adv)), &x, &y, &keys(&n))?;
            ball.check(&adv, &x).unwrap_or_else(|e| panic!("{attack}: {e}"));
        }
    }
    Ok(())
}

#[test]
fn gradients_of_exactly_zero() -> Result<()> {
    let (x, n) = (images(4), examples(4));
    let y = predictions(&Flat, &x)?;
    for ball in balls() {
        for objective in [ce(Pass::Adv), margin(), dlr()] {
            for attack in attacks(ball) {
                let adv = attack.perturb(eval(&Flat, &objective), &x, &y, &keys(&n))?;
                ball.check(&adv, &x).unwrap_or_else(|e| panic!("{attack} on {objective}: {e}"));
            }
            for still in [Pgd::fgsm(ball), Pgd::mim(ball, 3)] {
                let adv = still.perturb(eval(&Flat, &objective), &x, &y, &keys(&n))?;
                assert_eq!(bits(&adv)?, bits(&x)?, "{still} moves without a gradient");
            }
            let adv = Apgd::new(ball, 10).from_point(eval(&Flat, &objective), &x, &y, &x)?;
            assert_eq!(bits(&adv)?, bits(&x)?, "apgd moves without a gradient");
        }
    }
    Ok(())
}

#[test]
fn an_objective_of_clean_images_is_refused() -> Result<()> {
    let (net, x, n) = (net(), images(2), examples(2));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    for attack in attacks(Ball::grey_levels(8.)) {
        let e = attack.perturb(eval(&view, &ce(Pass::Clean)), &x, &y, &keys(&n)).expect_err("nothing to ascend");
        assert!(e.to_string().contains("ce(clean)"), "{attack}: {e}");
    }
    Ok(())
}

#[test]
fn keys_must_fit_the_batch() -> Result<()> {
    let (net, x, n) = (net(), images(3), examples(2));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let ball = Ball::grey_levels(8.);
    assert!(Pgd::new(ball, 1).perturb(eval(&view, &margin()), &x, &y, &keys(&n)).is_err());
    assert!(Apgd::new(ball, 1).perturb(eval(&view, &margin()), &x, &y, &keys(&n)).is_err());
    Ok(())
}

#[test]
fn images_must_be_pixels() -> Result<()> {
    let (net, x, n) = (net(), images(3), examples(3));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let ball = Ball::grey_levels(8.);
    let rounded = x.affine(1. + 4e-6, -2e-6)?;
    let outside = [
        ((&x * 255.)?, "images have values from 0 to 255, not in [0, 1]; divide by 255"),
        (x.affine(4., -2.)?, "images have values from -2 to 2, not in [0, 1]; leave normalisation to the network"),
        ((&x * 1.25)?, "images have values from 0 to 1.25, not in [0, 1]"),
    ];
    for attack in attacks(ball).into_iter().chain(searches(ball)) {
        let run = |x: &Tensor| attack.perturb(eval(&view, &ce(Pass::Adv)), x, &y, &keys(&n));
        run(&rounded).unwrap_or_else(|e| panic!("{attack}: {e}"));
        for (x, told) in &outside {
            let e = run(x).expect_err("no pixels").to_string();
            assert!(e.starts_with(told), "{attack}: {e}");
        }
    }
    let (x, told) = &outside[0];
    let objective = ce(Pass::Adv);
    for found in [
        Pgd::new(ball, 1).from_point(eval(&view, &objective), x, &y, x),
        Apgd::new(ball, 1).from_point(eval(&view, &objective), x, &y, x),
    ] {
        assert!(found.expect_err("no pixels").to_string().starts_with(told));
    }
    Ok(())
}

/// Such examples are misclassified whatever the network says, and would all count as broken.
#[test]
fn labels_must_be_classes_of_the_network() -> Result<()> {
    let (net, x, n) = (net(), images(3), examples(3));
    let view = net.frozen();
    let y = Tensor::new(&[0u32, 1, 10], &Device::Cpu)?;
    let ball = Ball::grey_levels(8.);
    for attack in attacks(ball).into_iter().chain(searches(ball)) {
        let found = attack.perturb(eval(&view, &ce(Pass::Adv)), &x, &y, &keys(&n));
        let told = found.expect_err("classes 0 to 9").to_string();
        assert!(told.contains(" 10") && told.contains("10 classes"), "{attack}: {told}");
    }
    Ok(())
}

#[test]
fn weights_and_statistics_stay() -> Result<()> {
    let (net, x, n) = (net(), images(6), examples(6));
    let y = predictions(&net.frozen(), &x)?;
    let objective = ce(Pass::Adv) + kl();
    let before = net.state()?;
    let (frozen, live) = (net.frozen(), net.live());
    let allowed: [(&dyn Model, Mode); 4] =
        [(&frozen, Mode::Eval), (&frozen, Mode::BatchStats), (&live, Mode::Eval), (&live, Mode::BatchStats)];
    let ball = Ball::grey_levels(8.);
    for attack in attacks(ball).into_iter().chain(searches(ball)) {
        for (model, mode) in allowed {
            attack.perturb(Victim { model, mode, objective: &objective }, &x, &y, &keys(&n))?;
        }
        let training = Victim { model: &frozen, mode: Mode::Train, objective: &objective };
        assert!(attack.perturb(training, &x, &y, &keys(&n)).is_err(), "{attack} trains the network");
    }
    for (name, tensor) in net.state()? {
        assert_eq!(bits(&tensor)?, bits(&before[&name])?, "{name} moved");
    }
    // The graph an attack differentiates ends at the pixels.
    let pixels = Var::from_tensor(&x)?;
    let clean = Clean::new(&frozen, Mode::Eval, &x, &y, Stage::Generation);
    let grads = objective.losses(&clean.against(&pixels)?)?.sum_all()?.backward()?;
    assert!(grads.get(&pixels).is_some());
    assert!(net.parameters().iter().all(|(_, p)| grads.get(p.var()).is_none()), "a weight has a gradient");
    Ok(())
}

#[test]
fn an_example_does_not_depend_on_its_batch() -> Result<()> {
    let (net, x) = (net(), images(7));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let some = Tensor::new(&[5u32, 1, 3], &Device::Cpu)?;
    let (few_x, few_y) = (x.index_select(&some, 0)?, y.index_select(&some, 0)?);
    for ball in balls() {
        for start in [Start::Uniform, Start::Unclipped, Start::Gaussian(0.01)] {
            let still = Pgd { start, ..Pgd::new(ball, 0) };
            let all = still.perturb(eval(&view, &margin()), &x, &y, &keys(&examples(7)))?;
            let few = still.perturb(eval(&view, &margin()), &few_x, &few_y, &keys(&[5, 1, 3]))?;
            assert_eq!(bits(&all.index_select(&some, 0)?)?, bits(&few)?, "starts of {still}");
        }
        for attack in attacks(ball) {
            let all = attack.perturb(eval(&view, &margin()), &x, &y, &keys(&examples(7)))?;
            let few = attack.perturb(eval(&view, &margin()), &few_x, &few_y, &keys(&[5, 1, 3]))?;
            let off = (all.index_select(&some, 0)? - few)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(off <= 1e-6, "{attack}: {off}");
        }
    }
    Ok(())
}

#[test]
fn an_unclipped_start_leaves_the_pixels_range_until_the_first_step() -> Result<()> {
    let (net, x) = (net(), images(3));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let black = x.zeros_like()?;
    for ball in balls().into_iter().filter(|ball| ball.eps > 0.) {
        let after = |steps, start| {
            let attack = Pgd { start, ..Pgd::new(ball, steps) };
            attack.perturb(eval(&view, &margin()), &black, &y, &keys(&examples(3)))
        };
        let started = after(0, Start::Unclipped)?;
        assert!(started.min_all()?.to_scalar::<f32>()? < 0., "{ball}");
        let farthest = |a: &Tensor, b: &Tensor| (a - b)?.abs()?.max_all()?.to_scalar::<f32>();
        let other_noise = farthest(&started.clamp(0f32, 1f32)?, &after(0, Start::Uniform)?)?;
        let stepped = after(1, Start::Unclipped)?;
        let outside = farthest(&ball.project(&stepped, &black)?, &stepped)?;
        assert!(other_noise <= 1e-6 && outside <= 1e-6, "{ball}: {other_noise}, {outside}");
    }
    Ok(())
}

#[test]
fn seeds_decide_the_starts() -> Result<()> {
    let (net, x, n) = (net(), images(3), examples(3));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let ball = Ball::grey_levels(8.);
    let still: [Arc<dyn Attack>; 3] = [
        Arc::new(Pgd::new(ball, 0)),
        Arc::new(Pgd { start: Start::Gaussian(0.01), ..Pgd::new(ball, 0) }),
        Arc::new(Apgd::new(ball, 0)),
    ];
    for attack in attacks(ball).into_iter().chain(still) {
        let run = |keys: Keys<'_>| bits(&attack.perturb(eval(&view, &margin()), &x, &y, &keys)?);
        assert_eq!(run(keys(&n))?, run(keys(&n))?, "{attack}");
    }
    for attack in [Pgd::new(ball, 0), Pgd { start: Start::Gaussian(0.01), ..Pgd::new(ball, 0) }] {
        let run = |keys: Keys<'_>| attack.perturb(eval(&view, &margin()), &x, &y, &keys);
        let first = run(keys(&n))?;
        for other in [Keys { seed: 12, ..keys(&n) }, Keys { epoch: 1, ..keys(&n) }, keys(&[7, 8, 9])] {
            let moved = (&first - run(other)?)?.abs()?.flatten_from(1)?.max(1)?.to_vec1::<f32>()?;
            assert!(moved.iter().all(|far| *far > 1e-3), "{attack}: {moved:?}");
        }
    }
    Ok(())
}

#[test]
fn presets_agree() -> Result<()> {
    let (net, x, n) = (net(), images(5), examples(5));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let objective = margin();
    let ball = Ball::grey_levels(8.);
    let run = |attack: &dyn Attack| attack.perturb(eval(&view, &objective), &x, &y, &keys(&n));
    // FGSM is one step of PGD, and x + eps sign(gradient).
    let fgsm = bits(&run(&Pgd::fgsm(ball))?)?;
    assert_eq!(fgsm, bits(&run(&Pgd { step: ball.eps, start: Start::Image, ..Pgd::new(ball, 1) })?)?);
    assert_eq!(
        fgsm,
        bits(&Pgd { step: ball.eps, ..Pgd::new(ball, 1) }.from_point(eval(&view, &objective), &x, &y, &x)?)?
    );
    let pixels = Var::from_tensor(&x)?;
    let clean = Clean::new(&view, Mode::Eval, &x, &y, Stage::Generation);
    let grads = objective.losses(&clean.against(&pixels)?)?.sum_all()?.backward()?;
    let hand = (&x + (grads.get(&pixels).expect("a gradient").sign()? * ball.eps)?)?.clamp(0f32, 1f32)?;
    assert!((Tensor::cat(&[&run(&Pgd::fgsm(ball))?], 0)? - hand)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6);
    // Momentum that forgets at once is no momentum.
    for steps in [1, 6] {
        let plain = Pgd { start: Start::Image, ..Pgd::new(ball, steps) };
        let forgetful = Pgd { momentum: Some(0.), ..plain };
        assert_eq!(bits(&run(&plain)?)?, bits(&run(&forgetful)?)?, "{steps} steps");
    }
    assert_ne!(bits(&run(&Pgd::mim(ball, 6))?)?, bits(&run(&Pgd { start: Start::Image, ..Pgd::new(ball, 6) })?)?);
    assert_eq!(bits(&run(&Identity)?)?, bits(&x)?);
    Ok(())
}

#[test]
fn a_point_outside_is_brought_back() -> Result<()> {
    let (net, x) = (net(), images(3));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let far = ((&x * 5.)? - 2.)?;
    for ball in balls() {
        for steps in [0, 2] {
            ball.check(&Pgd::new(ball, steps).from_point(eval(&view, &margin()), &x, &y, &far)?, &x)?;
            ball.check(&Apgd::new(ball, steps).from_point(eval(&view, &margin()), &x, &y, &far)?, &x)?;
        }
    }
    Ok(())
}

#[test]
fn targets_are_approached() -> Result<()> {
    let (net, x, n) = (net(), images(6), examples(6));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let targets = Tensor::new(&[0u32, 1, 2, 3, 4, 5], &Device::Cpu)?;
    let objective = -1. * ce(Pass::Adv);
    let ball = Ball::grey_levels(16.);
    let before = judge(eval(&view, &objective), &x, &targets)?.1;
    let attack = Pgd { start: Start::Image, ..Pgd::new(ball, 10) };
    let adv = attack.perturb(eval(&view, &objective), &x, &targets, &keys(&n))?;
    let after = judge(eval(&view, &objective), &adv, &targets)?.1;
    assert!(before.iter().zip(&after).all(|(before, after)| after > before), "{before:?} to {after:?}");
    // With the target in the objective, labels stay the true ones and restarts know what success is.
    let objective = objectives::targeted_dlr(targets);
    let before = judge(eval(&view, &objective), &x, &y)?.1;
    let adv = Apgd::new(ball, 10).perturb(eval(&view, &objective), &x, &y, &keys(&n))?;
    let after = judge(eval(&view, &objective), &adv, &y)?.1;
    assert!(before.iter().zip(&after).all(|(before, after)| after >= before), "{before:?} to {after:?}");
    Ok(())
}
