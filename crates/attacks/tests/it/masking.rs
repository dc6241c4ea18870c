//! Attacks that ask whether a network hides its gradients: through its features, and from another network.

use crate::setting::{Counting, Flat, SHAPE, bits, eval, examples, images, judge, keys, net, predictions};
use attacks::{Attack, Ball, Keys, MatchFeatures, Norm, Probe, Transfer, Victim};
use candle::{DType, Device, Result, Tensor};
use models::{Arch, Mode, Model, Net, Output};
use objectives::{Pass, ce, margin};
use std::sync::Arc;

/// Features are the sums of the first and of the second channel less those of a grey image. The logits say
/// which is greater, or a third class that never is, and hide every gradient.
struct Hidden;

impl Model for Hidden {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        let features = (images.narrow(1, 0, 2)? - 0.5)?.flatten_from(2)?.sum(2)?;
        let steps = features.detach().broadcast_sub(&features.detach().mean_keepdim(1)?)?.sign()?;
        let never = (steps.narrow(1, 0, 1)?.zeros_like()? - 9.)?;
        let flat = (&features * features.zeros_like()?)?;
        Ok(Output { logits: Tensor::cat(&[(steps + flat)?, never], 1)?, features })
    }
}

fn centers() -> Result<Tensor> {
    Tensor::new(&[[1f32, -1.], [-1., 1.], [0., 0.]], &Device::Cpu)
}

#[test]
fn features_show_what_logits_hide() -> Result<()> {
    let [c, h, w] = SHAPE;
    // The first channel is a little brighter, in the second half of the images the second one.
    let shade = |i: usize, k: usize| if k == i / 4 { 0.55f32 } else { 0.5 };
    let shades: Vec<f32> = (0..8).flat_map(|i| (0..c).map(move |k| shade(i, k))).collect();
    let x = Tensor::from_vec(shades, (8, c, 1, 1), &Device::Cpu)?.broadcast_as((8, c, h, w))?.contiguous()?;
    let y = predictions(&Hidden, &x)?;
    assert_eq!(y.to_vec1::<u32>()?, [0, 0, 0, 0, 1, 1, 1, 1]);
    for (norm, eps) in [(Norm::Linf, 0.03), (Norm::L2, 0.6)] {
        let ball = Ball { norm, eps };
        let margin = margin();
        let victim = eval(&Hidden, &margin);
        let blind = Probe::named("apgd-ce", ball).map_err(candle::Error::wrap)?;
        let objective = &blind.objective;
        let adv = blind.attack.perturb(Victim { objective, ..victim }, &x, &y, &keys(&examples(8)))?;
        assert_eq!(judge(victim, &adv, &y)?.0, [false; 8], "there is nothing hidden");
        let attack = MatchFeatures::new(ball, 10, centers()?);
        let adv = attack.perturb(victim, &x, &y, &keys(&examples(8)))?;
        ball.check(&adv, &x)?;
        assert_eq!(judge(victim, &adv, &y)?.0, [true; 8], "{attack}");
    }
    Ok(())
}

#[test]
fn targets_follow_their_examples() -> Result<()> {
    let (net, x) = (net(), images(12));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    // What the last layer multiplies features by is where it wants those of each class.
    let weights = net.state()?["linear.weight"].clone();
    let attack = MatchFeatures { targets: 3, ..MatchFeatures::new(Ball::grey_levels(6.), 6, weights) };
    let all = examples(12);
    let counting = Counting::new(&view);
    let together = attack.perturb(eval(&counting, &margin()), &x, &y, &keys(&all))?;
    attack.apgd.ball.check(&together, &x)?;
    let wrong = judge(eval(&view, &margin()), &together, &y)?.0;
    assert!(wrong.contains(&true) && wrong.contains(&false), "{wrong:?}");
    let counts = counting.counts();
    assert!(counts.last() < Some(&8), "{counts:?}");
    for (i, example) in all.iter().enumerate() {
        let (x, y) = (x.narrow(0, i, 1)?, y.narrow(0, i, 1)?);
        let keys = Keys { examples: &[*example], ..keys(&all) };
        let alone = attack.perturb(eval(&view, &margin()), &x, &y, &keys)?;
        assert_eq!(bits(&alone)?, bits(&together.narrow(0, i, 1)?)?, "example {i}");
        assert_eq!(bits(&alone)? != bits(&x)?, wrong[i], "example {i}");
    }
    assert_eq!(attack.to_string(), "match-features-6 (linf 6/255, 3 targets)");
    Ok(())
}

#[test]
fn centers_must_fit() -> Result<()> {
    let (net, x) = (net(), images(2));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let features = view.forward(&x, Mode::Eval)?.features.dim(1)?;
    for (classes, features, fits) in [(10, features, true), (1, features, false), (10, features + 1, false)] {
        let centers = Tensor::ones((classes, features), DType::F32, &Device::Cpu)?;
        let attack = MatchFeatures::new(Ball::grey_levels(0.), 1, centers);
        assert_eq!(attack.perturb(eval(&view, &margin()), &x, &y, &keys(&[0, 1])).is_ok(), fits, "{classes}");
    }
    Ok(())
}

#[test]
fn what_transfers_does_not_depend_on_the_victim() -> Result<()> {
    let other = || Net::new(Arch::Tiny, SHAPE, 10, 8, &Device::Cpu).expect("a net");
    let (net, x, n) = (net(), images(6), examples(6));
    let source = other();
    let y = predictions(&source.frozen(), &x)?;
    let ball = Ball::grey_levels(8.);
    for name in ["pgd-4", "apgd-dlr-4", "square-9"] {
        let probe = || Probe::named(name, ball).map_err(candle::Error::wrap);
        let Probe { attack, objective, .. } = probe()?;
        let expected = bits(&attack.perturb(eval(&source.frozen(), &objective), &x, &y, &keys(&n))?)?;
        let transfer = Transfer { source: Arc::new(other()), probe: probe()? };
        assert_eq!(transfer.to_string(), format!("transfer of {attack}"));
        let (view, ce) = (net.frozen(), ce(Pass::Clean));
        let victims: [(&dyn Model, Mode); 3] = [(&view, Mode::Eval), (&view, Mode::BatchStats), (&Flat, Mode::Eval)];
        for (model, mode) in victims {
            let counting = Counting::new(model);
            let victim = Victim { model: &counting, mode, objective: &ce };
            assert_eq!(bits(&transfer.perturb(victim, &x, &y, &keys(&n))?)?, expected, "{name}");
            assert_eq!(counting.counts(), [0usize; 0], "the victim was asked");
        }
        // It is the source that is attacked.
        let view = net.frozen();
        assert_ne!(bits(&attack.perturb(eval(&view, &objective), &x, &y, &keys(&n))?)?, expected, "{name}");
    }
    Ok(())
}

/// A network whose gradients at black pixels are infinite, or no numbers, though its logits are numbers.
struct Steep {
    factor: f64,
}

/// No numbers, and infinite.
const STEEP: [Steep; 2] = [Steep { factor: 0. }, Steep { factor: 1. }];

impl Model for Steep {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        // The derivative of a root at 0 is infinite, and 0 times that is no number.
        let features = images.flatten_from(1)?;
        let factor = (features.zeros_like()? + self.factor)?;
        let root = (&features * factor)?.sqrt()?.sum_keepdim(1)?;
        let own = root.broadcast_mul(&Tensor::new(&[0.01f32, 0., 0., 0.], &Device::Cpu)?)?;
        let logits = own.broadcast_add(&Tensor::new(&[1f32, 0., 0., 0.], &Device::Cpu)?)?;
        Ok(Output { features, logits })
    }
}

#[test]
fn gradients_without_a_direction_are_no_defence() -> Result<()> {
    let (x, y, n) = (images(2), Tensor::zeros(2, DType::U32, &Device::Cpu)?, examples(2));
    for (norm, eps) in [(Norm::Linf, 0.03), (Norm::L2, 0.6)] {
        let attacked = |steep: &Steep, name: &str| {
            let Probe { attack, objective, .. } =
                Probe::named(name, Ball { norm, eps }).map_err(candle::Error::wrap)?;
            attack.perturb(eval(steep, &objective), &x, &y, &keys(&n))
        };
        // An infinite entry has a sign, which is all that these follow in l-infinity.
        let signs = ["fgsm", "pgd-20", "cw", "apgd-ce"];
        for (steep, is) in STEEP.iter().zip(["no number", "infinite"]) {
            for name in signs.into_iter().chain(["mim-5", "fab", "fab-t"]) {
                match attacked(steep, name) {
                    Ok(_) => assert!(is == "infinite" && norm == Norm::Linf && signs.contains(&name), "{name}, {norm}"),
                    Err(told) => {
                        let told = told.to_string();
                        assert!(told.contains(&format!("gradient in its pixels is {is}")), "{name}, {norm}: {told}");
                    }
                }
            }
            // A ratio of infinite differences is no number either.
            let told = attacked(steep, "apgd-t").unwrap_err().to_string();
            assert!(told.contains("gradient in its pixels is no number"), "{norm}: {told}");
            // What needs no gradient is not told of any.
            attacked(steep, "square")?;
        }
    }
    Ok(())
}
