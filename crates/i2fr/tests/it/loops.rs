//! The definitions as plain loops in 64 bits, and what follows from them.

use crate::terms::losses;
use candle::{Device, Result, Tensor, Var};
use i2fr::{I2fr, Reference};

const LABELS: [u32; 7] = [0, 2, 0, 1, 2, 0, 4];

/// Features that differ everywhere, without chance.
fn features(phase: f64) -> Vec<Vec<f64>> {
    let row = |i: usize| (0..5).map(|k| f64::from(((i * 5 + k) as f64 * 0.73 + phase).sin() as f32)).collect();
    (0..LABELS.len()).map(row).collect()
}

fn tensor(rows: &[Vec<f64>]) -> Result<Tensor> {
    let flat: Vec<f32> = rows.concat().into_iter().map(|v| v as f32).collect();
    Tensor::from_vec(flat, (rows.len(), rows[0].len()), &Device::Cpu)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn unit(rows: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let scale = |row: Vec<f64>| {
        let norm = distance(&row, &vec![0.; row.len()]).sqrt().max(1e-12);
        row.into_iter().map(|v| v / norm).collect()
    };
    rows.into_iter().map(scale).collect()
}

/// The loss of example `i`.
fn by_loops(options: &I2fr, i: usize) -> f64 {
    let (mut adv, mut clean) = (features(0.), features(1.));
    if options.normalize {
        (adv, clean) = (unit(adv), unit(clean));
    }
    let (mut own, mut other) = (Vec::new(), Vec::new());
    if options.reference == Reference::Pairs {
        for j in (0..LABELS.len()).filter(|j| *j != i) {
            let to = if LABELS[j] == LABELS[i] { &mut own } else { &mut other };
            to.push(distance(&adv[i], &clean[j]));
        }
    } else {
        for class in 0..5 {
            let members: Vec<_> = (0..LABELS.len()).filter(|j| LABELS[*j] == class).map(|j| &clean[j]).collect();
            if members.is_empty() {
                continue;
            }
            let centre: Vec<_> = (0..5).map(|k| mean(&members.iter().map(|m| m[k]).collect::<Vec<_>>())).collect();
            let to = if class == LABELS[i] { &mut own } else { &mut other };
            to.push(distance(&adv[i], &centre));
        }
    }
    let closeness: Vec<_> = other.iter().map(|d| (options.margin - d).max(0.)).collect();
    options.intra_clean * distance(&adv[i], &clean[i])
        + options.intra_class * mean(&own)
        + options.inter * mean(&closeness)
}

#[test]
fn losses_are_those_of_the_definition() -> Result<()> {
    let labels = Tensor::new(&LABELS, &Device::Cpu)?;
    for reference in [Reference::Pairs, Reference::BatchMeans] {
        for (normalize, margin) in [(true, 1.), (true, 2.5), (false, 4.)] {
            let options = I2fr {
                intra_clean: 0.3,
                intra_class: 0.7,
                inter: 1.9,
                margin,
                normalize,
                reference,
                clean_gradient: true,
            };
            let ours = losses(&options.objective()?, &tensor(&features(0.))?, &tensor(&features(1.))?, &labels)?;
            for (i, loss) in ours.to_vec1::<f32>()?.into_iter().enumerate() {
                let expected = by_loops(&options, i);
                assert!((f64::from(loss) - expected).abs() < 1e-5, "{options}, example {i}: {loss}, not {expected}");
            }
        }
    }
    Ok(())
}

/// At distance exactly `margin` another class is far enough: it pushes no more.
#[test]
fn nothing_is_pushed_at_the_margin() -> Result<()> {
    let options = I2fr { intra_clean: 0., intra_class: 0., inter: 1., margin: 1., normalize: false, ..I2fr::default() };
    let labels = Tensor::new(&[0u32, 1], &Device::Cpu)?;
    let adv = Var::new(&[[0f32, 0.], [0., 1.]], &Device::Cpu)?;
    let clean = Tensor::new(&[[0f32, 0.5], [1., 0.]], &Device::Cpu)?;
    let ours = losses(&options.objective()?, &adv, &clean, &labels)?;
    assert_eq!(ours.to_vec1::<f32>()?, [0., 0.75]);
    let grads = ours.sum_all()?.backward()?;
    // The second is at 1/4 from the other class: -2 ((0, 1) - (0, 1/2)).
    assert_eq!(grads.get(&adv).expect("a gradient").to_vec2::<f32>()?, [[0., 0.], [0., -1.]]);
    Ok(())
}

#[test]
fn without_partners_only_the_own_image_counts() -> Result<()> {
    let (adv, clean) = (tensor(&features(0.)[..1])?, tensor(&features(1.)[..1])?);
    let labels = Tensor::new(&[3u32], &Device::Cpu)?;
    for reference in [Reference::Pairs, Reference::BatchMeans, Reference::RunningMeans { decay: 0.9 }] {
        let all = I2fr { intra_class: 0., reference, ..I2fr::default() };
        let own = I2fr { inter: 0., ..all.clone() };
        let of = |o: &I2fr| losses(&o.objective()?, &adv, &clean, &labels)?.to_vec1::<f32>();
        assert_eq!(of(&all)?, of(&own)?);
    }
    Ok(())
}
