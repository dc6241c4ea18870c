//! The last layer as a cosine.

use candle::{Device, Result, Tensor};
use models::{Arch, Head, Mode, Model, Net};

const SHAPE: [usize; 3] = [3, 32, 32];

fn net(arch: &str, head: Head) -> Result<Net> {
    Net::with_head(arch.parse().expect("an architecture"), head, SHAPE, 10, 1, &Device::Cpu)
}

#[test]
fn logits_are_scaled_cosines_whatever_the_lengths() -> Result<()> {
    let images = Tensor::rand(0f32, 1f32, (4, 3, 32, 32), &Device::Cpu)?;
    for (arch, last) in [("tiny", "linear"), ("resnet8", "linear"), ("preact-resnet18", "linear"), ("wrn-10-1", "fc")] {
        let mut net = net(arch, Head::Cosine { scale: 15. })?;
        let weight = format!("{last}.weight");
        assert!(net.parameters().iter().all(|(name, _)| name != format!("{last}.bias")), "{arch} has a bias");
        let output = net.frozen().forward(&images, Mode::Eval)?;
        let (z, w) = (output.features.to_vec2::<f32>()?, net.state()?[&weight].to_vec2::<f32>()?);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        for (z, logits) in z.iter().zip(output.logits.to_vec2::<f32>()?) {
            for (w, logit) in w.iter().zip(logits) {
                let cosine = 15. * dot(z, w) / (dot(z, z) * dot(w, w)).sqrt();
                assert!((f64::from(logit) - cosine).abs() < 1e-3, "{arch}: {logit}, not {cosine}");
            }
        }
        net.update(|parameters| {
            let (_, parameter) = parameters.iter().find(|(name, _)| *name == weight).expect("the last layer");
            parameter.var().set(&(parameter.var().as_detached_tensor() * 7.)?)
        })?;
        let longer = net.frozen().forward(&images, Mode::Eval)?.logits;
        let apart = (longer - output.logits)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(apart < 1e-3, "{arch}: {apart}");
    }
    Ok(())
}

#[test]
fn a_head_of_another_kind_does_not_load() -> Result<()> {
    let (mut linear, mut cosine) = (net("tiny", Head::Linear)?, net("tiny", Head::Cosine { scale: 15. })?);
    let error = cosine.load(&linear.state()?).expect_err("a bias").to_string();
    assert!(error.contains("linear.bias"), "{error}");
    let error = linear.load(&cosine.state()?).expect_err("no bias").to_string();
    assert!(error.contains("missing: linear.bias"), "{error}");
    assert_eq!(Net::new(Arch::Tiny, SHAPE, 10, 1, &Device::Cpu)?.head(), Head::Linear);
    Ok(())
}

#[test]
fn names_are_spelled_as_they_are_read() {
    for name in ["linear", "cosine-15", "cosine-0.5"] {
        assert_eq!(name.parse::<Head>().expect(name).to_string(), name);
    }
    for name in ["", "cosine", "cosine-0", "cosine--1", "cosine-inf", "Linear"] {
        let error = name.parse::<Head>().expect_err(name).to_string();
        assert!(error.contains("cosine-SCALE"), "{error}");
    }
}
