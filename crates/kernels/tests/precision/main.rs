//! What rounded factors change on a GPU: a little, the same every time, and nothing once they are no longer asked for.
//!
//! Only with the feature `cuda`, and only where there is a GPU from 2020 on: elsewhere these tests fail and say so.

#[path = "../it/near.rs"]
#[expect(dead_code, reason = "some comparisons of several")]
mod near;

use candle::{Result, Tensor};
use kernels::{Conv2d, Packing, Precision, set_precision};
use near::{assert_near, fixed_normal, floats, gradients};

/// Of a sum of hundreds of products little more than one rounding of its largest factor (or, in bfloat16, of itself) is
/// left: factors keep eleven digits and eight.
const TOLERANCES: [(Precision, f64); 2] = [(Precision::Tf32, 2e-3), (Precision::Bf16, 1e-2)];

/// Whether a bfloat16 can be each of these numbers.
fn narrow(numbers: &[f32]) -> bool {
    numbers.iter().all(|v| v.to_bits() << 16 == 0)
}

#[test]
fn convolutions_and_matrix_products() -> Result<()> {
    let gpu = kernels::gpu(0).unwrap_or_else(|e| panic!("no GPU answers, so nothing about GPUs can be tested: {e}"));
    let drawn = |number, shape: &[usize]| candle::Var::from_tensor(&fixed_normal(number, 1., shape)?.to_device(&gpu)?);
    // The networks' first layer has three channels, others as many as a GPU likes.
    for (i, o) in [(64, 64), (3, 64)] {
        let (x, filter, dy) = (drawn(1, &[8, 16, 16, i])?, drawn(2, &[o, i, 3, 3])?, drawn(3, &[8, 16, 16, o])?);
        let conv = || {
            let y = kernels::conv2d(&x, &filter, Conv2d { stride: 1, padding: 1 }, &Packing::default())?;
            let grads = gradients(&y, &dy, &[&x, &filter])?;
            Ok([vec![y], grads].concat())
        };
        compare(&format!("conv2d of {i} channels"), i % 4 == 0, true, conv)?;
    }
    let (a, b) = (drawn(4, &[256, 512])?, drawn(5, &[512, 128])?);
    compare("matmul", true, false, || Ok(vec![a.matmul(&b)?]))
}

/// `op` in each precision with itself in 32 bits; in bfloat16 its results are `narrows`. A GPU need not have TF32
/// for sizes that are not `round`.
fn compare(what: &str, round: bool, narrows: bool, op: impl Fn() -> Result<Vec<Tensor>>) -> Result<()> {
    let op = || Ok::<_, candle::Error>(op()?.iter().map(floats).collect::<Vec<_>>());
    let exact = op()?;
    for (precision, tolerance) in TOLERANCES {
        set_precision(precision);
        let rounded = op()?;
        for (i, (rounded, exact)) in rounded.iter().zip(&exact).enumerate() {
            let what = format!("{what} in {precision}, result {i}");
            assert_near(&what, rounded, &exact.iter().map(|&v| v.into()).collect::<Vec<f64>>(), tolerance);
            assert!(rounded != exact || !round && precision == Precision::Tf32, "{what}: nothing was rounded");
            assert_eq!(narrow(rounded), narrows && precision == Precision::Bf16, "{what}: which digits there are");
        }
        assert!(op()? == rounded, "{what} in {precision}: other bits the second time");
        set_precision(Precision::F32);
        assert!(op()? == exact, "{what}: rounded though {precision} is no longer asked for");
    }
    Ok(())
}
