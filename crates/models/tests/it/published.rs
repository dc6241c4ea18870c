//! Published state dicts: every spelling against the same network in PyTorch.
//!
//! `tests/published/write.py` wrote the names, shapes and logits; weights are a formula that both sides know.

use crate::golden::assert_values;
use candle::{Device, Result, Tensor};
use models::{
    Arch, Head, Mode, Model, Net, Normalization,
    checkpoint::{self, Published},
};
use std::{collections::BTreeMap, path::Path};

/// Golden values of one network.
struct Case {
    arch: Arch,
    head: Head,
    state: BTreeMap<String, Tensor>,
    /// `(3, 10)`; none of a network this crate cannot run.
    logits: Option<Tensor>,
}

/// Numbers in [-1, 1) that depend on `name` and the position: FNV-1a, then a mixer of 32 bits.
fn draws(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let seed = name.bytes().fold(2_166_136_261u32, |seed, byte| (seed ^ u32::from(byte)).wrapping_mul(16_777_619));
    (0..count as u32).map(move |i| {
        let x = i.wrapping_mul(2_654_435_761).wrapping_add(seed);
        let x = (x ^ (x >> 16)).wrapping_mul(2_246_822_507);
        let x = (x ^ (x >> 13)).wrapping_mul(3_266_489_909);
        f64::from(x ^ (x >> 16)) / 2f64.powi(31) - 1.
    })
}

fn tensor(name: &str, shape: &[usize]) -> Result<Tensor> {
    let normalization = |values: [f32; 3]| Tensor::new(&values, &Device::Cpu)?.reshape(shape);
    match name.rsplit(['.', '_']).next() {
        Some("mean" | "mu") if !name.contains("running") => return normalization([0.4914, 0.4822, 0.4465]),
        Some("std" | "sigma") => return normalization([0.2471, 0.2435, 0.2616]),
        Some("tracked") => return Tensor::new(0i64, &Device::Cpu),
        _ => {}
    }
    let scale = match shape {
        [_, fan_in @ ..] if !fan_in.is_empty() => (3. / fan_in.iter().product::<usize>() as f64).sqrt(),
        _ => 0.,
    };
    let value = |u: f64| match name {
        _ if name.ends_with("running_var") => 1. + u / 2.,
        _ if scale > 0. => u * scale,
        _ if name.ends_with("weight") => 1. + u / 4.,
        _ => u / 4.,
    };
    let values: Vec<f32> = draws(name, shape.iter().product()).map(|u| value(u) as f32).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// The golden values called `name`; the state dict went through a file, as published ones do.
fn case(name: &str) -> Result<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/published/{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (first, rest) = text.split_once('\n').expect("a line for the architecture");
    let (arch, head) = first.split_once(' ').unwrap_or((first, "linear"));
    let mut state = BTreeMap::new();
    let mut logits: Vec<f32> = Vec::new();
    for line in rest.lines() {
        if let Some(row) = line.strip_prefix("= ") {
            logits.extend(row.split(' ').map(|number| number.parse::<f32>().expect("a logit")));
        } else {
            let mut parts = line.split(' ');
            let name = parts.next().expect("a name");
            let shape: Vec<usize> = parts.map(|size| size.parse().expect("a size")).collect();
            state.insert(name.to_owned(), tensor(name, &shape)?);
        }
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("published-{name}.safetensors"));
    checkpoint::write(&file, &state, &BTreeMap::new()).expect("scratch space");
    let logits = if logits.is_empty() { None } else { Some(Tensor::from_vec(logits, (3, 10), &Device::Cpu)?) };
    Ok(Case {
        arch: arch.parse().expect("an architecture"),
        head: head.parse().expect("a head"),
        state: checkpoint::read(&file).expect("what was written"),
        logits,
    })
}

fn net(arch: Arch, head: Head) -> Result<Net> {
    Net::with_head(arch, head, [3, 32, 32], 10, 0, &Device::Cpu)
}

/// Why `state` is not one of an `arch`.
fn refusal(arch: &str, state: BTreeMap<String, Tensor>) -> String {
    let arch: Arch = arch.parse().expect("an architecture");
    let text = match checkpoint::translate(arch, state) {
        Err(e) => e.to_string(),
        Ok(Published { state, .. }) => {
            let mut net = net(arch, Head::Linear).expect("a network");
            net.load(&state).expect_err("must not load").to_string()
        }
    };
    assert!(text.starts_with(&format!("the weights are not those of a {arch}: ")) && !text.contains('\n'), "{text}");
    text
}

#[test]
fn logits_are_those_of_the_published_code() -> Result<()> {
    let pixels = draws("images", 3 * 3 * 32 * 32).map(|u| (u / 2. + 0.5) as f32).collect();
    let images = Tensor::from_vec(pixels, (3, 3, 32, 32), &Device::Cpu)?;
    for (name, normalized) in [
        ("trades", false),
        ("awp", false),
        ("boosting", false),
        ("pytorch-cifar", false),
        ("robustness", true),
        ("torchvision", true),
        ("robust-overfitting", true),
        ("fast-adversarial", true),
    ] {
        let Case { arch, head, state, logits } = case(name)?;
        let Published { state, normalization } = checkpoint::translate(arch, state).expect(name);
        assert_eq!(normalization.is_some(), normalized, "{name}");
        let mut net = net(arch, head)?.normalized_by(normalization.unwrap_or(Normalization::none(3)));
        net.load(&state).expect(name);
        let found = net.frozen().forward(&images, Mode::Eval)?.logits;
        assert_values(name, &found, &logits.expect(name), 1e-4, 1e-4);
    }
    Ok(())
}

#[test]
fn networks_that_differ_by_more_than_names_are_refused() -> Result<()> {
    let deepmind = refusal("wrn-10-1", case("deepmind")?.state);
    assert!(deepmind.contains("DeepMind") && deepmind.contains("SiLU"), "{deepmind}");
    let with_norm = refusal("preact-resnet18-fast", case("robust-overfitting")?.state);
    assert!(
        with_norm.contains("without a place in it: bn.bias")
            && with_norm.contains("with bn it is robust_overfitting's preact-resnet18"),
        "{with_norm}"
    );
    let without = refusal("preact-resnet18", case("fast-adversarial")?.state);
    assert!(without.contains("missing: bn.bias") && without.contains("preact-resnet18-fast"), "{without}");
    // TRADES' block that never runs is no part of any other network.
    let mut odd = case("pytorch-cifar")?.state;
    odd.insert("sub_block1.layer.0.bn1.weight".into(), Tensor::new(&[1f32], &Device::Cpu)?);
    assert!(refusal("resnet18", odd).contains("without a place in it: sub_block1.layer.0.bn1.weight"));
    Ok(())
}

#[test]
fn foreign_tensors_are_listed_with_the_spellings_that_are_known() -> Result<()> {
    let renamed = |name: String| name.replace("block", "stage");
    let state = case("awp")?.state.into_iter().map(|(name, tensor)| (renamed(name), tensor)).collect();
    let text = refusal("wrn-16-1", state);
    let parts =
        ["missing: block1.layer.0.bn1.bias", "more", "stage1.layer.0.bn1.bias", "TRADES and most of RobustBench"];
    assert!(parts.iter().all(|part| text.contains(part)) && text.len() < 500, "{text}");
    Ok(())
}

#[test]
fn one_place_takes_one_tensor() -> Result<()> {
    let one = Tensor::new(&[1f32], &Device::Cpu)?;
    let mut twice = case("pytorch-cifar")?.state;
    twice.insert("model.conv1.weight".into(), one.clone());
    assert!(refusal("resnet18", twice).contains("two tensors are called conv1.weight"));
    let mut both = case("torchvision")?.state;
    both.insert("1.layer2.0.shortcut.0.weight".into(), one.clone());
    assert!(refusal("resnet18", both).contains("layer2.0.shortcut.0.weight is there twice"));
    // A mean without a deviation is no normalisation.
    let mut half = case("pytorch-cifar")?.state;
    half.insert("mu".into(), one);
    assert!(refusal("resnet18", half).contains("without a place in it: mu"));
    Ok(())
}
