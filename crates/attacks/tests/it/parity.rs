//! FGSM, MI-FGSM, PGD and CW against torchattacks and plain PyTorch loops.
//!
//! Where the network is very sure, the gradient of the cross-entropy is rounding noise, and so is
//! its sign. So pixels are compared only on images on which PyTorch agrees with itself in 64 bits;
//! elsewhere losses and accuracy are.

use crate::golden::{Golden, Recorder, assert_mean, ball, correct, losses, split, steps};
use crate::setting::{eval, examples, keys};
use attacks::{Attack, Ball, Norm, Pgd, Start};
use candle::{DType, Result, Tensor, Var};
use models::{Mode, Model};
use objectives::{Clean, Objective, Pass, Stage, ce, margin};

/// Every family of runs, and the tests that compare them.
const FAMILIES: [&str; 8] = ["clean", "fgsm", "mifgsm", "pgd_l2_", "pgd10", "pgd20", "cw10", "apgd_"];
const TENSORS: [&str; 10] =
    ["robust", "robust_any_step", "loss", "best_loss", "margin", "final_ce", "x_adv", "hit", "ce", "correct"];

#[test]
fn parity_knows_every_tensor() {
    let Some(golden) = Golden::open() else { return };
    for key in golden.stored.keys() {
        let known = match split(key) {
            None => ["labels", "start_unit", "start_normal", "target"].contains(&key.as_str()),
            Some(("fgsm", what)) => what == "sign_agreement_with_float64",
            Some((run, what)) => {
                let numbered = what.strip_prefix("x_").or(what.strip_prefix("agreement_"));
                FAMILIES.iter().any(|family| run.starts_with(family))
                    && (TENSORS.contains(&what) || numbered.is_some_and(|t| t.parse::<usize>().is_ok()))
            }
        };
        assert!(known, "no test knows {key}");
    }
}

#[test]
fn parity_clean() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    let logits = golden.net.frozen().forward(&golden.images, Mode::Eval)?.logits;
    let ours = losses(&ce(Pass::Adv), &logits, &golden.labels)?;
    for (ours, theirs) in ours.iter().zip(golden.floats("clean", "ce")) {
        assert!((ours - theirs).abs() <= 1e-4 * (1. + theirs), "{ours}, not {theirs}");
    }
    let theirs = golden.floats("clean", "correct");
    assert_eq!(correct(&logits, &golden.labels)?, theirs.iter().map(|hit| *hit != 0.).collect::<Vec<_>>());
    Ok(())
}

/// The share of pixels of each image that two attacks agree on.
fn agreement(ours: &Tensor, theirs: &Tensor, tolerance: f64) -> Result<Vec<f32>> {
    let off = (ours.narrow(0, 0, theirs.dim(0)?)? - theirs)?.abs()?;
    off.le(tolerance)?.to_dtype(DType::F32)?.flatten_from(1)?.mean(1)?.to_vec1()
}

/// On the images with `sharp` above 0.999, at least `share` of the pixels agree.
fn assert_pixels(what: &str, ours: &Tensor, theirs: &Tensor, sharp: &[f32], share: f64) -> Result<()> {
    let each = agreement(ours, theirs, 1e-5)?;
    let tested: Vec<f32> = each.iter().zip(sharp).filter(|(_, sharp)| **sharp > 0.999).map(|(a, _)| *a).collect();
    assert!(!tested.is_empty(), "{what}: no image is sharp");
    let mean = crate::golden::mean(&tested);
    let least = tested.iter().copied().fold(1., f32::min);
    println!("{what}: {mean:.5} of the pixels of {} images, {least:.5} of the worst", tested.len());
    assert!(mean >= share, "{what}: {mean} of the pixels agree");
    Ok(())
}

struct Run {
    /// The images before and after each step.
    x: Vec<Tensor>,
    logits: Vec<Tensor>,
}

/// Runs a one-restart attack from `start` and looks at every iterate.
fn run(golden: &Golden, attack: Pgd, objective: &Objective, labels: &Tensor, start: &Tensor) -> Result<Run> {
    let recorder = Recorder::new(&golden.net);
    let last = attack.from_point(eval(&recorder, objective), &golden.images, labels, start)?;
    attack.ball.check(&last, &golden.images)?;
    recorder.forward(&last, Mode::Eval)?;
    let (x, logits): (Vec<_>, Vec<_>) = recorder.calls().into_iter().unzip();
    assert_eq!(x.len(), attack.steps + 1);
    Ok(Run { x, logits })
}

impl Run {
    /// Final accuracy and cross-entropy, which every stored run has.
    fn assert_end(&self, golden: &Golden, name: &str) -> Result<()> {
        let logits = self.logits.last().expect("an end");
        golden.assert_count(name, "robust", &correct(logits, &golden.labels)?);
        let losses = losses(&ce(Pass::Adv), logits, &golden.labels)?;
        assert_mean(&format!("{name}.final_ce"), &losses, &golden.floats(name, "final_ce"), 0.03);
        Ok(())
    }

    /// The mean loss after every step, and the loss of each image at the start.
    fn assert_losses(&self, golden: &Golden, name: &str, what: &str, f: &Objective, labels: &Tensor) -> Result<()> {
        let theirs = golden.floats(name, what);
        let n = self.x[0].dim(0)?;
        assert_eq!(theirs.len(), n * self.logits.len());
        for (step, (logits, theirs)) in self.logits.iter().zip(theirs.chunks(n)).enumerate() {
            let ours = losses(f, logits, labels)?;
            if step == 0 {
                let off = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / (1. + b.abs())).fold(0., f32::max);
                assert!(off < 1e-4, "{name}: losses at the start are off by {off}");
            }
            assert_mean(&format!("{name}.{what}, step {step}"), &ours, theirs, 0.03);
        }
        Ok(())
    }

    /// Every stored iterate `x_t`: `share(t)` of the pixels must agree, `None` if they need not.
    fn assert_iterates(&self, golden: &Golden, name: &str, share: impl Fn(usize) -> Option<f64>) -> Result<usize> {
        let mut compared = 0;
        for (t, x) in self.x.iter().enumerate() {
            let Some(theirs) = golden.get(name, &format!("x_{t}")) else { continue };
            let Some(share) = share(t) else { continue };
            let sharp = match golden.get(name, &format!("agreement_{t}")) {
                Some(sharp) => sharp.to_vec1()?,
                None => golden.floats("fgsm", "sign_agreement_with_float64"),
            };
            assert_pixels(&format!("{name}.x_{t}"), x, theirs, &sharp, share)?;
            compared += 1;
        }
        Ok(compared)
    }
}

fn quarter_steps(name: &str, steps: usize) -> Pgd {
    Pgd { start: Start::Image, ..Pgd::new(ball(name), steps) }
}

fn random_start(golden: &Golden, ball: Ball) -> Result<Tensor> {
    (&golden.images + (&golden.stored["start_unit"] * ball.eps)?)?.clamp(0f32, 1f32)
}

#[test]
fn parity_fgsm() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    for name in golden.runs(&["fgsm."]) {
        let run = run(&golden, Pgd::fgsm(ball(&name)), &ce(Pass::Adv), &golden.labels, &golden.images)?;
        run.assert_end(&golden, &name)?;
        let theirs = golden.get(&name, "x_adv").expect("stored images");
        assert_pixels(&name, &run.x[1], theirs, &golden.floats("fgsm", "sign_agreement_with_float64"), 0.995)?;
    }
    Ok(())
}

#[test]
fn parity_mifgsm() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    for name in golden.runs(&["mifgsm"]) {
        let attack = Pgd { momentum: Some(1.), ..quarter_steps(&name, steps(&name)) };
        let run = run(&golden, attack, &ce(Pass::Adv), &golden.labels, &golden.images)?;
        run.assert_end(&golden, &name)?;
        if let Some(theirs) = golden.get(&name, "x_adv") {
            let last = run.x.last().expect("an end");
            assert_pixels(&name, last, theirs, &golden.floats("fgsm", "sign_agreement_with_float64"), 0.98)?;
        }
    }
    Ok(())
}

/// How long the gradient of the batch's mean loss is in each clean image.
fn lengths(golden: &Golden) -> Result<Vec<f32>> {
    let images = Var::from_tensor(&golden.images)?;
    let net = golden.net.frozen();
    let output = net.forward(&images, Mode::Eval)?;
    let clean = Clean::known(output.clone(), &golden.labels, Stage::Generation);
    let loss = ce(Pass::Adv).losses(&clean.against_known(output))?.mean_all()?;
    let grad = loss.backward()?.remove(&images).expect("the loss depends on the images");
    grad.sqr()?.flatten_from(1)?.sum(1)?.sqrt()?.to_vec1()
}

#[test]
fn parity_pgd_l2() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    let sharp = golden.floats("fgsm", "sign_agreement_with_float64");
    let lengths = lengths(&golden)?;
    assert!(lengths.iter().filter(|length| **length > 1e-8).count() > lengths.len() / 2, "{lengths:?}");
    for name in golden.runs(&["pgd_l2_"]) {
        let attack = Pgd { step: 0.1, ..quarter_steps(&name, steps(&name)) };
        assert_eq!(attack.ball.norm, Norm::L2);
        let run = run(&golden, attack, &ce(Pass::Adv), &golden.labels, &golden.images)?;
        let logits = run.logits.last().expect("an end");
        golden.assert_count(&name, "robust", &correct(logits, &golden.labels)?);
        let losses = losses(&ce(Pass::Adv), logits, &golden.labels)?;
        let theirs = golden.floats(&name, "final_ce");
        // torchattacks divides the gradient of the batch's mean loss by its norm plus 1e-10: images of which the network
        // is so sure that this is not small beside it hardly move there, and further here.
        let felt = |values: &[f32]| -> Vec<f32> {
            values.iter().zip(&lengths).filter(|(_, length)| **length > 1e-8).map(|(value, _)| *value).collect()
        };
        println!("{name}: compared on {} of {} images", felt(&losses).len(), losses.len());
        assert_mean(&format!("{name}.final_ce where the gradient is felt"), &felt(&losses), &felt(&theirs), 0.03);
        assert!(crate::golden::mean(&losses) > 0.97 * crate::golden::mean(&theirs), "{name}");
        if let Some(theirs) = golden.get(&name, "x_adv") {
            let n = theirs.dim(0)?;
            let off = (run.x.last().expect("an end").narrow(0, 0, n)? - theirs)?;
            let moved = (theirs - golden.images.narrow(0, 0, n)?)?;
            let size = |t: &Tensor| t.sqr()?.flatten_from(1)?.sum(1)?.sqrt()?.to_vec1::<f32>();
            let (off, moved) = (size(&off)?, size(&moved)?);
            let each: Vec<f32> = off.iter().zip(&moved).map(|(off, moved)| off / moved).collect();
            let tested: Vec<f32> = each.iter().zip(&sharp).filter(|(_, s)| **s > 0.999).map(|(e, _)| *e).collect();
            println!("{name}: perturbations differ by {tested:?} of their length");
            // After two steps one image sits on a switch of a ReLU: noise of 1e-6 in its pixels
            // turns its gradient by 4 %.
            let switched = tested.iter().filter(|off| **off > 1e-3).count();
            assert!(!tested.is_empty() && switched <= 1, "{name}: {tested:?}");
            assert!(tested.iter().all(|off| *off < 5e-2), "{name}: {tested:?}");
        }
    }
    Ok(())
}

fn parity_pgd(family: &str) -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    for name in golden.runs(&[family]) {
        let attack = quarter_steps(&name, steps(&name));
        let start = random_start(&golden, attack.ball)?;
        let run = run(&golden, attack, &ce(Pass::Adv), &golden.labels, &start)?;
        run.assert_end(&golden, &name)?;
        run.assert_losses(&golden, &name, "loss", &ce(Pass::Adv), &golden.labels)?;
        run.assert_iterates(&golden, &name, |t| match t {
            1 => Some(0.995),
            2 | 3 => Some(0.98),
            _ => None,
        })?;
    }
    Ok(())
}

#[test]
fn parity_pgd10() -> Result<()> {
    parity_pgd("pgd10.")
}

#[test]
fn parity_pgd20() -> Result<()> {
    parity_pgd("pgd20.")
}

#[test]
fn parity_pgd_targeted() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    let target = golden.stored["target"].to_dtype(DType::U32)?;
    for name in golden.runs(&["pgd10_targeted."]) {
        let attack = quarter_steps(&name, 10);
        let start = random_start(&golden, attack.ball)?;
        let run = run(&golden, attack, &(-1. * ce(Pass::Adv)), &target, &start)?;
        run.assert_end(&golden, &name)?;
        let last = run.logits.last().expect("an end");
        golden.assert_count(&name, "hit", &correct(last, &target)?);
        run.assert_losses(&golden, &name, "loss", &ce(Pass::Adv), &target)?;
        let compared = run.assert_iterates(&golden, &name, |_| Some(0.995))?;
        assert_eq!(compared, 1);
    }
    Ok(())
}

#[test]
fn parity_cw() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    for name in golden.runs(&["cw10."]) {
        let attack = quarter_steps(&name, 10);
        let start = random_start(&golden, attack.ball)?;
        let run = run(&golden, attack, &margin(), &golden.labels, &start)?;
        run.assert_end(&golden, &name)?;
        run.assert_losses(&golden, &name, "margin", &margin(), &golden.labels)?;
        assert_eq!(run.assert_iterates(&golden, &name, |_| Some(0.999))?, 2);
    }
    Ok(())
}

#[test]
fn parity_of_our_own_random_starts() -> Result<()> {
    let Some(golden) = Golden::open() else { return Ok(()) };
    let ball = Ball::grey_levels(1.);
    let view = golden.net.frozen();
    let attack = Pgd::new(ball, 20);
    let objective = ce(Pass::Adv);
    let adv = attack.perturb(eval(&view, &objective), &golden.images, &golden.labels, &keys(&examples(64)))?;
    ball.check(&adv, &golden.images)?;
    let logits = view.forward(&adv, Mode::Eval)?.logits;
    golden.assert_count("pgd20.e1", "robust", &correct(&logits, &golden.labels)?);
    Ok(())
}
