//! Every architecture: size, features, initialisation, and what it refuses.

use candle::{DType, Device, Result, Tensor, Var};
use models::{Arch, Head, Mode, Model, Net, Normalization, checkpoint};
use std::collections::BTreeMap;

const COLOUR: [usize; 3] = [3, 32, 32];
const DIGITS: [usize; 3] = [1, 28, 28];

/// Name, image shape, width of the features, number of weights. Counts are those of the PyTorch
/// modules, or sums over the layers done by hand.
const ALL: [(&str, [usize; 3], usize, usize); 13] = [
    ("tiny", COLOUR, 64, 33_626),
    ("resnet8", COLOUR, 64, 75_290),
    ("resnet20", COLOUR, 64, 269_722),
    ("resnet32", COLOUR, 64, 464_154),
    ("resnet44", COLOUR, 64, 658_586),
    ("resnet56", COLOUR, 64, 853_018),
    ("resnet18", COLOUR, 512, 11_173_962),
    ("preact-resnet18", COLOUR, 512, 11_172_170),
    ("preact-resnet18-fast", COLOUR, 512, 11_171_146),
    ("wrn-10-1", COLOUR, 64, 77_850),
    ("wrn-16-4", COLOUR, 256, 2_748_890),
    ("mnist-cnn", DIGITS, 100, 166_406),
    ("lenet5", DIGITS, 200, 648_226),
];

fn arch(name: &str) -> Arch {
    name.parse().expect("a known architecture")
}

fn net(name: &str, shape: [usize; 3], seed: u64) -> Result<Net> {
    Net::new(arch(name), shape, 10, seed, &Device::Cpu)
}

fn weights(net: &Net) -> usize {
    net.parameters().trainable().map(|(_, var)| var.elem_count()).sum()
}

fn bits(net: &Net) -> Result<BTreeMap<String, Vec<u32>>> {
    let floats = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
    net.state()?
        .iter()
        .map(|(name, t)| Ok((name.clone(), floats(t)?.into_iter().map(f32::to_bits).collect())))
        .collect()
}

#[test]
fn names_are_spelled_as_they_are_read() {
    for name in ALL.map(|(name, ..)| name).into_iter().chain(["wrn-28-10", "wrn-34-10"]) {
        assert_eq!(arch(name).to_string(), name);
        assert_eq!(arch(&name.to_uppercase()), arch(name));
    }
    for name in ["", "resnet", "resnet21", "resnet020", "wrn", "wrn-28", "wrn-27-10", "wrn-4-1", "wrn-28-0"] {
        let error = name.parse::<Arch>().expect_err(name).to_string();
        assert!(error.contains(&format!("`{name}`")) && error.contains("preact-resnet18"), "{error}");
    }
}

#[test]
fn sizes() -> Result<()> {
    for (name, shape, _, count) in ALL {
        assert_eq!(weights(&net(name, shape, 0)?), count, "{name}");
    }
    assert_eq!(weights(&net("wrn-28-10", COLOUR, 0)?), 36_479_194);
    Ok(())
}

#[test]
fn forward_and_backward() -> Result<()> {
    for (name, shape @ [c, h, w], width, _) in ALL {
        let net = net(name, shape, 0)?;
        let x = Var::rand(0f32, 1f32, (2, c, h, w), &Device::Cpu)?;
        let output = net.live().forward(&x, Mode::Train)?;
        assert_eq!((output.features.dims(), output.logits.dims()), (&[2, width][..], &[2, 10][..]), "{name}");
        // No rectified feature is negative, and each network but one ends in a rectifier.
        let negative = output.features.min_all()?.to_scalar::<f32>()? < 0.;
        assert_eq!(negative, name == "preact-resnet18-fast", "{name}");
        let grads = output.logits.sqr()?.sum_all()?.backward()?;
        for (of, var) in net.parameters().trainable().chain([("the pixels", &x)]) {
            let gradient = grads.get(var).unwrap_or_else(|| panic!("{name}: no gradient of {of}"));
            assert_eq!(gradient.dims(), var.dims(), "{name}: {of}");
            let size = gradient.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(size.is_finite() && size > 0., "{name}: the gradient of {of} is {size}");
        }
    }
    Ok(())
}

/// Features are the input of the last layer: its weights turn them into the logits.
#[test]
fn logits_are_a_linear_function_of_the_features() -> Result<()> {
    for (name, shape @ [c, h, w], last) in [
        ("tiny", COLOUR, "linear"),
        ("wrn-10-1", COLOUR, "fc"),
        ("mnist-cnn", DIGITS, "7"),
        ("lenet5", DIGITS, "linear2"),
    ] {
        let net = net(name, shape, 0)?;
        let output = net.frozen().forward(&Tensor::rand(0f32, 1f32, (2, c, h, w), &Device::Cpu)?, Mode::Eval)?;
        let state = net.state()?;
        let weight = state[&format!("{last}.weight")].t()?;
        let logits = output.features.matmul(&weight)?.broadcast_add(&state[&format!("{last}.bias")])?;
        assert!((logits - output.logits)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5, "{name}");
    }
    Ok(())
}

#[test]
fn a_seed_fixes_every_bit() -> Result<()> {
    for name in ["tiny", "resnet8", "wrn-10-1", "mnist-cnn"] {
        let shape = if name == "mnist-cnn" { DIGITS } else { COLOUR };
        let (first, again, other) =
            (bits(&net(name, shape, 7)?)?, bits(&net(name, shape, 7)?)?, bits(&net(name, shape, 8)?)?);
        assert!(first == again, "{name}: one seed, two networks");
        for (tensor, values) in &first {
            // Scales, shifts and running statistics start at constants.
            let constant = values.iter().all(|v| *v == values[0]);
            assert_eq!(*values == other[tensor], constant, "{name}: {tensor}");
        }
    }
    Ok(())
}

#[test]
fn initial_weights_have_the_documented_spread() -> Result<()> {
    let net = net("resnet20", COLOUR, 0)?;
    let state = net.state()?;
    let deviation =
        |name: &str| -> Result<f64> { Ok(f64::from(state[name].sqr()?.mean_all()?.to_scalar::<f32>()?).sqrt()) };
    let conv = deviation("layer3.1.conv1.weight")?;
    let expected = (2f64 / (64. * 9.)).sqrt();
    assert!((conv / expected - 1.).abs() < 0.02, "{conv} instead of {expected}");
    assert!(state["linear.weight"].abs()?.max_all()?.to_scalar::<f32>()? <= 1. / 8.);
    Ok(())
}

#[test]
fn images_of_twice_the_side_are_taken() -> Result<()> {
    for name in ["tiny", "resnet8", "resnet18", "preact-resnet18", "wrn-10-1", "mnist-cnn", "lenet5"] {
        let net = Net::new(arch(name), [3, 64, 64], 200, 0, &Device::Cpu)?;
        let output = net.frozen().forward(&Tensor::rand(0f32, 1f32, (1, 3, 64, 64), &Device::Cpu)?, Mode::Eval)?;
        assert_eq!(output.logits.dims(), [1, 200], "{name}");
        assert!(output.logits.abs()?.max_all()?.to_scalar::<f32>()?.is_finite(), "{name}");
    }
    Ok(())
}

#[test]
fn images_of_another_shape_are_refused() -> Result<()> {
    for (name, shape) in [("tiny", COLOUR), ("resnet8", COLOUR), ("mnist-cnn", DIGITS), ("lenet5", DIGITS)] {
        let net = net(name, shape, 0)?;
        for dims in [&[2, 3, 28, 28][..], &[2, 1, 32, 32], &[3, 32, 32], &[2, 32, 32, 3], &[1, 2, 3, 32, 32], &[32]] {
            let error =
                net.frozen().forward(&Tensor::zeros(dims, DType::F32, &Device::Cpu)?, Mode::Eval).expect_err(name);
            let text = error.to_string();
            assert!(text.contains(name) && text.contains("(N, ") && text.contains(&format!("{dims:?}")), "{text}");
        }
        let [c, h, w] = shape;
        let raw = Tensor::zeros((2, c, h, w), DType::U8, &Device::Cpu)?;
        net.frozen().forward(&raw, Mode::Eval).expect_err("bytes are not images in [0, 1]");
    }
    Ok(())
}

#[test]
fn weights_of_another_architecture_are_refused() -> Result<()> {
    let mut net = net("resnet20", COLOUR, 0)?;
    let before = bits(&net)?;
    let own = net.state()?;
    let mut missing = own.clone();
    missing.remove("bn1.running_mean");
    let mut extra = own.clone();
    extra.insert("head.weight".into(), Tensor::zeros(3, DType::F32, &Device::Cpu)?);
    let wider = Net::new(Arch::CifarResNet(20), COLOUR, 100, 0, &Device::Cpu)?.state()?;
    for (state, what) in [
        (Net::new(Arch::Tiny, COLOUR, 10, 0, &Device::Cpu)?.state()?, "missing: "),
        (Net::new(Arch::ResNet18, COLOUR, 10, 0, &Device::Cpu)?.state()?, "without a place in it: "),
        (
            Net::new(Arch::CifarResNet(32), COLOUR, 10, 0, &Device::Cpu)?.state()?,
            "without a place in it: layer1.3.bn1.bias, ",
        ),
        (
            Net::new(Arch::CifarResNet(8), COLOUR, 10, 0, &Device::Cpu)?.state()?,
            "missing: layer1.1.bn1.bias, layer1.1.bn1.running_mean, layer1.1.bn1.running_var and ",
        ),
        (missing, "missing: bn1.running_mean;"),
        (extra, "without a place in it: head.weight;"),
        (wider, "linear.bias is [100], not [10]"),
        (BTreeMap::new(), "missing: "),
    ] {
        let text = net.load(&state).expect_err(what).to_string();
        assert!(text.starts_with("the weights are not those of a resnet20: ") && !text.contains('\n'), "{text}");
        assert!(text.contains(what), "{text} does not say {what}");
        assert!(before == bits(&net)?, "a refused checkpoint changed the network");
    }
    Ok(())
}

#[test]
fn a_checkpoint_brings_the_network_back() -> Result<()> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("architectures-round-trip.safetensors");
    let first = net("tiny", COLOUR, 1)?;
    checkpoint::write(&path, &first.state()?, &BTreeMap::new()).expect("scratch space");
    let mut second = net("tiny", COLOUR, 2)?;
    second.load(&checkpoint::read(&path).expect("what was written")).expect("the same architecture");
    assert!(bits(&first)? == bits(&second)?);
    Ok(())
}

/// Metadata of a file.
type Said<'a> = &'a [(&'a str, &'a str)];

/// A file that says what it is needs nothing else, and one that does not the architecture.
#[test]
fn a_checkpoint_is_opened_by_what_it_says() -> Result<()> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("architectures-opened.safetensors");
    let grey = Normalization { mean: vec![0.25; 3], std: vec![0.5; 3] };
    let made = Net::with_head(Arch::Tiny, Head::Cosine { scale: 7. }, COLOUR, 10, 1, &Device::Cpu)?;
    let made = made.normalized_by(grey.clone());
    let opened = |metadata: &[(&str, &str)], arch: Option<Arch>| {
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        checkpoint::write(&path, &made.state().expect("weights"), &metadata).expect("scratch space");
        checkpoint::open(&path, arch, COLOUR, 10, &Device::Cpu).map_err(|e| e.to_string())
    };
    let whole = [("arch", "tiny"), ("head", "cosine-7"), ("mean", "0.25,0.25,0.25"), ("std", "0.5")];
    let net = opened(&whole, None).expect("it says all");
    assert_eq!((net.arch(), net.head(), net.normalization()), (Arch::Tiny, made.head(), &grey));
    assert!(bits(&net)? == bits(&made)?);
    // What is given counts, and what nobody says is as usual.
    let bare = opened(&whole[1..2], Some(Arch::Tiny)).expect("it was given");
    assert_eq!((bare.head(), bare.normalization()), (made.head(), &Arch::Tiny.normalization(3)));
    let refused: [(Said<'_>, Option<Arch>, &str); 7] = [
        (&whole[..3], None, "one of its mean and its deviation without the other"),
        (&whole[1..], None, "does not say which architecture"),
        (&[("arch", "tinier")], None, "unknown architecture `tinier`"),
        (&whole, Some(Arch::CifarResNet(8)), "the weights are not those of a resnet8"),
        (&[("arch", "tiny"), ("head", "round")], None, "unknown head `round`"),
        (&[whole[0], whole[1], whole[2], ("std", "a half")], None, "`a half` is no list of numbers"),
        (&[whole[0], whole[1], ("mean", "0,0"), whole[3]], None, "2 means"),
    ];
    for (metadata, arch, told) in refused {
        let Err(text) = opened(metadata, arch) else { panic!("{told}: was opened") };
        assert!(text.starts_with(&path.display().to_string()) && text.contains(told), "{text}");
    }
    Ok(())
}

#[test]
fn normalisation_comes_first() -> Result<()> {
    let x = Tensor::rand(0f32, 1f32, (2, 3, 32, 32), &Device::Cpu)?;
    let by = |mean: f32, std: f32| Normalization { mean: vec![mean], std: vec![std] }.for_channels(3);
    let plain = net("tiny", COLOUR, 0)?.normalized_by(Normalization::none(3));
    let scaled = net("tiny", COLOUR, 0)?.normalized_by(by(0.25, 0.5)?);
    let logits = |net: &Net, x: &Tensor| net.frozen().forward(x, Mode::Eval).map(|o| o.logits);
    let off = (logits(&scaled, &x)? - logits(&plain, &x.affine(2., -0.5)?)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(off < 1e-5, "{off}");
    for (mean, std) in [(0.5, 0.), (0.5, -1.), (f32::NAN, 1.), (0., f32::INFINITY)] {
        by(mean, std).expect_err("not a normalisation");
    }
    assert!(Normalization { mean: vec![0.; 2], std: vec![1.] }.for_channels(3).is_err());
    Ok(())
}
