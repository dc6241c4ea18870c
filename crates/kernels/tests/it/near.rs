//! Comparisons.

use candle::{Device, Result, Tensor, Var};

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
