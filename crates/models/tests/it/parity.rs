//! Golden values of PyTorch: the published ResNet-20, and the linear layer.

use crate::golden::{
    assert_gradient, assert_pixel_gradients, assert_values, cases, labels, numbers, path, pixels, tensors,
};
use candle::{Device, Result, Var};
use candle_nn::loss::cross_entropy;
use models::{Arch, Mode, Model, Net, checkpoint};
use std::collections::BTreeSet;

/// The published network.
fn resnet20() -> Result<Net> {
    let mut net = Net::new(Arch::CifarResNet(20), [3, 32, 32], 10, 0, &Device::Cpu)?;
    let file = path("checkpoints/resnet20-12fca82f.th").expect("golden values");
    net.load(&checkpoint::read(&file).expect("a checkpoint")).expect("a ResNet-20");
    Ok(net)
}

#[test]
fn parity_logits_and_features() -> Result<()> {
    let Some(golden) = tensors("resnet20_reference.safetensors") else { return Ok(()) };
    let net = resnet20()?;
    let images = pixels(&golden["images_u8"])?;
    for view in [net.live(), net.frozen()] {
        let output = view.forward(&images, Mode::Eval)?;
        assert_values("features", &output.features, &golden["features"], 0., 1e-4);
        assert_values("logits", &output.logits, &golden["logits"], 0., 1e-4);
    }
    Ok(())
}

#[test]
fn parity_input_gradient() -> Result<()> {
    let Some(golden) = tensors("resnet20_reference.safetensors") else { return Ok(()) };
    let expected = &golden["input_grad.grad"];
    let count = expected.dim(0)?;
    let images = Var::from_tensor(&pixels(&golden["images_u8"].narrow(0, 0, count)?)?)?;
    let net = resnet20()?;
    let output = net.frozen().forward(&images, Mode::Eval)?;
    let loss = (cross_entropy(&output.logits, &labels(&golden["labels"].narrow(0, 0, count)?)?)? * count as f64)?;
    assert_values("loss", &loss, &golden["input_grad.loss_sum"], 1e-4, 1e-6);
    let grads = loss.backward()?;
    let gradient = grads.get(&images).expect("a gradient of the pixels");
    // The largest gradients, of the least certain images, set the scale: those of images the network
    // is sure of are rounding noise in 32 bits.
    let largest = numbers(expected).into_iter().fold(0f64, |m, v| m.max(v.abs()));
    assert_values("gradient", gradient, expected, 0., 1e-3 * largest);
    assert_pixel_gradients("gradient", gradient, expected, 1e-6);
    Ok(())
}

/// Loss, logits, the gradient of every parameter and the running statistics of one training pass.
#[test]
fn parity_training_pass() -> Result<()> {
    let Some(golden) = tensors("resnet20_reference.safetensors") else { return Ok(()) };
    let count = golden["train.logits"].dim(0)?;
    let images = pixels(&golden["images_u8"].narrow(0, 0, count)?)?;
    let net = resnet20()?;
    let output = net.live().forward(&images, Mode::Train)?;
    assert_gradient("logits", &output.logits, &golden["train.logits"], 1e-3);
    let loss = cross_entropy(&output.logits, &labels(&golden["labels"].narrow(0, 0, count)?)?)?;
    assert_values("loss", &loss, &golden["train.loss_mean"], 1e-3, 0.);
    let grads = loss.backward()?;

    let under = |prefix: &str| -> BTreeSet<String> {
        golden.keys().filter_map(|name| name.strip_prefix(prefix)).map(str::to_owned).collect()
    };
    let (trainable, buffers): (Vec<_>, Vec<_>) = net.parameters().iter().partition(|(_, p)| p.trainable());
    assert_eq!(under("train.grad."), trainable.iter().map(|(name, _)| (*name).to_owned()).collect());
    assert_eq!(under("train.new."), buffers.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (name, p) in trainable {
        let gradient = grads.get(p.var()).unwrap_or_else(|| panic!("no gradient of {name}"));
        assert_gradient(name, gradient, &golden[&format!("train.grad.{name}")], 1e-3);
    }
    for (name, p) in buffers {
        assert_gradient(name, p.var(), &golden[&format!("train.new.{name}")], 1e-3);
    }
    Ok(())
}

/// `linear*` of the operators: the matrix product and bias a linear layer consists of.
#[test]
fn parity_linear() -> Result<()> {
    let Some(cases) = cases("ops.safetensors") else { return Ok(()) };
    let mut seen = 0;
    for (name, case) in cases.iter().filter(|(name, _)| name.starts_with("linear")) {
        let var = |tensor: &str| case.get(tensor).map(Var::from_tensor).transpose();
        let (x, w, b) = (var("x")?.expect("x"), var("w")?.expect("w"), var("b")?);
        let product = x.matmul(&w.t()?)?;
        let out = b.as_ref().map_or(Ok(product.clone()), |b| kernels::bias(&product, b, false))?;
        assert_values(name, &out, &case["out"], 1e-5, 1e-6);
        let grads = (out * &case["gout"])?.sum_all()?.backward()?;
        for (tensor, var) in [("grad_x", Some(x)), ("grad_w", Some(w)), ("grad_b", b)] {
            let Some(var) = var else { continue };
            assert_gradient(&format!("{name}.{tensor}"), grads.get(&var).expect("a gradient"), &case[tensor], 1e-4);
        }
        seen += 1;
    }
    assert!(seen > 0, "no linear layer among the operators");
    Ok(())
}

/// Every tensor of the reference file is one that the tests above read.
#[test]
fn parity_covers_every_tensor() {
    let Some(golden) = tensors("resnet20_reference.safetensors") else { return };
    let known = ["features", "images_u8", "labels", "logits", "train.logits", "train.loss_mean"];
    let families = ["input_grad.", "train.grad.", "train.new."];
    let unknown: Vec<_> = golden
        .keys()
        .filter(|name| !known.contains(&name.as_str()) && !families.iter().any(|f| name.starts_with(f)))
        .collect();
    assert!(unknown.is_empty(), "tensors no test knows: {unknown:?}");
}
