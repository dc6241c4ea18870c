//! Comparisons.

use candle::{Device, Result, Shape, Tensor, Var};
use kernels::Key;

/// Floats of a tensor in row-major order.
pub fn floats(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// Panics unless `a` is `b` within `tolerance` of the largest entry of `b`.
pub fn assert_near(what: &str, a: &[f32], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}: lengths differ");
    let largest = b.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let off = (f64::from(*a) - b).abs();
        assert!(
            off <= tolerance * largest + 1e-12,
            "{what}: entry {i} is {a}, not {b} ({off:e} off, largest {largest})"
        );
    }
}

fn drawn(shape: impl Into<Shape>, fill: impl FnOnce(&mut [f32])) -> Result<Tensor> {
    let shape = shape.into();
    let mut numbers = vec![0.; shape.elem_count()];
    fill(&mut numbers);
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

fn key(number: u64) -> Key {
    Key { seed: 0, epoch: 0, example: number, restart: 0 }
}

/// The `number`-th draw of normal numbers, the same in every run: a rectifier whose input happens to be zero up to
/// rounding lets one way of computing pass what another stops.
pub fn fixed_normal(number: u64, std: f32, shape: impl Into<Shape>) -> Result<Tensor> {
    drawn(shape, |out| kernels::fill_normal(key(number), std, out))
}

/// The `number`-th draw of numbers between 0 and 1, the same in every run.
pub fn fixed_uniform(number: u64, shape: impl Into<Shape>) -> Result<Tensor> {
    drawn(shape, |out| kernels::fill_uniform(key(number), 0., 1., out))
}

/// Normal numbers that can be differentiated.
pub fn normal(shape: &[usize]) -> Result<Var> {
    Var::randn(0f32, 1f32, shape, &Device::Cpu)
}

/// `sum(y * dy)` differentiated with respect to `of`.
pub fn gradients(y: &Tensor, dy: &Tensor, of: &[&Tensor]) -> Result<Vec<Tensor>> {
    let grads = (y * dy)?.sum_all()?.backward()?;
    Ok(of.iter().map(|t| grads.get(t).expect("a gradient").clone()).collect())
}

/// `sum(a * b)` in 64 bits.
pub fn dot(a: &Tensor, b: &Tensor) -> f64 {
    floats(a).iter().zip(floats(b)).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
}
