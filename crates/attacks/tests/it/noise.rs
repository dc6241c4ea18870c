//! Random points, and the networks they break.

use crate::setting::{Counting, bits, eval, examples, images, judge, keys, net, predictions};
use attacks::{Attack, Ball, Keys, Noise, Norm};
use candle::{Device, Result, Tensor};
use models::{Mode, Model, Output};
use objectives::{Pass, ce, margin};

fn balls() -> [Ball; 2] {
    [Ball { norm: Norm::Linf, eps: 0.1 }, Ball { norm: Norm::L2, eps: 0.5 }]
}

/// Says 0 at the images it is given, 1 anywhere else.
struct Needle(Tensor);

impl Model for Needle {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let image = self.0.broadcast_as(images.shape())?;
        let far = (images - image)?.abs()?.flatten_from(1)?.max_keepdim(1)?;
        let logits = Tensor::cat(&[&(far.zeros_like()? + 1e-6)?, &far], 1)?;
        Ok(Output { features: far, logits })
    }
}

#[test]
fn points_lie_on_the_surface() -> Result<()> {
    // Far from the bounds no pixel is clamped.
    let x = Tensor::full(0.5f32, (1, 3, 8, 8), &Device::Cpu)?;
    let (model, y) = (Needle(x.clone()), Tensor::zeros(1, candle::DType::U32, &Device::Cpu)?);
    let mut seen = Vec::new();
    for ball in balls() {
        for example in 0..3 {
            let adv = Noise { ball, draws: 5 }.perturb(eval(&model, &margin()), &x, &y, &keys(&[example]))?;
            ball.check(&adv, &x)?;
            let moved: Vec<f32> = (&adv - &x)?.flatten_all()?.to_vec1()?;
            let far = match ball.norm {
                Norm::Linf => {
                    assert!(moved.iter().all(|v| (v.abs() - 0.1).abs() < 1e-6), "not a corner");
                    let up = moved.iter().filter(|v| **v > 0.).count();
                    assert!((60..132).contains(&up), "{up} of 192 pixels go up");
                    0.1
                }
                Norm::L2 => moved.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt(),
            };
            assert!((far - ball.eps).abs() < 1e-5, "{ball}: {far}");
            seen.push(bits(&adv)?);
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6, "examples share their noise");
    Ok(())
}

#[test]
fn the_first_point_that_breaks_counts() -> Result<()> {
    let (net, x, n) = (net(), images(16), examples(16));
    let view = net.frozen();
    let mut labels = predictions(&view, &x)?.to_vec1::<u32>()?;
    labels[3] = (labels[3] + 1) % 10;
    let y = Tensor::new(labels, &Device::Cpu)?;
    for (ball, draws) in [(Ball { norm: Norm::Linf, eps: 0.1 }, 40), (Ball { norm: Norm::L2, eps: 1.5 }, 40)] {
        let run = |draws| Noise { ball, draws }.perturb(eval(&view, &ce(Pass::Clean)), &x, &y, &keys(&n));
        let (mut before, mut late) = (run(0)?, 0);
        assert_eq!(bits(&before)?, bits(&x)?);
        for draws in 1..=draws {
            let adv = run(draws)?;
            ball.check(&adv, &x)?;
            let wrong = judge(eval(&view, &margin()), &adv, &y)?.0;
            for (i, wrong) in wrong.into_iter().enumerate() {
                let (now, then, clean) = (bits(&adv.get(i)?)?, bits(&before.get(i)?)?, bits(&x.get(i)?)?);
                assert!(now == then || then == clean, "example {i} moved again");
                assert_eq!(now != clean, wrong && i != 3, "example {i}");
                late += usize::from(now != then && draws > 1);
            }
            before = adv;
        }
        assert!(late > 0, "{ball}: later points broke nothing");
    }
    Ok(())
}

#[test]
fn an_example_does_not_depend_on_its_batch() -> Result<()> {
    let (net, x, all) = (net(), images(9), examples(9));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let noise = Noise { ball: Ball { norm: Norm::Linf, eps: 0.1 }, draws: 20 };
    let together = noise.perturb(eval(&view, &margin()), &x, &y, &keys(&all))?;
    for i in 0..9 {
        let (x, y) = (x.narrow(0, i, 1)?, y.narrow(0, i, 1)?);
        let alone = noise.perturb(eval(&view, &margin()), &x, &y, &keys(&[i as u64]))?;
        assert_eq!(bits(&alone)?, bits(&together.narrow(0, i, 1)?)?, "example {i}");
    }
    let other = noise.perturb(eval(&view, &margin()), &x, &y, &Keys { seed: 12, ..keys(&all) })?;
    assert_ne!(bits(&together)?, bits(&other)?);
    assert!(noise.perturb(eval(&view, &margin()), &x, &y, &keys(&[0])).is_err());
    Ok(())
}

#[test]
fn only_survivors_are_asked_about() -> Result<()> {
    let (net, x, n) = (net(), images(16), examples(16));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let counting = Counting::new(&view);
    let noise = Noise { ball: Ball { norm: Norm::Linf, eps: 0.1 }, draws: 30 };
    let adv = noise.perturb(eval(&counting, &margin()), &x, &y, &keys(&n))?;
    let standing = judge(eval(&view, &margin()), &adv, &y)?.0.iter().filter(|wrong| !**wrong).count();
    let counts = counting.counts();
    assert_eq!(counts[..2], [16, 16]);
    assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    assert!(counts[counts.len() - 1] < 16 && counts[counts.len() - 1] >= standing, "{counts:?}, {standing} left");
    Ok(())
}
