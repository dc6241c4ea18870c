//! Normalised rows, seen through the distance to unit vectors.

use crate::golden::{assert_gradient, assert_values, cases};
use crate::terms::losses;
use candle::{Result, Tensor, Var};
use i2fr::I2fr;

/// For n the normalised row and e a unit vector, `n . e = (||n||^2 + 1 - d(n, e)) / 2`.
#[test]
fn parity_normalize_rows() -> Result<()> {
    let Some(cases) = cases("ops.safetensors") else { return Ok(()) };
    let mut seen = 0;
    for (name, case) in cases.iter().filter(|(name, _)| name.starts_with("normalize_rows")) {
        let x = Var::from_tensor(&case["x"])?;
        let (n, d) = x.dims2()?;
        let labels = Tensor::zeros(n, candle::DType::U32, x.device())?;
        let distance = I2fr { intra_clean: 1., intra_class: 0., inter: 0., normalize: true, ..I2fr::default() };
        let distance = distance.objective()?;
        let origin = losses(&distance, &x, &x.zeros_like()?, &labels)?;
        let eye = Tensor::eye(d, candle::DType::F32, x.device())?;
        let columns = (0..d).map(|k| {
            let unit = eye.narrow(0, k, 1)?.broadcast_as((n, d))?.contiguous()?;
            ((&origin + 1.)? - losses(&distance, &x, &unit, &labels)?)? * 0.5
        });
        let out = Tensor::stack(&columns.collect::<Result<Vec<_>>>()?, 1)?;
        assert_values(name, &out, &case["out"], 1e-5, 1e-6);
        let grads = (out * &case["gout"])?.sum_all()?.backward()?;
        assert_gradient(name, grads.get(&x).expect("a gradient"), &case["grad_x"], 1e-4);
        seen += 1;
    }
    assert!(seen > 0, "no normalised rows among the operators");
    Ok(())
}
