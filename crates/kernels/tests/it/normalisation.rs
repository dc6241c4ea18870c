//! Batch normalisation against plain loops in 64 bits.

use crate::near::{assert_near, floats, gradients, normal};
use candle::{Device, Result, Tensor};
use kernels::{Statistics, batch_norm};
use proptest::prelude::*;

const EPS: f32 = 1e-5;

/// Value and gradients in 64 bits, of one channel at a time.
fn reference(x: &[f32], dy: &[f32], p: &[Vec<f32>; 4], batch: bool, relu: bool) -> [Vec<f64>; 4] {
    let c = p[0].len();
    let rows = x.len() / c;
    let n = rows as f64;
    let mut out = [vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; c], vec![0.0; c]];
    let mut kept = vec![0.0; x.len()];
    for ch in 0..c {
        let at = |row: usize| row * c + ch;
        let values: Vec<f64> = (0..rows).map(|i| x[at(i)].into()).collect();
        let (mean, var) = if batch {
            let mean = values.iter().sum::<f64>() / n;
            (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n)
        } else {
            (p[2][ch].into(), p[3][ch].into())
        };
        let inverse = 1.0 / (var + f64::from(EPS)).sqrt();
        let (gamma, beta) = (f64::from(p[0][ch]), f64::from(p[1][ch]));
        let (mut sum, mut product) = (0.0, 0.0);
        for (i, v) in values.iter().enumerate() {
            let hat = (v - mean) * inverse;
            let y = gamma * hat + beta;
            let g = if relu && y <= 0.0 { 0.0 } else { f64::from(dy[at(i)]) };
            out[0][at(i)] = if relu { y.max(0.0) } else { y };
            kept[at(i)] = g;
            sum += g;
            product += g * hat;
        }
        for (i, v) in values.iter().enumerate() {
            let hat = (v - mean) * inverse;
            let centred = if batch { kept[at(i)] - sum / n - hat * product / n } else { kept[at(i)] };
            out[1][at(i)] = gamma * inverse * centred;
        }
        out[2][ch] = product;
        out[3][ch] = sum;
    }
    out
}

fn check(rows: &[usize], c: usize, batch: bool, relu: bool) -> Result<()> {
    let shape: Vec<usize> = rows.iter().copied().chain([c]).collect();
    let what = format!("{shape:?} batch {batch} relu {relu}");
    let x = candle::Var::from_tensor(&((normal(&shape)?.as_tensor() * 2.0)? + 3.0)?)?;
    let (gamma, beta) = (normal(&[c])?, normal(&[c])?);
    let mean = normal(&[c])?;
    let var = Tensor::rand(0.5f32, 2f32, c, &Device::Cpu)?;
    let statistics = if batch { Statistics::Batch } else { Statistics::Running { mean: &mean, var: &var } };
    let (y, moments) = batch_norm(&x, &gamma, &beta, EPS, statistics, relu)?;
    assert_eq!(moments.is_some(), batch);
    let dy = Tensor::randn(0f32, 1f32, shape.as_slice(), &Device::Cpu)?;
    let grads = gradients(&y, &dy, &[&x, &gamma, &beta])?;
    let parameters = [floats(&gamma), floats(&beta), floats(&mean), floats(&var)];
    let want = reference(&floats(&x), &floats(&dy), &parameters, batch, relu);
    // Of what the rectifier leaves the largest may be tiny, next to the terms it was added up from.
    let largest = |values: &[f64]| values.iter().fold(0f64, |most, v| most.max(v.abs()));
    let [unrectified, ..] = reference(&floats(&x), &floats(&dy), &parameters, batch, false);
    let cancelled = |terms: f64, left: f64| if left > 0. { (terms / left).max(1.) } else { 1. };
    let scale = cancelled(largest(&unrectified), largest(&want[0]));
    assert_near(&format!("{what} y"), &floats(&y), &want[0], 1e-5 * scale);
    // With few values per channel the input gradient is what is left of large terms.
    let rows = x.elem_count() / c;
    let scale = if rows < 8 { 100.0 } else { 1.0 };
    for ((got, want), name) in grads.iter().zip(&want[1..]).zip(["dx", "dgamma", "dbeta"]) {
        // A sum of so many numbers of size 1 is about their root, but may by chance be near 0.
        let usual = if name == "dx" { 0. } else { (rows as f64).sqrt() };
        let scale = scale * cancelled(usual, largest(want));
        assert_near(&format!("{what} {name}"), &floats(got), want, 1e-4 * scale);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_shapes_match_plain_loops(
        n in 2usize..5, h in 2usize..9, w in 2usize..9,
        c in prop_oneof![1usize..=5, Just(16), Just(19), Just(64)],
        batch: bool, relu: bool,
    ) {
        check(&[n, h, w], c, batch, relu).unwrap();
    }
}

#[test]
fn large_and_flat_shapes() -> Result<()> {
    check(&[16, 16, 16], 32, true, true)?;
    check(&[4096], 7, true, false)
}

#[test]
fn a_large_mean_does_not_cancel() -> Result<()> {
    let x = (Tensor::randn(0f32, 1f32, (64, 8, 8, 16), &Device::Cpu)? + 1000.0)?;
    let (one, zero) =
        (Tensor::ones(16, candle::DType::F32, &Device::Cpu)?, Tensor::zeros(16, candle::DType::F32, &Device::Cpu)?);
    let (_, moments) = batch_norm(&x, &one, &zero, EPS, Statistics::Batch, false)?;
    let var = floats(&moments.unwrap().var);
    assert!(var.iter().all(|v| (v - 1.0).abs() < 0.1), "{var:?}");
    Ok(())
}

#[test]
fn one_value_per_channel_has_no_variance() -> Result<()> {
    let x = normal(&[1, 1, 1, 5])?;
    let (gamma, beta) = (normal(&[5])?, normal(&[5])?);
    let (y, moments) = batch_norm(&x, &gamma, &beta, EPS, Statistics::Batch, false)?;
    assert_eq!(floats(&moments.unwrap().var), [0.0; 5]);
    // Scaled by 1 / sqrt(eps), what rounding leaves of x - mean is seen.
    let beta: Vec<f64> = floats(&beta).into_iter().map(f64::from).collect();
    assert_near("y", &floats(&y), &beta, 1e-3);
    Ok(())
}

#[test]
fn detached_tensors_get_no_gradient() -> Result<()> {
    let (x, gamma, beta) = (normal(&[4, 3])?, normal(&[3])?, normal(&[3])?);
    let (g, b) = (gamma.as_detached_tensor(), beta.as_detached_tensor());
    let grads = batch_norm(&x, &g, &b, EPS, Statistics::Batch, true)?.0.sum_all()?.backward()?;
    assert!(grads.get(&x).is_some() && grads.get(&gamma).is_none());
    let detached = x.as_detached_tensor();
    let grads = batch_norm(&detached, &gamma, &b, EPS, Statistics::Batch, true)?.0.sum_all()?.backward()?;
    assert!(grads.get(&gamma).is_some() && grads.get(&beta).is_none() && grads.get(&x).is_none());
    Ok(())
}

#[test]
fn same_bits_for_any_number_of_threads() -> Result<()> {
    let (x, gamma, beta) = (normal(&[16, 16, 16, 24])?, normal(&[24])?, normal(&[24])?);
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let (y, _) = batch_norm(&x, &gamma, &beta, EPS, Statistics::Batch, true)?;
            let grads = gradients(&y, &y.detach(), &[&x, &gamma])?;
            Ok::<_, candle::Error>([floats(&y), floats(&grads[0]), floats(&grads[1])])
        })
    };
    let one = run(1)?;
    assert_eq!(one, run(2)?);
    assert_eq!(one, run(3)?);
    Ok(())
}

#[test]
fn errors_name_operator_and_shapes() {
    let (x, three, two) = (normal(&[4, 3]).unwrap(), normal(&[3]).unwrap(), normal(&[2]).unwrap());
    let run = |g: &Tensor| batch_norm(&x, g, &three, EPS, Statistics::Batch, false).unwrap_err().to_string();
    assert!(run(&two).contains("batch_norm") && run(&two).contains("[4, 3]"));
    let running = Statistics::Running { mean: &two, var: &three };
    assert!(batch_norm(&x, &three, &three, EPS, running, false).is_err());
    let none = Tensor::zeros((0, 3), candle::DType::F32, &Device::Cpu).unwrap();
    assert!(batch_norm(&none, &three, &three, EPS, Statistics::Batch, false).is_err());
}
