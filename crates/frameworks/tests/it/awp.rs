//! Adversarial weight perturbation: every `awp.*` tensor of `losses.safetensors`, and the bits of a
//! network around it.

use crate::golden::{labels, numbers, tensors};
use candle::{Device, Result, Tensor, Var};
use frameworks::{Awp, weight_direction};
use models::{Arch, Mode, Model, Net, Output};
use objectives::{Clean, Objective, Pass, Stage, ce, kl};
use std::collections::{BTreeMap, BTreeSet};

/// Within `tolerance` of the largest entry.
fn near(what: &str, ours: &Tensor, theirs: &Tensor, tolerance: f64) {
    let (ours, theirs) = (numbers(ours), numbers(theirs));
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(0f64, |m, v| m.max(v.abs()));
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() <= tolerance * largest, "{what}: {a}, not {b}");
    }
}

/// Linear layers by number, with a relu between them.
struct Mlp(BTreeMap<String, Var>);

impl Mlp {
    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for (i, layer) in ["0", "2"].iter().filter(|l| self.0.contains_key(&format!("{l}.weight"))).enumerate() {
            let (w, b) = (&self.0[&format!("{layer}.weight")], &self.0[&format!("{layer}.bias")]);
            x = if i > 0 { kernels::relu(&x)? } else { x };
            x = x.matmul(&w.t()?)?.broadcast_add(b)?;
        }
        Ok(x)
    }

    fn loss(&self, objective: &Objective, clean: &Tensor, adv: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let output = |x: &Tensor| -> Result<Output> { Ok(Output { features: x.clone(), logits: self.logits(x)? }) };
        let clean = Clean::known(output(clean)?, labels, Stage::Training);
        objective.losses(&clean.against_known(output(adv)?))?.mean_all()
    }
}

#[test]
fn parity_with_the_official_code() -> Result<()> {
    let Some(all) = tensors("losses.safetensors") else { return Ok(()) };
    let (clean, adv) = (&all["input.z_clean"], &all["input.z_adv"]);
    let labels = labels(&all["input.labels"])?;

    let mut seen = BTreeSet::new();
    let mut get = |name: String| {
        let tensor = all.get(&name).unwrap_or_else(|| panic!("no {name}"));
        seen.insert(name);
        tensor
    };
    let parts = |from: &str, at: usize| -> BTreeSet<String> {
        let names = all.keys().filter_map(|name| name.strip_prefix(from));
        names.map(|rest| rest.splitn(at + 2, '.').nth(at).expect("a part").to_owned()).collect()
    };
    for model in parts("awp.", 0) {
        let prefix = format!("awp.{model}.");
        let parameters: Vec<_> =
            all.keys().filter_map(|n| n.strip_prefix(&format!("{prefix}param."))).map(str::to_owned).collect();
        for game in parts(&prefix, 0).into_iter().filter(|part| part != "param" && part != "loss_at_start") {
            let objective = match game.as_str() {
                "at" => ce(Pass::Adv),
                "trades" => ce(Pass::Clean) + 6. * kl(),
                unknown => panic!("no loss for {prefix}{unknown}"),
            };
            let var = |name: &String| Ok((name.clone(), Var::from_tensor(get(format!("{prefix}param.{name}")))?));
            let network = Mlp(parameters.iter().map(var).collect::<Result<_>>()?);
            let grads = network.loss(&objective, clean, adv, &labels)?.backward()?;
            // Before and after, the file has the cross-entropy of adversarial features, whatever was ascended.
            let measured = || network.loss(&ce(Pass::Adv), clean, adv, &labels);
            near(&format!("{prefix}loss_at_start"), &measured()?, get(format!("{prefix}loss_at_start")), 1e-5);
            let at = |what: &str| format!("{prefix}{game}.{what}");
            let gamma: f64 = numbers(get(at("gamma")))[0];
            // The step of the official copy, whose length cancels; and what its restoring by
            // subtraction misses, where copies miss nothing.
            assert!(numbers(get(at("proxy_lr")))[0] > 0. && numbers(get(at("max_restore_error")))[0] < 1e-6);
            for name in &parameters {
                let weight = &network.0[name];
                let mut moved = weight.as_detached_tensor();
                if weight.rank() >= 2 {
                    let direction = weight_direction(weight, grads.get(weight).expect("a gradient"))?;
                    let diff = at(&format!("diff.{name}"));
                    near(&diff, &direction, get(diff.clone()), 1e-4);
                    moved = (moved + (direction * gamma)?)?;
                    weight.set(&moved)?;
                }
                let perturbed = at(&format!("perturbed.{name}"));
                near(&perturbed, &moved, get(perturbed.clone()), 1e-5);
            }
            near(&at("loss_at_perturbed"), &measured()?, get(at("loss_at_perturbed")), 1e-5);
        }
    }
    let unseen: Vec<_> = all.keys().filter(|name| name.starts_with("awp.") && !seen.contains(*name)).collect();
    assert!(!seen.is_empty() && unseen.is_empty(), "not compared: {unseen:?}");
    Ok(())
}

/// A network with batch normalisation, and a batch for it.
pub fn network() -> Result<(Net, Tensor, Tensor)> {
    let net = Net::new(Arch::Tiny, [3, 32, 32], 10, 5, &Device::Cpu)?;
    let mut pixels = vec![0f32; 8 * 3 * 32 * 32];
    let key = kernels::Key { seed: 3, epoch: 0, example: 0, restart: 0 };
    kernels::fill_uniform(key, 0., 1., &mut pixels);
    let images = Tensor::from_vec(pixels, (8, 3, 32, 32), &Device::Cpu)?;
    Ok((net, images, Tensor::arange(0u32, 8, &Device::Cpu)?))
}

fn loss(net: &Net, images: &Tensor, labels: &Tensor, mode: Mode) -> Result<Tensor> {
    let output = net.live().forward(images, mode)?;
    let clean = Clean::known(output.clone(), labels, Stage::Training);
    ce(Pass::Adv).losses(&clean.against_known(output))?.mean_all()
}

pub fn bits(net: &Net) -> Result<BTreeMap<String, Vec<u32>>> {
    let bits = |t: &Tensor| -> Result<Vec<u32>> {
        Ok(t.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
    };
    net.state()?.iter().map(|(name, t)| Ok((name.clone(), bits(t)?))).collect()
}

#[test]
fn a_network_is_restored_bit_for_bit() -> Result<()> {
    let (mut net, images, labels) = network()?;
    let before = bits(&net)?;
    let directions = Awp::directions(&mut net, |net| loss(net, &images, &labels, Mode::Train))?;
    assert_eq!(bits(&net)?, before, "after finding the directions");
    let ranks: BTreeMap<_, _> = net.parameters().trainable().map(|(name, var)| (name.to_owned(), var.rank())).collect();
    let matrices: Vec<_> = ranks.iter().filter(|(_, rank)| **rank >= 2).map(|(name, _)| name).collect();
    assert_eq!(directions.keys().collect::<Vec<_>>(), matrices, "weights of two or more dimensions");

    let awp = Awp { gamma: 0.01 };
    let moved = awp.perturbed(&mut net, &directions, bits)?;
    assert!(matrices.iter().all(|name| moved[*name] != before[*name]));
    assert_eq!(bits(&net)?, before, "after the perturbed run");
    let failed: Result<()> = awp.perturbed(&mut net, &directions, |_| candle::bail!("no result"));
    assert!(failed.is_err());
    assert_eq!(bits(&net)?, before, "after a run that failed");
    Ok(())
}

#[test]
fn perturbed_weights_are_worse_and_no_further_than_gamma() -> Result<()> {
    let (mut net, images, labels) = network()?;
    let at = |net: &Net| loss(net, &images, &labels, Mode::BatchStats);
    let start = numbers(&at(&net)?)[0];
    let directions = Awp::directions(&mut net, at)?;
    for (name, direction) in &directions {
        let length = |t: &Tensor| numbers(t).iter().map(|v| v * v).sum::<f64>().sqrt();
        let ratio = length(direction) / length(&net.state()?[name]);
        assert!((ratio - 1.).abs() < 1e-4, "{name}: {ratio}");
    }
    let (worse, grads) = Awp { gamma: 0.005 }.gradients(&mut net, |net, _| at(net))?;
    assert!(numbers(&worse)[0] > start, "{worse} after {start}");
    assert!(net.parameters().trainable().all(|(_, var)| grads.get(var).is_some()));
    let (same, _) = Awp { gamma: 0. }.gradients(&mut net, |net, _| at(net))?;
    assert_eq!(numbers(&same)[0], start);
    Ok(())
}

#[test]
fn running_statistics_move_once_in_training() -> Result<()> {
    let (twin, images, labels) = network()?;
    let (mut net, ..) = network()?;
    let none = Awp { gamma: 0. };
    none.gradients(&mut net, |net, _| loss(net, &images, &labels, Mode::Train))?;
    loss(&twin, &images, &labels, Mode::Train)?;
    assert_eq!(bits(&net)?, bits(&twin)?);
    Ok(())
}

#[test]
fn a_weight_without_slope_is_not_perturbed() -> Result<()> {
    let weight = Tensor::new(&[[3f32, 4.]], &Device::Cpu)?;
    assert_eq!(numbers(&weight_direction(&weight, &weight.zeros_like()?)?), [0., 0.]);
    let direction = weight_direction(&weight, &Tensor::new(&[[0f32, 2.]], &Device::Cpu)?)?;
    assert_eq!(numbers(&direction), [0., 5.]);
    Ok(())
}
