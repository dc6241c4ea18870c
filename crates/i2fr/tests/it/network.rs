//! The terms through the published ResNet-20, down to the pixels.

use crate::golden::{Tensors, assert_pixel_gradients, assert_values, labels, path, pixels, tensors};
use crate::terms::{margin, normalize, term, weights};
use candle::{Device, Result, Tensor, Var};
use i2fr::{I2fr, Reference};
use models::{Arch, Mode, Net, checkpoint};
use objectives::{Clean, Objective, Pass, Stage, ce};

/// Mean loss of the stored images and its gradient in their pixels, as an attack computes them.
fn loss_and_gradient(net: &Net, golden: &Tensors, objective: &Objective) -> Result<(Tensor, Tensor)> {
    let (images, labels) = (pixels(&golden["images_u8"])?, labels(&golden["labels"])?);
    let adv = Var::from_tensor(&golden["x_adv"])?;
    let view = net.frozen();
    let batch = Clean::new(&view, Mode::Eval, &images, &labels, Stage::Generation);
    let passes = batch.against(&adv)?;
    let loss = objective.losses(&passes)?.mean_all()?;
    assert_values("z_clean", &passes.clean()?.features, &golden["z_clean"], 0., 1e-4);
    assert_values("z_adv", &passes.adv()?.features, &golden["z_adv"], 0., 1e-4);
    let grads = loss.backward()?;
    Ok((loss, grads.get(&adv).expect("a gradient of the pixels").clone()))
}

fn resnet20() -> Result<Net> {
    let mut net = Net::new(Arch::CifarResNet(20), [3, 32, 32], 10, 0, &Device::Cpu)?;
    let file = path("checkpoints/resnet20-12fca82f.th").expect("golden values");
    net.load(&checkpoint::read(&file).expect("a checkpoint")).expect("a ResNet-20");
    Ok(net)
}

#[test]
fn parity_values_and_pixel_gradients() -> Result<()> {
    let Some(golden) = tensors("i2fr_resnet20.safetensors") else { return Ok(()) };
    let net = resnet20()?;
    let (mut values, mut gradients) = (0, 0);
    for (name, expected) in &golden {
        match name.split('.').collect::<Vec<_>>()[..] {
            ["images_u8" | "labels" | "x_adv" | "z_adv" | "z_clean" | "first_index"] => {}
            ["cross_entropy_mean"] => {
                let (loss, _) = loss_and_gradient(&net, &golden, &ce(Pass::Adv))?;
                assert_values(name, &loss, expected, 1e-4, 0.);
                values += 1;
            }
            ["grad", "cross_entropy_mean"] => {
                // The probability of a sure image is 1 up to rounding, and so is its gradient 0.
                let (_, gradient) = loss_and_gradient(&net, &golden, &ce(Pass::Adv))?;
                assert_pixel_gradients(name, &gradient, expected, 1e-6);
                gradients += 1;
            }
            [kind, m, quantity] => {
                let objective = term(quantity, margin(m), normalize(kind)).objective()?;
                let (loss, _) = loss_and_gradient(&net, &golden, &objective)?;
                assert_values(name, &loss, expected, 1e-5, 1e-7);
                values += 1;
            }
            ["grad", kind, m, references, weighting] => {
                let reference = match references {
                    "pairs" => Reference::Pairs,
                    "centroid" => Reference::BatchMeans,
                    other => panic!("{name}: {other} is no kind of reference"),
                };
                let [intra_clean, intra_class, inter] = weights(weighting);
                let options = I2fr {
                    intra_clean,
                    intra_class,
                    inter,
                    margin: margin(m),
                    normalize: normalize(kind),
                    reference,
                    clean_gradient: true,
                };
                let (_, gradient) = loss_and_gradient(&net, &golden, &options.objective()?)?;
                assert_pixel_gradients(name, &gradient, expected, 0.);
                gradients += 1;
            }
            _ => panic!("{name}: a tensor no test knows"),
        }
    }
    assert!(values > 0 && gradients > 0, "{values} values, {gradients} gradients");
    Ok(())
}
