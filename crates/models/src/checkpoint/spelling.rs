//! Published state dicts in this crate's names.
//!
//! One network circulates under several spellings. What wraps it is taken off ([`WRAPPINGS`]), a normalisation among
//! its buffers is set apart ([`NORMALIZATIONS`]), and what is left is in one of the spellings of the architecture
//! ([`spellings`]): rows of a table. `PUBLISHED.md` beside this crate lists which published weights load, and which
//! cannot.

use super::Published;
use crate::{Arch, Normalization};
use candle::{DType, Tensor};
use std::collections::BTreeMap;

/// Prefixes that hold the network inside something else: data parallelism, a module that normalises first, the
/// second part of a `Sequential` that does.
const WRAPPINGS: [&str; 3] = ["module.", "model.", "1."];

/// Where means and deviations stand in state dicts that carry them.
const NORMALIZATIONS: [[&str; 2]; 5] = [
    ["mean", "std"],
    ["mu", "sigma"],
    ["0.mean", "0.std"],
    ["normalize.mean", "normalize.std"],
    // MadryLab's `robustness`.
    ["normalizer.new_mean", "normalizer.new_std"],
];

/// `robustness` keeps its attack beside the network, and within it the same network once more.
const COPIES: &str = "attacker.";

/// How one family of published code names the parts of a network.
struct Spelling {
    /// Whose it is, and some of its names.
    about: &'static str,
    /// A part of a name, between dots, that no other spelling has; none: this crate's own spelling.
    mark: Option<&'static str>,
    reading: Reading,
}

/// What becomes of a state dict in a spelling.
enum Reading {
    /// Parts of names have others here, and names with these first parts are of layers that no pass reads.
    Loads { parts: &'static [[&'static str; 2]], unused: &'static [&'static str] },
    /// It is of another network than any here, which is why.
    Differs(&'static str),
}

const AS_HERE: Reading = Reading::Loads { parts: &[], unused: &[] };

/// The published weights use SiLU, of which names tell nothing, and 3x3 convolutions of stride 2 pad below and
/// right only.
const DEEPMIND: Reading =
    Reading::Differs("its networks activate by SiLU and pad strided convolutions on two sides only");

const WIDE: [Spelling; 2] = [
    Spelling {
        about: "TRADES and most of RobustBench (block1.layer.0.convShortcut, bn1, fc)",
        mark: None,
        // TRADES makes a block more than its forward pass uses.
        reading: Reading::Loads { parts: &[], unused: &["sub_block1"] },
    },
    Spelling { about: "DeepMind (init_conv, batchnorm, logits)", mark: Some("init_conv"), reading: DEEPMIND },
];

const RESNET18: [Spelling; 2] = [
    Spelling { about: "pytorch-cifar and RobustBench (layer2.0.shortcut.0, linear)", mark: None, reading: AS_HERE },
    Spelling {
        about: "torchvision and timm (layer2.0.downsample.0, fc)",
        mark: Some("downsample"),
        reading: Reading::Loads { parts: &[["downsample", "shortcut"], ["fc", "linear"]], unused: &[] },
    },
];

const PREACT: [Spelling; 2] = [
    Spelling {
        about: "robust_overfitting (layer2.0.shortcut.0, bn, linear; the later fast_adversarial code has these names, but another \
                network, which is not known here); without bn it may be preact-resnet18-fast",
        mark: None,
        reading: AS_HERE,
    },
    DEEPMIND_PREACT,
];

const FAST_PREACT: [Spelling; 2] = [
    Spelling {
        about: "fast_adversarial's first code (layer2.0.shortcut.0, linear); with bn it is robust_overfitting's preact-resnet18, or \
                that of the later fast_adversarial code, which is not known here",
        mark: None,
        reading: AS_HERE,
    },
    DEEPMIND_PREACT,
];

const DEEPMIND_PREACT: Spelling =
    Spelling { about: "DeepMind (conv_2d, layer_0, logits)", mark: Some("conv_2d"), reading: DEEPMIND };

const OWN: [Spelling; 1] = [Spelling { about: "this program's own", mark: None, reading: AS_HERE }];

/// The spellings of an architecture, this crate's own first.
fn spellings(arch: Arch) -> &'static [Spelling] {
    match arch {
        Arch::WideResNet(..) => &WIDE,
        Arch::ResNet18 => &RESNET18,
        Arch::PreActResNet18 => &PREACT,
        Arch::FastPreActResNet18 => &FAST_PREACT,
        _ => &OWN,
    }
}

/// The spellings of `arch` that load, in words.
pub(crate) fn known(arch: Arch) -> String {
    let loads = |spelling: &&Spelling| matches!(spelling.reading, Reading::Loads { .. });
    spellings(arch).iter().filter(loads).map(|spelling| spelling.about).collect::<Vec<_>>().join("; ")
}

/// A state dict that is not one of the architecture in any spelling that loads.
#[derive(Debug, thiserror::Error)]
#[error("the weights are not those of a {arch}: {what}")]
pub struct Untranslatable {
    arch: Arch,
    what: String,
}

/// The state dict `tensors` of an `arch` in this crate's names. What is in no spelling keeps its name, for
/// [`Net::load`](crate::Net::load) to refuse.
///
/// # Errors
/// When the spelling belongs to another network, or two tensors have one place.
pub fn translate(arch: Arch, tensors: BTreeMap<String, Tensor>) -> Result<Published, Untranslatable> {
    let wrong = |what: String| Untranslatable { arch, what };
    let mut state = BTreeMap::new();
    for (name, tensor) in tensors {
        let bare = unwrapped(&name);
        if bare.starts_with(COPIES) {
            continue;
        }
        if state.insert(bare.to_owned(), tensor).is_some() {
            return Err(wrong(format!("two tensors are called {bare} once what wraps them is taken off")));
        }
    }
    let normalization = normalization(&mut state).map_err(|e| wrong(e.to_string()))?;
    let (parts, unused) = match spelling(arch, &state) {
        Spelling { reading: Reading::Loads { parts, unused }, .. } => (parts, unused),
        Spelling { reading: Reading::Differs(why), about, .. } => {
            return Err(wrong(format!("they are spelled as by {about}, and {why}")));
        }
    };
    let mut renamed = BTreeMap::new();
    for (name, tensor) in state {
        let first = name.split('.').next().unwrap_or_default();
        if unused.contains(&first) {
            continue;
        }
        let new = name.split('.').map(|part| renaming(parts, part)).collect::<Vec<_>>().join(".");
        if let Some(twice) = renamed.insert(new, tensor) {
            return Err(wrong(format!("{name} is there twice, once of shape {:?}", twice.dims())));
        }
    }
    Ok(Published { state: renamed, normalization })
}

fn unwrapped(mut name: &str) -> &str {
    while let Some(inner) = WRAPPINGS.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = inner;
    }
    name
}

/// The spelling whose mark is in a name; else this crate's.
fn spelling(arch: Arch, state: &BTreeMap<String, Tensor>) -> &'static Spelling {
    let all = spellings(arch);
    let marked = |spelling: &&Spelling| {
        spelling.mark.is_some_and(|mark| state.keys().any(|name| name.split('.').any(|part| part == mark)))
    };
    all.iter().find(marked).unwrap_or(&all[0])
}

fn renaming<'a>(parts: &'a [[&'static str; 2]], part: &'a str) -> &'a str {
    parts.iter().find(|[theirs, _]| *theirs == part).map_or(part, |[_, ours]| ours)
}

/// Takes the normalisation out of `state`, if it is there.
fn normalization(state: &mut BTreeMap<String, Tensor>) -> candle::Result<Option<Normalization>> {
    let Some([mean, std]) = NORMALIZATIONS.into_iter().find(|pair| pair.iter().all(|name| state.contains_key(*name)))
    else {
        return Ok(None);
    };
    let mut numbers = |name: &str| match state.remove(name) {
        Some(tensor) => tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>(),
        None => candle::bail!("{name} is missing"),
    };
    Ok(Some(Normalization { mean: numbers(mean)?, std: numbers(std)? }))
}
