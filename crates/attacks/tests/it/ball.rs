//! Threat models.

use crate::setting::images;
use attacks::{Ball, Norm};
use candle::{Device, Result, Tensor};

fn row(values: &[f32]) -> Tensor {
    Tensor::new(values, &Device::Cpu).and_then(|t| t.reshape((1, 1, 1, values.len()))).expect("a row")
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().and_then(|x| x.to_vec1()).expect("values")
}

#[test]
fn bad_radii_are_refused() {
    for norm in [Norm::Linf, Norm::L2] {
        for eps in [-0.1, f64::NAN, f64::INFINITY, -f64::INFINITY] {
            let message = Ball::new(norm, eps).expect_err("a bad radius").to_string();
            assert!(message.contains("eps must be"), "{message}");
        }
        assert!(Ball::new(norm, 0.).is_ok() && Ball::new(norm, 0.5).is_ok());
        assert_eq!(norm.to_string().parse::<Norm>(), Ok(norm));
    }
    assert!("l1".parse::<Norm>().is_err());
    assert_eq!(Ball::grey_levels(8.).to_string(), "linf 8/255");
}

#[test]
fn projection_by_hand() -> Result<()> {
    let centre = row(&[0.5, 0.5, 0.05, 0.95]);
    let linf = Ball::new(Norm::Linf, 0.125).expect("a ball");
    let x = linf.project(&row(&[0.9, 0.45, -0.2, 1.2]), &centre)?;
    assert_eq!(values(&x), [0.625, 0.45, 0., 1.]);
    let l2 = Ball::new(Norm::L2, 0.5).expect("a ball");
    let x = l2.project(&row(&[3.5, 4.5, 0.05, 0.95]), &centre)?;
    for (x, expected) in values(&x).iter().zip([0.8, 0.9, 0.05, 0.95]) {
        assert!((x - expected).abs() < 1e-6, "{x}, not {expected}");
    }
    assert_eq!(values(&l2.project(&row(&[0.6, 0.5, 0.05, 0.95]), &centre)?), [0.6, 0.5, 0.05, 0.95]);
    Ok(())
}

#[test]
fn projections_pass_the_check() -> Result<()> {
    let centre = images(16);
    let far = ((images(16).flip(&[0])? * 9.)? - 4.)?;
    for norm in [Norm::Linf, Norm::L2] {
        for eps in [0., 1e-4, 0.03, 0.5, 3., 40.] {
            let ball = Ball::new(norm, eps).expect("a ball");
            let x = ball.project(&far, &centre)?;
            ball.check(&x, &centre)?;
            let again = ball.project(&x, &centre)?;
            assert!((again - x)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-6, "{ball}: not idempotent");
        }
    }
    Ok(())
}

#[test]
fn violations_are_found() -> Result<()> {
    let centre = row(&[0.5, 0.5, 0., 1.]);
    for (norm, x) in [
        (Norm::Linf, [0.5, 0.61, 0., 1.]),
        (Norm::L2, [0.58, 0.58, 0., 1.]),
        (Norm::Linf, [0.5, 0.5, -0.01, 1.]),
        (Norm::L2, [0.5, 0.5, 0., 1.01]),
        (Norm::Linf, [f32::NAN, 0.5, 0., 1.]),
        (Norm::L2, [0.5, 0.5, 0., f32::NAN]),
        (Norm::L2, [0.5, f32::NEG_INFINITY, 0., 1.]),
    ] {
        let ball = Ball::new(norm, 0.1).expect("a ball");
        assert!(ball.check(&row(&x), &centre).is_err(), "{ball} accepts {x:?}");
        assert!(ball.check(&centre, &centre).is_ok());
    }
    // One bad image of a batch is enough.
    let both = Tensor::cat(&[&centre, &row(&[0.5, 0.7, 0., 1.])], 0)?;
    assert!(Ball::grey_levels(8.).check(&both, &Tensor::cat(&[&centre, &centre], 0)?).is_err());
    Ok(())
}
