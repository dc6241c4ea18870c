//! Losses that read the direction of logits or features and not their length.

use candle::{DType, Device, Result, Tensor, Var};
use models::Output;
use objectives::{Clean, Objective, Pass, Stage, ce, match_features, scaled_ce, targeted_dlr};

/// Losses and the gradient of their sum, of logits (or features) `x` `(N, K)`.
fn climb(objective: &Objective, x: &Tensor, labels: &[u32]) -> Result<(Vec<f32>, Vec<f32>)> {
    let labels = Tensor::new(labels, &Device::Cpu)?;
    let var = Var::from_tensor(x)?;
    let output = Output { features: var.as_tensor().clone(), logits: var.as_tensor().clone() };
    let clean = Clean::known(output.clone(), &labels, Stage::Generation);
    let losses = objective.losses(&clean.against_known(output))?;
    let grads = losses.sum_all()?.backward()?;
    Ok((losses.to_vec1()?, grads.get(&var).expect("a gradient").flatten_all()?.to_vec1()?))
}

fn logits() -> Result<Tensor> {
    Tensor::new(&[[0.3f32, -1.2, 2.5, 0.9], [4., 3.5, -2., 0.1], [-0.7, -0.2, -0.9, 1.1]], &Device::Cpu)
}

const LABELS: [u32; 3] = [2, 1, 0];

fn near(a: f32, b: f64, tolerance: f64) -> bool {
    (f64::from(a) - b).abs() <= tolerance * b.abs().max(1.)
}

/// Cross-entropy of one row with its label, given what the row is divided by.
fn by_hand(row: &[f64], label: usize, deviation: f64) -> f64 {
    let sum: f64 = row.iter().map(|z| ((z - row[label]) / deviation).exp()).sum();
    sum.ln()
}

fn deviation(row: &[f64]) -> f64 {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    (row.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / row.len() as f64).sqrt()
}

#[test]
fn standardised_cross_entropy_by_hand() -> Result<()> {
    let rows = logits()?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let (losses, grad) = climb(&scaled_ce(), &logits()?, &LABELS)?;
    for (i, row) in rows.iter().enumerate() {
        let (label, s) = (LABELS[i] as usize, deviation(row));
        assert!(near(losses[i], by_hand(row, label, s), 1e-5), "{}: {losses:?}", by_hand(row, label, s));
        for k in 0..row.len() {
            // The deviation stays while a logit moves.
            let moved = |by: f64| {
                let mut row = row.clone();
                row[k] += by;
                by_hand(&row, label, s)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(near(grad[i * row.len() + k], slope, 1e-4), "example {i}, class {k}: {grad:?}, not {slope}");
        }
    }
    Ok(())
}

#[test]
fn scale_and_offset_change_nothing() -> Result<()> {
    let (losses, grad) = climb(&scaled_ce(), &logits()?, &LABELS)?;
    for scale in [1e-3, 0.1, 1., 30., 1e3] {
        for offset in [0., -2., 50.] {
            let (other, other_grad) = climb(&scaled_ce(), &((logits()? + offset)? * scale)?, &LABELS)?;
            for (a, b) in losses.iter().zip(&other) {
                assert!(near(*b, f64::from(*a), 1e-4), "{scale}, {offset}: {other:?}, not {losses:?}");
            }
            for (a, b) in grad.iter().zip(&other_grad) {
                assert!(near(b * scale as f32, f64::from(*a), 1e-3), "{scale}, {offset}: {other_grad:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn saturated_logits_keep_a_gradient() -> Result<()> {
    // Examples that are classified correctly: their cross-entropy ends in zero.
    let labels = [2, 0, 3];
    let loud = (logits()? * 1e3)?;
    let (_, masked) = climb(&ce(Pass::Adv), &loud, &labels)?;
    assert!(masked.iter().all(|g| *g == 0.), "{masked:?}");
    let (_, grad) = climb(&scaled_ce(), &loud, &labels)?;
    for (i, row) in grad.chunks(4).enumerate() {
        let own = row[labels[i] as usize];
        assert!(own < -1e-6, "the label's logit should fall: {row:?}");
        assert!((0..4).all(|k| k == labels[i] as usize || row[k] > 0.), "all others should rise: {row:?}");
    }
    // Equal logits are at least finite.
    let (losses, grad) = climb(&scaled_ce(), &logits()?.zeros_like()?, &labels)?;
    assert!(losses.iter().all(|loss| near(*loss, 4f64.ln(), 1e-6)) && grad.iter().all(|g| g.is_finite()));
    Ok(())
}

#[test]
fn features_are_matched_by_hand() -> Result<()> {
    let centers = Tensor::new(&[[2f32, 0.], [0., 0.5], [-3., 0.]], &Device::Cpu)?;
    let features = Tensor::new(&[[5f32, 0.], [0.3, 0.4], [7., 0.], [0., 0.]], &Device::Cpu)?;
    let targets = Tensor::new(&[0u32, 1, 2, 1], &Device::Cpu)?;
    let objective = match_features(centers.clone(), targets.clone());
    let (losses, grad) = climb(&objective, &features, &[1, 0, 0, 0])?;
    // At the center, 0.6 and 0.2 away in two directions, opposite to it, and no direction at all.
    for (loss, expected) in losses.iter().zip([0., -0.4, -4., -1.]) {
        assert!(near(*loss, expected, 1e-6), "{losses:?}");
    }
    assert!(grad.iter().all(|g| g.is_finite()), "{grad:?}");
    // On the unit circle the gradient is twice the center's part along the circle, over the length.
    for (g, expected) in grad[2..4].iter().zip([2. * -0.48 / 0.5, 2. * 0.36 / 0.5]) {
        assert!(near(*g, expected, 1e-5), "{grad:?}");
    }
    // Lengths do not matter.
    let (other, _) = climb(&match_features((centers * 9.)?, targets), &(features * 0.01)?, &[0, 0, 0, 0])?;
    assert!(losses.iter().zip(&other).all(|(a, b)| near(*b, f64::from(*a), 1e-5)), "{losses:?} and {other:?}");
    Ok(())
}

#[test]
fn a_part_of_a_batch() -> Result<()> {
    let (x, at) = (logits()?, Tensor::new(&[2u32, 0], &Device::Cpu)?);
    let targets = Tensor::new(&[1u32, 3, 2], &Device::Cpu)?;
    let (some, centers) = (x.index_select(&at, 0)?, Tensor::cat(&[&x, &x], 0)?);
    let terms = || [targeted_dlr(targets.clone()), match_features(centers.clone(), targets.clone()), scaled_ce()];
    for objective in terms().into_iter().chain([terms().into_iter().reduce(|a, b| a + 0.5 * b).expect("terms")]) {
        let (all, _) = climb(&objective, &x, &LABELS)?;
        let (few, _) = climb(&objective.rows(&at)?, &some, &[LABELS[2], LABELS[0]])?;
        assert_eq!(few, [all[2], all[0]], "{objective}");
        assert_eq!(objective.rows(&at)?.to_string(), objective.to_string());
        let none = Tensor::new(&[3u32], &Device::Cpu)?;
        assert_eq!(objective.rows(&none).is_err(), objective.to_string() != "scaled-ce", "{objective}");
    }
    Ok(())
}

#[test]
fn a_target_without_a_center_is_an_error() -> Result<()> {
    let objective = match_features(logits()?, Tensor::new(&[0u32, 3, 1], &Device::Cpu)?);
    assert!(climb(&objective, &logits()?, &LABELS).is_err());
    Ok(())
}
