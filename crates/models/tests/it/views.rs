//! The two views of a network, and what an update changes.

use candle::{Device, Result, Tensor, Var};
use models::{Arch, Mode, Model, Net, Output};
use std::collections::BTreeMap;

const SHAPE: [usize; 3] = [3, 16, 16];

fn net(arch: Arch, seed: u64) -> Result<Net> {
    Net::new(arch, SHAPE, 10, seed, &Device::Cpu)
}

/// Images that differ from pixel to pixel, without chance.
fn images(count: usize) -> Result<Tensor> {
    let numbers = count * SHAPE.iter().product::<usize>();
    let pixels: Vec<f32> = (0..numbers).map(|i| (i as f32 * 0.37).sin().abs()).collect();
    Tensor::from_vec(pixels, (count, SHAPE[0], SHAPE[1], SHAPE[2]), &Device::Cpu)
}

fn bits(t: &Tensor) -> Vec<u32> {
    t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("floats").into_iter().map(f32::to_bits).collect()
}

fn output_bits(Output { features, logits }: &Output) -> [Vec<u32>; 2] {
    [bits(features), bits(logits)]
}

fn state_bits(net: &Net) -> Result<BTreeMap<String, Vec<u32>>> {
    Ok(net.state()?.iter().map(|(name, t)| (name.clone(), bits(t))).collect())
}

/// Logits and the gradient of the pixels: both packed forms of every weight are read.
fn logits_and_gradient(net: &Net, x: &Tensor) -> Result<[Vec<u32>; 2]> {
    let x = Var::from_tensor(x)?;
    let logits = net.frozen().forward(&x, Mode::Eval)?.logits;
    let grads = logits.sqr()?.sum_all()?.backward()?;
    Ok([bits(&logits), bits(grads.get(&x).expect("a gradient of the pixels"))])
}

#[test]
fn a_frozen_view_refuses_to_train() -> Result<()> {
    let net = net(Arch::Tiny, 0)?;
    let before = state_bits(&net)?;
    let error = net.frozen().forward(&images(2)?, Mode::Train).expect_err("running statistics are not its to move");
    assert!(error.to_string().contains("frozen"), "{error}");
    assert_eq!(before, state_bits(&net)?);
    Ok(())
}

#[test]
fn only_a_training_pass_moves_running_statistics() -> Result<()> {
    let net = net(Arch::CifarResNet(8), 0)?;
    let x = images(4)?;
    let before = state_bits(&net)?;
    for view in [net.live(), net.frozen()] {
        for mode in [Mode::BatchStats, Mode::Eval] {
            view.forward(&x, mode)?;
            assert!(before == state_bits(&net)?, "{mode:?} changed the network");
        }
    }
    net.live().forward(&x, Mode::Train)?;
    for (name, values) in state_bits(&net)? {
        assert_eq!(values != before[&name], name.contains("running_"), "{name}");
    }
    Ok(())
}

#[test]
fn training_and_batch_statistics_give_the_same_output() -> Result<()> {
    let net = net(Arch::Tiny, 0)?;
    let x = images(4)?;
    let attack = net.frozen().forward(&x, Mode::BatchStats)?;
    assert_eq!(output_bits(&attack), output_bits(&net.live().forward(&x, Mode::Train)?));
    assert_ne!(output_bits(&attack), output_bits(&net.frozen().forward(&x, Mode::Eval)?));
    Ok(())
}

#[test]
fn the_frozen_view_differentiates_pixels_only() -> Result<()> {
    for arch in [Arch::Tiny, Arch::CifarResNet(8), Arch::WideResNet(10, 1)] {
        let net = net(arch, 0)?;
        let x = Var::from_tensor(&images(2)?)?;
        for mode in [Mode::Eval, Mode::BatchStats] {
            let grads = net.frozen().forward(&x, mode)?.logits.sqr()?.sum_all()?.backward()?;
            assert!(grads.get(&x).is_some());
            for (name, p) in net.parameters().iter() {
                assert!(grads.get(p.var()).is_none(), "{arch}: {name} has a gradient");
            }
        }
        let untracked = net.frozen().forward(&images(2)?, Mode::Eval)?;
        assert!(!untracked.logits.track_op() && !untracked.features.track_op(), "{arch}: a graph nobody needs");
    }
    Ok(())
}

#[test]
fn the_live_view_differentiates_every_weight_and_no_buffer() -> Result<()> {
    let net = net(Arch::CifarResNet(8), 0)?;
    for mode in [Mode::Eval, Mode::BatchStats, Mode::Train] {
        let grads = net.live().forward(&images(2)?, mode)?.logits.sqr()?.sum_all()?.backward()?;
        for (name, p) in net.parameters().iter() {
            assert_eq!(grads.get(p.var()).is_some(), p.trainable(), "{mode:?}: {name}");
        }
    }
    Ok(())
}

#[test]
fn both_views_see_the_same_bits() -> Result<()> {
    for arch in [Arch::Tiny, Arch::CifarResNet(8), Arch::PreActResNet18] {
        let net = net(arch, 3)?;
        let x = images(2)?;
        for mode in [Mode::Eval, Mode::BatchStats] {
            let (live, frozen) = (net.live().forward(&x, mode)?, net.frozen().forward(&x, mode)?);
            assert_eq!(output_bits(&live), output_bits(&frozen), "{arch} {mode:?}");
        }
    }
    Ok(())
}

/// Each image goes its own way in evaluation: neighbours in the batch do not change a bit.
#[test]
fn evaluation_does_not_depend_on_the_batch() -> Result<()> {
    let net = net(Arch::CifarResNet(8), 0)?;
    let x = images(5)?;
    let whole = net.frozen().forward(&x, Mode::Eval)?.logits;
    for i in 0..5 {
        let alone = net.frozen().forward(&x.narrow(0, i, 1)?, Mode::Eval)?.logits;
        assert_eq!(bits(&whole.narrow(0, i, 1)?), bits(&alone), "image {i}");
    }
    Ok(())
}

/// A packed copy of a weight that outlived an update would give the old outputs or gradients.
#[test]
fn an_update_reaches_outputs_and_gradients() -> Result<()> {
    for arch in [Arch::Tiny, Arch::CifarResNet(8), Arch::ResNet18] {
        let mut net = net(arch, 0)?;
        let x = images(2)?;
        let before = logits_and_gradient(&net, &x)?;
        net.update(|parameters| -> Result<()> {
            for (_, var) in parameters.trainable().filter(|(name, _)| name.contains("conv")) {
                var.set(&(var.as_detached_tensor() * 1.25)?)?;
            }
            Ok(())
        })?;
        let after = logits_and_gradient(&net, &x)?;
        assert!(before[0] != after[0] && before[1] != after[1], "{arch}: the update is not seen");
        let mut fresh = Net::new(arch, SHAPE, 10, 1, &Device::Cpu)?;
        logits_and_gradient(&fresh, &x)?;
        fresh.load(&net.state()?).expect("the same architecture");
        assert!(after == logits_and_gradient(&fresh, &x)?, "{arch}: something stale is left");
    }
    Ok(())
}

#[test]
fn a_state_is_a_copy() -> Result<()> {
    let mut net = net(Arch::Tiny, 0)?;
    let state = net.state()?;
    let before: BTreeMap<_, _> = state.iter().map(|(name, t)| (name.clone(), bits(t))).collect();
    net.update(|p| p.trainable().try_for_each(|(_, var)| var.set(&var.zeros_like()?)))?;
    assert!(state.iter().all(|(name, t)| bits(t) == before[name]), "the copy moved with the network");
    net.load(&state).expect("its own state");
    assert!(before == state_bits(&net)?);
    Ok(())
}
