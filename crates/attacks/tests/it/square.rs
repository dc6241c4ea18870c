//! Square: what any random search must do, and how it asks.

mod models;
mod parity;

use crate::setting::{Flat, SHAPE, bits, eval, examples, images, judge, keys, net, predictions};
use ::models::{Mode, Model};
use attacks::{Attack, Ball, Keys, Noise, Norm, Square};
use candle::{DType, Device, Result, Tensor};
use models::{Broken, Linear, Recorder, margins};
use objectives::{Pass, ce, margin};

fn balls() -> Vec<Ball> {
    [(Norm::Linf, 8. / 255.), (Norm::Linf, 0.3), (Norm::Linf, 0.), (Norm::L2, 0.5), (Norm::L2, 4.), (Norm::L2, 0.)]
        .map(|(norm, eps)| Ball::new(norm, eps).expect("a ball"))
        .to_vec()
}

/// Of few queries, its windows shrinking as fast as that takes.
fn square(ball: Ball, queries: usize) -> Square {
    Square { queries, rescaled: true, ..Square::new(ball) }
}

#[test]
fn points_stay_inside() -> Result<()> {
    let (net, n) = (net(), examples(6));
    let some = images(4);
    let black = some.narrow(0, 0, 1)?.zeros_like()?;
    let x = Tensor::cat(&[&some, &black, &(&black + 1.)?], 0)?;
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    for ball in balls() {
        for attack in [square(ball, 0), square(ball, 40), Square { restarts: 2, ..square(ball, 15) }] {
            let adv = attack.perturb(eval(&view, &ce(Pass::Adv)), &x, &y, &keys(&n))?;
            ball.check(&adv, &x).unwrap_or_else(|e| panic!("{attack}: {e}"));
            assert!(!adv.track_op(), "{attack} returns a gradient");
            if ball.eps == 0. {
                assert_eq!(bits(&adv)?, bits(&x)?, "{attack}");
            }
            // Every point it asks about, not only those that come back. Alone, an example is in every batch.
            for i in 0..n.len() {
                let recorder = Recorder::new(net.frozen());
                let (x, y) = (x.narrow(0, i, 1)?, y.narrow(0, i, 1)?);
                attack.perturb(eval(&recorder, &ce(Pass::Adv)), &x, &y, &keys(&n[i..=i]))?;
                for (points, _) in recorder.calls().iter() {
                    ball.check(points, &x).unwrap_or_else(|e| panic!("{attack}: {e}"));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn broken_examples_are_misclassified_and_margins_fall() -> Result<()> {
    let (model, x, n) = (Linear::new(SHAPE, 10), images(12), examples(12));
    let y = predictions(&model, &x)?;
    let labels = y.to_vec1::<u32>()?;
    let before = margins(&model.forward(&x, Mode::Eval)?.logits, &labels)?;
    for (norm, eps) in [(Norm::Linf, 0.03), (Norm::L2, 0.4)] {
        let attack = square(Ball { norm, eps }, 150);
        let start = square(attack.ball, 0).perturb(eval(&model, &margin()), &x, &y, &keys(&n))?;
        let adv = attack.perturb(eval(&model, &margin()), &x, &y, &keys(&n))?;
        let at = |x: &Tensor| margins(&model.forward(x, Mode::Eval)?.logits, &labels);
        let (start, after) = (at(&start)?, at(&adv)?);
        for i in 0..12 {
            assert!(after[i] < start[i] || after[i] < 0., "{attack}: {} to {}", start[i], after[i]);
            assert!(after[i] < before[i] && start[i] <= before[i], "{attack}: {} to {}", before[i], after[i]);
        }
        let (wrong, _) = judge(eval(&model, &margin()), &adv, &y)?;
        let broken = wrong.iter().filter(|wrong| **wrong).count();
        println!("{attack}: {broken} of 12 broken");
        assert!((3..12).contains(&broken), "{attack}: {broken} of 12 broken, which says little");
        assert!((0..12).all(|i| wrong[i] == (after[i] < 0.)), "{attack}");
        // At ten times the radius all fall.
        let strong = Square { ball: Ball { norm, eps: eps * 10. }, ..attack };
        let (wrong, _) =
            judge(eval(&model, &margin()), &strong.perturb(eval(&model, &margin()), &x, &y, &keys(&n))?, &y)?;
        assert!(wrong.iter().all(|wrong| *wrong), "{strong}");
    }
    Ok(())
}

#[test]
fn it_returns_the_lowest_point_it_asked_about() -> Result<()> {
    let (model, x) = (Linear::new(SHAPE, 10), images(1));
    let y = predictions(&model, &x)?;
    let label = y.to_vec1::<u32>()?;
    for (norm, eps) in [(Norm::Linf, 0.002), (Norm::L2, 0.02)] {
        let attack = Square { restarts: 2, ..square(Ball { norm, eps }, 80) };
        let recorder = Recorder::new(Linear { weights: model.weights.clone() });
        let adv = attack.perturb(eval(&recorder, &margin()), &x, &y, &keys(&[4]))?;
        let calls = recorder.calls();
        assert_eq!(calls.len(), 1 + 2 * 81, "{attack}: one clean pass, and a start and its queries a run");
        let margins: Vec<f32> =
            calls.iter().map(|(_, logits)| margins(logits, &label).map(|m| m[0])).collect::<Result<_>>()?;
        let lowest = margins.iter().copied().fold(f32::INFINITY, f32::min);
        assert!(lowest > 0., "{attack} breaks the example, so there is nothing to see");
        let at = margins.iter().position(|m| *m == lowest).expect("a lowest point");
        assert_eq!(bits(&adv)?, bits(&calls[at].0)?, "{attack}");
        // Within a run every question changes the best point so far inside one window only.
        if norm == Norm::Linf {
            let mut best = 1;
            for query in 2..=81 {
                let moved = (&calls[query].0 - &calls[best].0)?.ne(0f32)?.sum_keepdim(1)?.flatten_all()?;
                let moved = moved.to_dtype(DType::U32)?.to_vec1::<u32>()?;
                let [_, h, w] = SHAPE;
                let places = || moved.iter().enumerate().filter(|(_, m)| **m > 0).map(|(k, _)| (k / w, k % w));
                let width = places().map(|(_, c)| c).max().unwrap_or(0) - places().map(|(_, c)| c).min().unwrap_or(0);
                let height = places().map(|(r, _)| r).max().unwrap_or(0) - places().map(|(r, _)| r).min().unwrap_or(0);
                let share = [(5, 0.8), (25, 0.4), (100, 0.2), (250, 0.1), (500, 0.05), (1000, 0.025)];
                let progress = (query - 2) * 10_000 / 80;
                let side = share
                    .iter()
                    .find(|(end, _)| progress <= 2 * end)
                    .map_or(1., |(_, share)| (share * (h * w) as f64).sqrt().round());
                assert!(width.max(height) < side as usize, "query {query}: {width} x {height}, but {side}");
                if margins[query] < margins[best] {
                    best = query;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn an_example_does_not_depend_on_its_batch() -> Result<()> {
    let (model, x) = (Linear::new(SHAPE, 10), images(7));
    let y = predictions(&model, &x)?;
    let some = Tensor::new(&[5u32, 1, 3], &Device::Cpu)?;
    let (few_x, few_y) = (x.index_select(&some, 0)?, y.index_select(&some, 0)?);
    for ball in balls() {
        let attack = Square { restarts: 2, ..square(ball, 60) };
        let run = |x: &Tensor, y: &Tensor, n: &[u64]| attack.perturb(eval(&model, &margin()), x, y, &keys(n));
        let all = run(&x, &y, &examples(7))?;
        assert_eq!(bits(&all.index_select(&some, 0)?)?, bits(&run(&few_x, &few_y, &[5, 1, 3])?)?, "{attack}");
        let alone = run(&x.narrow(0, 3, 1)?, &y.narrow(0, 3, 1)?, &[3])?;
        assert_eq!(bits(&all.narrow(0, 3, 1)?)?, bits(&alone)?, "{attack}");
    }
    Ok(())
}

#[test]
fn seeds_decide() -> Result<()> {
    let (net, x, n) = (net(), images(3), examples(3));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    for ball in balls().into_iter().filter(|ball| ball.eps > 0.) {
        let attack = square(ball, 20);
        let run = |keys: Keys<'_>| bits(&attack.perturb(eval(&view, &margin()), &x, &y, &keys)?);
        let first = run(keys(&n))?;
        assert_eq!(first, run(keys(&n))?, "{attack}");
        for other in [Keys { seed: 12, ..keys(&n) }, Keys { epoch: 1, ..keys(&n) }, keys(&[7, 8, 9])] {
            assert_ne!(first, run(other)?, "{attack}");
        }
        // The objective does not.
        assert_eq!(first, bits(&attack.perturb(eval(&view, &ce(Pass::Clean)), &x, &y, &keys(&n))?)?, "{attack}");
    }
    Ok(())
}

#[test]
fn only_survivors_are_asked_about() -> Result<()> {
    let (model, x, n) = (Linear::new(SHAPE, 10), images(12), examples(12));
    let mut labels = predictions(&model, &x)?.to_vec1::<u32>()?;
    labels[2] = (labels[2] + 1) % 10;
    let y = Tensor::new(labels.as_slice(), &Device::Cpu)?;
    for (norm, eps) in [(Norm::Linf, 0.03), (Norm::L2, 0.4)] {
        let recorder = Recorder::new(Linear { weights: model.weights.clone() });
        let attack = square(Ball { norm, eps }, 150);
        let adv = attack.perturb(eval(&recorder, &margin()), &x, &y, &keys(&n))?;
        assert_eq!(bits(&adv.narrow(0, 2, 1)?)?, bits(&x.narrow(0, 2, 1)?)?, "{attack} moves what is wrong already");
        let sizes: Vec<usize> = recorder.calls().iter().map(|(points, _)| points.dims()[0]).collect();
        assert_eq!(sizes[..2], [12, 11], "{attack}");
        assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes.last() < Some(&9), "{attack}: {sizes:?}");
        let (wrong, _) = judge(eval(&model, &margin()), &adv, &y)?;
        let standing = wrong.iter().filter(|wrong| !**wrong).count();
        assert!(*sizes.last().expect("calls") >= standing, "{attack}");
    }
    Ok(())
}

#[test]
fn restarts_are_never_weaker() -> Result<()> {
    let (model, x, n) = (Linear::new(SHAPE, 10), images(12), examples(12));
    let y = predictions(&model, &x)?;
    for (norm, eps) in [(Norm::Linf, 0.02), (Norm::L2, 0.3)] {
        let run = |restarts| {
            let attack = Square { restarts, ..square(Ball { norm, eps }, 30) };
            judge(eval(&model, &margin()), &attack.perturb(eval(&model, &margin()), &x, &y, &keys(&n))?, &y)
        };
        let ((wrong, loss), (more_wrong, more_loss)) = (run(1)?, run(3)?);
        for i in 0..12 {
            assert!(more_wrong[i] >= wrong[i], "{norm}: example {i} recovered");
            assert!(more_loss[i] >= loss[i], "{norm}: example {i} is weaker");
        }
        assert_ne!(loss, more_loss, "{norm}: restarts changed nothing");
        assert_eq!(run(0)?.1, loss);
    }
    Ok(())
}

/// On AutoAttack's schedule fewer queries are the beginning of more.
#[test]
fn queries_are_never_weaker() -> Result<()> {
    let (model, x, n) = (Linear::new(SHAPE, 10), images(12), examples(12));
    let y = predictions(&model, &x)?;
    for (norm, eps) in [(Norm::Linf, 0.02), (Norm::L2, 0.3)] {
        let mut before = f32::NEG_INFINITY;
        for queries in [0, 5, 20, 100] {
            let attack = Square { queries, ..Square::new(Ball { norm, eps }) };
            let adv = attack.perturb(eval(&model, &margin()), &x, &y, &keys(&n))?;
            // What is broken is broken at the same point, so the sum only rises.
            let sum = judge(eval(&model, &margin()), &adv, &y)?.1.iter().sum::<f32>();
            assert!(sum > before, "{attack}: {before} to {sum}");
            before = sum;
        }
    }
    Ok(())
}

#[test]
fn any_size_of_image_and_batch() -> Result<()> {
    for shape @ [c, h, w] in [[1, 1, 1], [3, 1, 1], [1, 4, 4], [1, 2, 5], [2, 9, 3], [3, 7, 7], [1, 16, 16]] {
        for classes in [2, 3] {
            let model = Linear::new(shape, classes);
            for n in [0, 1, 3] {
                let values: Vec<f32> = (0..n * c * h * w).map(|k| (k % 7) as f32 / 6.).collect();
                let x = Tensor::from_vec(values, (n, c, h, w), &Device::Cpu)?;
                let y = if n == 0 { Tensor::zeros(0, DType::U32, &Device::Cpu)? } else { predictions(&model, &x)? };
                for ball in balls() {
                    for queries in [0, 1, 12] {
                        let attack = square(ball, queries);
                        let adv = attack.perturb(eval(&model, &margin()), &x, &y, &keys(&examples(n)))?;
                        assert_eq!(adv.dims(), x.dims());
                        if n > 0 {
                            ball.check(&adv, &x).unwrap_or_else(|e| panic!("{attack} on {shape:?}: {e}"));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn answers_that_are_no_numbers_are_no_defence() -> Result<()> {
    let x = Tensor::full(0.5f32, (3, 1, 6, 6), &Device::Cpu)?;
    for label in [0u32, 1] {
        let y = Tensor::full(label, 3, &Device::Cpu)?;
        for everywhere in [true, false] {
            for ball in balls() {
                let model = Broken { everywhere };
                let noise: Box<dyn Attack> = Box::new(Noise { ball, draws: 9 });
                for attack in [noise, Box::new(square(ball, 30))] {
                    let found = attack.perturb(eval(&model, &margin()), &x, &y, &keys(&examples(3)));
                    // In a ball of one point only that is asked about, and of class 0, which is named there, what is wrong.
                    let answered = !everywhere && (ball.eps == 0. || label == 1);
                    match found {
                        Ok(adv) if answered => assert_eq!(bits(&adv)?, bits(&x)?, "{attack}"),
                        Ok(_) => panic!("{attack} says that {ball} holds nothing"),
                        Err(told) => assert!(!answered && told.to_string().contains("no numbers"), "{attack}: {told}"),
                    }
                }
            }
        }
    }
    // Answers that never change are numbers.
    let (x, y) = (images(2), Tensor::new(&[4u32, 4], &Device::Cpu)?);
    let adv = square(Ball::grey_levels(8.), 30).perturb(eval(&Flat, &margin()), &x, &y, &keys(&examples(2)))?;
    assert_eq!(bits(&adv)?, bits(&x)?);
    Ok(())
}

#[test]
fn labels_and_keys_must_fit() -> Result<()> {
    let (net, x) = (net(), images(3));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let run = |y: &Tensor, n: usize| {
        square(Ball::grey_levels(8.), 1).perturb(eval(&view, &margin()), &x, y, &keys(&examples(n)))
    };
    assert!(run(&y, 3).is_ok());
    assert!(run(&y, 2).is_err());
    assert!(run(&y.narrow(0, 0, 2)?, 3).is_err());
    assert!(run(&Tensor::new(&[0u32, 1, 10], &Device::Cpu)?, 3).is_err(), "a class the network lacks");
    Ok(())
}

#[test]
fn its_name() {
    let attack = Square::new(Ball::grey_levels(8.));
    assert_eq!(attack.to_string(), "square-5000 (linf 8/255)");
    let attack = Square { restarts: 2, ..square(Ball { norm: Norm::L2, eps: 0.5 }, 10) };
    assert_eq!(attack.to_string(), "square-10 (l2 0.5, 2 restarts, rescaled)");
}
