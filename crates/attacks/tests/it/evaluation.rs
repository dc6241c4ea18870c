//! Accuracy under attack, example by example.

use attacks::{Attack, Ball, Evaluation, Keys, Pgd, Probe, Victim};
use candle::{D, Device, Result, Tensor};
use data::{Dataset, Name};
use models::{Arch, Mode, Model, Net};
use objectives::margin;
use std::{fmt, ops::ControlFlow, sync::Arc};

const N: usize = 23;

fn net() -> Net {
    Net::new(Arch::Tiny, [3, 32, 32], 10, 7, &Device::Cpu).expect("a net")
}

/// Random images; two of three labels are what the network says.
fn dataset(model: &dyn Model) -> Result<Dataset> {
    let mut floats = vec![0f32; N * 3 * 32 * 32];
    for (i, image) in floats.chunks_mut(3 * 32 * 32).enumerate() {
        let shade = 200. * i as f32 / N as f32;
        let key = kernels::Key { seed: 1, epoch: 0, example: i as u64, restart: 0 };
        kernels::fill_uniform(key, shade, shade + 55., image);
    }
    let pixels: Vec<u8> = floats.iter().map(|v| *v as u8).collect();
    let unlabelled = Dataset::new(Name::Synthetic, pixels.clone(), vec![0; N]).expect("a data set");
    let all: Vec<usize> = (0..N).collect();
    let images = unlabelled.batch(&all, &Device::Cpu).expect("a batch").images;
    let said = model.forward(&images, Mode::Eval)?.logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let labels = said.iter().enumerate().map(|(i, s)| if i % 3 == 1 { (s + 1) as u8 % 10 } else { *s as u8 }).collect();
    Ok(Dataset::new(Name::Synthetic, pixels, labels).expect("a data set"))
}

fn probe(levels: f64) -> Probe {
    let ball = Ball::grey_levels(levels);
    Probe { name: "test".into(), attack: Arc::new(Pgd::new(ball, 3)), objective: margin(), ball }
}

fn on(_: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn clean_accuracy_by_hand() -> Result<()> {
    let net = net();
    let view = net.frozen();
    let data = dataset(&view)?;
    let expected: Vec<bool> = (0..N).map(|i| i % 3 != 1).collect();
    for size in [0, 1, 5, N, 1000] {
        let mut seen = Vec::new();
        let mut progress = |done| {
            seen.push(done);
            ControlFlow::Continue(())
        };
        assert_eq!(
            Evaluation { model: &view, data: &data, batch: size, device: &Device::Cpu }.clean(&mut progress)?.as_ref(),
            Some(&expected)
        );
        assert_eq!(seen.last(), Some(&N), "size {size}");
        assert!(seen.is_sorted());
    }
    assert_eq!(
        Evaluation { model: &view, data: &data, batch: 5, device: &Device::Cpu }
            .clean(&mut |_| ControlFlow::Break(()))?,
        None
    );
    Ok(())
}

#[test]
fn robust_accuracy_by_hand() -> Result<()> {
    let net = net();
    let view = net.frozen();
    let data = dataset(&view)?;
    let before: Vec<bool> = (0..N).map(|i| i % 3 != 1).collect();
    let mut counts = Vec::new();
    for levels in [0., 2., 8., 64.] {
        let probe = probe(levels);
        let mut hand = before.clone();
        for i in (0..N).filter(|&i| before[i]) {
            let batch = data.batch(&[i], &Device::Cpu).expect("a batch");
            let keys = Keys { seed: 4, epoch: 0, examples: &[i as u64] };
            let victim = Victim { model: &view, mode: Mode::Eval, objective: &probe.objective };
            let adv = probe.attack.perturb(victim, &batch.images, &batch.labels, &keys)?;
            let said = view.forward(&adv, Mode::Eval)?.logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
            hand[i] = said[0] == data.label(i);
        }
        for size in [1, 4, 100] {
            let robust = Evaluation { model: &view, data: &data, batch: size, device: &Device::Cpu }
                .robust(&probe, &before, 4, &mut on)?;
            assert_eq!(robust.as_ref(), Some(&hand), "{levels} grey levels, {size} at a time");
        }
        assert!(hand.iter().zip(&before).all(|(after, before)| *before || !after), "a wrong example became right");
        counts.push(hand.iter().filter(|hit| **hit).count());
    }
    assert_eq!(counts[0], before.iter().filter(|hit| **hit).count(), "no budget, no effect");
    assert!(counts.is_sorted_by(|a, b| a >= b) && counts[3] < counts[0], "{counts:?}");
    Ok(())
}

#[test]
fn an_example_keeps_its_keys_in_a_subset() -> Result<()> {
    let net = net();
    let view = net.frozen();
    let data = dataset(&view)?;
    let all = Evaluation { model: &view, data: &data, batch: 8, device: &Device::Cpu }
        .robust(&probe(2.), &[true; N], 4, &mut on)?
        .expect("not stopped");
    let some = [20, 3, 11, 4];
    let few = data.select(&some);
    let few = Evaluation { model: &view, data: &few, batch: 8, device: &Device::Cpu }
        .robust(&probe(2.), &[true; 4], 4, &mut on)?
        .expect("not stopped");
    assert_eq!(few, some.map(|i| all[i]));
    Ok(())
}

#[test]
fn stopping_gives_nothing() -> Result<()> {
    let net = net();
    let view = net.frozen();
    let data = dataset(&view)?;
    let mut calls = 0;
    let mut stop = |_| {
        calls += 1;
        if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert_eq!(
        Evaluation { model: &view, data: &data, batch: 5, device: &Device::Cpu }.robust(
            &probe(2.),
            &[true; N],
            4,
            &mut stop
        )?,
        None
    );
    assert_eq!(calls, 2);
    let nobody = Evaluation { model: &view, data: &data, batch: 5, device: &Device::Cpu }.robust(
        &probe(2.),
        &[false; N],
        4,
        &mut on,
    )?;
    assert_eq!(nobody, Some(vec![false; N]));
    Ok(())
}

/// An attack with a bug.
struct Escape(f64);

impl Attack for Escape {
    fn perturb(&self, _: Victim<'_>, images: &Tensor, _: &Tensor, _: &Keys<'_>) -> Result<Tensor> {
        (images + self.0)?.clamp(0f32, 1f32)
    }
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("escape")
    }
}

#[test]
fn an_attack_that_leaves_its_ball_is_an_error() -> Result<()> {
    let net = net();
    let view = net.frozen();
    let data = dataset(&view)?;
    for (by, allowed) in [(0.01, true), (0.05, false), (f64::NAN, false)] {
        let probe = Probe { attack: Arc::new(Escape(by)), ..probe(8.) };
        let result = Evaluation { model: &view, data: &data, batch: 5, device: &Device::Cpu }
            .robust(&probe, &[true; N], 4, &mut on);
        assert_eq!(result.is_ok(), allowed, "moved by {by}");
    }
    Ok(())
}

#[test]
fn a_label_that_is_no_class_of_the_network_is_an_error() -> Result<()> {
    let few = Net::new(Arch::Tiny, [3, 32, 32], 5, 7, &Device::Cpu)?;
    let data = Dataset::new(Name::Synthetic, vec![9; 2 * 3 * 32 * 32], vec![4, 7]).expect("a data set");
    let evaluation = Evaluation { model: &few.frozen(), data: &data, batch: 5, device: &Device::Cpu };
    for found in [evaluation.clean(&mut on), evaluation.robust(&probe(0.), &[true; 2], 4, &mut on)] {
        let told = found.expect_err("five classes").to_string();
        assert!(told.contains("7") && told.contains("5 classes"), "{told}");
    }
    Ok(())
}
