//! Auto-PGD against the official code, from the same starts.

use crate::golden::{Golden, Recorder, assert_mean, ball, correct, losses, steps};
use crate::setting::{eval, examples, keys};
use attacks::{Apgd, Attack, Ball, Norm};
use candle::{D, Result, Tensor};
use models::{Mode, Model};
use objectives::{Objective, Pass, ce, dlr};

/// The official starts: noise scaled to the surface of the ball, image by image.
fn start(golden: &Golden, ball: Ball) -> Result<Tensor> {
    let (noise, size) = match ball.norm {
        Norm::Linf => {
            let noise = &golden.stored["start_unit"];
            (noise, noise.abs()?.flatten_from(1)?.max_keepdim(D::Minus1)?)
        }
        Norm::L2 => {
            let noise = &golden.stored["start_normal"];
            (noise, noise.sqr()?.flatten_from(1)?.sum_keepdim(D::Minus1)?.sqrt()?)
        }
    };
    let unit = noise.broadcast_div(&size.reshape(((), 1, 1, 1))?)?;
    (&golden.images + (unit * ball.eps)?)?.clamp(0f32, 1f32)
}

fn parity(family: &str) -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    for name in golden.runs(&[family]) {
        let objective: Objective = if name.starts_with("apgd_ce") { ce(Pass::Adv) } else { dlr() };
        let attack = Apgd::new(ball(&name), steps(&name));
        let recorder = Recorder::new(&golden.net);
        let start = start(&golden, attack.ball)?;
        let adv = attack.from_point(eval(&recorder, &objective), &golden.images, &golden.labels, &start)?;
        attack.ball.check(&adv, &golden.images)?;
        let calls = recorder.calls();
        let theirs = golden.floats(&name, "loss");
        let n = golden.labels.dim(0)?;
        assert_eq!(calls.len() * n, theirs.len(), "{name}: one pass at the start and one a step");
        let (mut best, mut standing) = (vec![f32::MIN; n], vec![true; n]);
        for (call, (_, logits)) in calls.iter().enumerate() {
            let losses = losses(&objective, logits, &golden.labels)?;
            let correct = correct(logits, &golden.labels)?;
            if call == 0 {
                let off = losses.iter().zip(&theirs).map(|(a, b)| (a - b).abs() / (1. + b.abs())).fold(0., f32::max);
                assert!(off < 1e-4, "{name}: losses at the start are off by {off}");
            }
            if name.starts_with("apgd_ce") {
                // Looser than the end: steps of up to twice the radius make the way there rough.
                assert_mean(&format!("{name}.loss, step {call}"), &losses, &theirs[call * n..][..n], 0.1);
            }
            for i in 0..n {
                best[i] = best[i].max(losses[i]);
                standing[i] &= correct[i];
            }
        }
        golden.assert_count(&name, "robust_any_step", &standing);
        // What comes back is a misclassified iterate wherever there was one.
        let logits = golden.net.frozen().forward(&adv, Mode::Eval)?.logits;
        assert_eq!(correct(&logits, &golden.labels)?, standing, "{name}: a success was lost");
        golden.assert_count(&name, "robust", &standing);
        if name.starts_with("apgd_ce") {
            assert_mean(&format!("{name}.best_loss"), &best, &golden.floats(&name, "best_loss"), 0.03);
            let ends = losses(&objective, &logits, &golden.labels)?;
            assert_mean(&format!("{name}.final_ce"), &ends, &golden.floats(&name, "final_ce"), 0.03);
        } else {
            // The ratio has no bound (its denominator may vanish), so single images would make its mean.
            let bounded = |values: &[f32]| values.iter().map(|v| v.clamp(-1., 1.)).collect::<Vec<_>>();
            let theirs = bounded(&golden.floats(&name, "best_loss"));
            assert_mean(&format!("{name}.best_loss, at most 1"), &bounded(&best), &theirs, 0.03);
        }
    }
    Ok(())
}

#[test]
fn parity_apgd_ce20() -> Result<()> {
    parity("apgd_ce20.")
}

#[test]
fn parity_apgd_dlr20() -> Result<()> {
    parity("apgd_dlr20.")
}

#[test]
fn parity_apgd_ce100() -> Result<()> {
    parity("apgd_ce100.")
}

#[test]
fn parity_apgd_dlr100() -> Result<()> {
    parity("apgd_dlr100.")
}

#[test]
fn parity_apgd_from_our_own_starts() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    let ball = Ball::grey_levels(1.);
    let view = golden.net.frozen();
    let objective = ce(Pass::Adv);
    let attack = Apgd::new(ball, 20);
    let adv = attack.perturb(eval(&view, &objective), &golden.images, &golden.labels, &keys(&examples(64)))?;
    ball.check(&adv, &golden.images)?;
    let logits = view.forward(&adv, Mode::Eval)?.logits;
    golden.assert_count("apgd_ce20.e1", "robust_any_step", &correct(&logits, &golden.labels)?);
    Ok(())
}
