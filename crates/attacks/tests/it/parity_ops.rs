//! Golden values of the operators that projections and steps are made of.

use crate::golden::load;
use attacks::{Ball, Norm};
use candle::{Result, Tensor};
use std::collections::BTreeMap;

/// The named case of `ops.safetensors`, each tensor as one image a row.
fn case(name: &str) -> Result<Option<BTreeMap<String, Tensor>>> {
    let Some(tensors) = load("ops.safetensors") else { return Ok(None) };
    let prefix = format!("{name}.");
    let case = tensors.iter().filter_map(|(full, t)| {
        let tensor = full.strip_prefix(&prefix)?;
        Some(t.reshape((t.dim(0).ok()?, 1, 1, ())).map(|t| (tensor.to_owned(), t)))
    });
    let case = case.collect::<Result<BTreeMap<_, _>>>()?;
    assert!(!case.is_empty(), "no case {name}");
    Ok(Some(case))
}

fn near(what: &str, a: &Tensor, b: &Tensor, tolerance: f32) -> Result<()> {
    let off = (a - b)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(off <= tolerance, "{what}: off by {off}");
    Ok(())
}

#[test]
fn parity_clamp_to_pixels() -> Result<()> {
    let Some(case) = case("clamp01_bounds")? else { return Ok(()) };
    for norm in [Norm::Linf, Norm::L2] {
        let everything = Ball::new(norm, 1e3).expect("a ball");
        near("clamp", &everything.project(&case["x"], &case["x"].zeros_like()?)?, &case["out"], 0.)?;
    }
    Ok(())
}

#[test]
fn parity_box() -> Result<()> {
    let Some(case) = case("box_min_max")? else { return Ok(()) };
    // The stored boxes leave [0, 1]; scaled by an eighth they fit.
    let fit = |t: &Tensor| (t * 0.125)? + 0.5;
    let (lo, hi) = (fit(&case["lo"])?, fit(&case["hi"])?);
    let widths = (&hi - &lo)?.flatten_all()?.to_vec1::<f32>()?;
    assert!(widths.iter().all(|w| (w - widths[0]).abs() < 1e-6), "one radius for all: {widths:?}");
    let ball = Ball::new(Norm::Linf, f64::from(widths[0]) / 2.).expect("a ball");
    let centre = ((&lo + &hi)? * 0.5)?;
    near("box", &ball.project(&fit(&case["x"])?, &centre)?, &fit(&case["out"])?, 2e-7)
}

#[test]
fn parity_sign() -> Result<()> {
    let Some(case) = case("sign")? else { return Ok(()) };
    let half = (case["x"].zeros_like()? + 0.5)?;
    let ball = Ball::new(Norm::Linf, 0.25).expect("a ball");
    let moved = ball.ascend(&half, &case["x"], &half, 0.25)?;
    near("sign", &((moved - half)? * 4.)?, &case["out"], 0.)
}
