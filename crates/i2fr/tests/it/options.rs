//! How the regulariser is named, and which options it refuses.

use candle::{Device, Result, Tensor};
use i2fr::{I2fr, Reference};
use objectives::{Pass, ce};

#[test]
fn it_describes_itself() -> Result<()> {
    let shown = |options: I2fr| options.objective().map(|o| o.to_string());
    assert_eq!(shown(I2fr::default())?, "i2fr(1 intra-clean, 0.5 intra-class, 1 inter, pairs, margin 1, l2)");
    let other = I2fr {
        intra_clean: 0.,
        margin: 2.5,
        normalize: false,
        reference: Reference::RunningMeans { decay: 0.9 },
        clean_gradient: false,
        ..I2fr::default()
    };
    assert_eq!(
        shown(other.clone())?,
        "i2fr(0.5 intra-class, 1 inter, running means 0.9, margin 2.5, raw, clean constant)"
    );
    let means = I2fr { intra_class: 0., inter: 0., reference: Reference::BatchMeans, ..I2fr::default() };
    assert_eq!(shown(means.clone())?, "i2fr(1 intra-clean, batch means, margin 1, l2)");
    let sum = ce(Pass::Adv) + 0.25 * means.objective()?;
    assert_eq!(sum.to_string(), "ce(adv) + 0.25 i2fr(1 intra-clean, batch means, margin 1, l2)");
    assert_eq!(other.to_string(), shown(other)?);
    Ok(())
}

#[test]
fn impossible_options_are_refused() {
    type Change = fn(&mut I2fr, f64);
    let with = |change: Change, value: f64| {
        let mut options = I2fr::default();
        change(&mut options, value);
        options.objective().map(|_| ()).map_err(|e| e.to_string())
    };
    let fields: [(&str, Change); 4] = [
        ("intra-clean", |o, v| o.intra_clean = v),
        ("intra-class", |o, v| o.intra_class = v),
        ("inter", |o, v| o.inter = v),
        ("margin", |o, v| o.margin = v),
    ];
    for (name, change) in fields {
        for value in [-1., f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let text = with(change, value).expect_err(name);
            assert!(text.contains(name) && text.contains(&value.to_string()), "{text}");
        }
        with(change, 0.).expect("zero is a number like others");
    }
    let decay: Change = |o, decay| o.reference = Reference::RunningMeans { decay };
    for value in [-0.1, 1., 2., f64::NAN] {
        assert!(with(decay, value).expect_err("decay").contains("decay"));
    }
    with(decay, 0.).expect("no past at all");
}

#[test]
fn features_of_other_sizes_are_refused() -> Result<()> {
    let labels = Tensor::new(&[0u32, 1], &Device::Cpu)?;
    let features = |n: usize, d: usize| Tensor::ones((n, d), candle::DType::F32, &Device::Cpu);
    for (adv, clean) in [((2, 3), (2, 4)), ((3, 3), (2, 3))] {
        let (adv, clean) = (features(adv.0, adv.1)?, features(clean.0, clean.1)?);
        assert!(crate::terms::losses(&I2fr::default().objective()?, &adv, &clean, &labels).is_err());
    }
    Ok(())
}
