//! What rounded factors change on a card: a little, the same every time, and nothing once they are no longer asked for.
//!
//! Only with the feature `cuda`, and only where there is a card from 2020 on: elsewhere these tests fail and say so.

#[path = "../it/near.rs"]
#[expect(dead_code, reason = "one comparison of several")]
mod near;

use candle::{Device, Result, Tensor};
use kernels::{Conv2d, Packing, Precision, set_precision};
use near::{assert_near, fixed_normal, floats};

/// Factors keep eleven digits; of a sum of hundreds of products little more than one rounding is left.
const TOLERANCE: f64 = 2e-3;

#[test]
fn convolutions_and_matrix_products() -> Result<()> {
    let card =
        Device::new_cuda(0).unwrap_or_else(|e| panic!("no card answers, so nothing about cards can be tested: {e}"));
    let drawn = |number, shape: &[usize]| fixed_normal(number, 1., shape)?.to_device(&card);
    let (x, filter) = (drawn(1, &[8, 16, 16, 64])?, drawn(2, &[64, 64, 3, 3])?);
    let (a, b) = (drawn(3, &[256, 512])?, drawn(4, &[512, 128])?);
    let conv = || kernels::conv2d(&x, &filter, Conv2d { stride: 1, padding: 1 }, &Packing::default());
    let ops: [(&str, &dyn Fn() -> Result<Tensor>); 2] = [("conv2d", &conv), ("matmul", &|| a.matmul(&b))];
    for (what, op) in ops {
        let exact = floats(&op()?);
        set_precision(Precision::Tf32);
        let rounded = floats(&op()?);
        assert_near(what, &rounded, &exact.iter().map(|&v| v.into()).collect::<Vec<f64>>(), TOLERANCE);
        assert_ne!(rounded, exact, "{what}: nothing was rounded");
        assert!(floats(&op()?) == rounded, "{what}: other bits the second time");
        set_precision(Precision::F32);
        assert!(floats(&op()?) == exact, "{what}: rounded though no longer asked for");
    }
    Ok(())
}
