//! The architectures by name.

use crate::{
    mnist::{LeNet5, MnistCnn},
    net::Layers,
    parameters::Scope,
    preact::PreActResNet,
    resnet::ResNet,
    tiny::Tiny,
};
use candle::Result;
use std::{fmt, str::FromStr};

/// A network architecture, spelled as on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// `tiny`: the network of the quick profile.
    Tiny,
    /// `resnet8`, `resnet20`, `resnet32`, `resnet44`, `resnet56`: the CIFAR family, depth `6n + 2`.
    CifarResNet(usize),
    /// `resnet18`.
    ResNet18,
    /// `preact-resnet18`.
    PreActResNet18,
    /// `preact-resnet18-fast`: that of the first Fast-AT code and of RobustBench's entry of it, whose shortcut convolutions
    /// read a block's input as it is, and which has no batch norm before pooling.
    FastPreActResNet18,
    /// `wrn-DEPTH-WIDEN`, depth `6n + 4`.
    WideResNet(usize, usize),
    /// `mnist-cnn`.
    MnistCnn,
    /// `lenet5`.
    LeNet5,
}

/// Per-channel mean and standard deviation that a network subtracts and divides by, in pixel units.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalization {
    /// One mean per channel.
    pub mean: Vec<f32>,
    /// One standard deviation per channel.
    pub std: Vec<f32>,
}

impl Normalization {
    /// Pixels as they are.
    pub fn none(channels: usize) -> Self {
        Self { mean: vec![0.; channels], std: vec![1.; channels] }
    }

    /// One value for every channel is spread to all of them.
    ///
    /// # Errors
    /// When the numbers do not fit the channels, or a deviation is not positive.
    pub fn for_channels(self, channels: usize) -> Result<Self> {
        let spread = |v: Vec<f32>| if v.len() == 1 { vec![v[0]; channels] } else { v };
        let fitted = Self { mean: spread(self.mean), std: spread(self.std) };
        if fitted.mean.len() != channels || fitted.std.len() != channels {
            candle::bail!(
                "normalisation: {} means and {} deviations for {channels} channels",
                fitted.mean.len(),
                fitted.std.len()
            )
        }
        if !fitted.std.iter().all(|s| *s > 0. && s.is_finite()) || !fitted.mean.iter().all(|m| m.is_finite()) {
            candle::bail!("normalisation: deviations must be positive and all values finite")
        }
        Ok(fitted)
    }
}

impl Arch {
    /// The normalisation its published checkpoints expect: ImageNet's for the CIFAR ResNets,
    /// CIFAR-10's for ResNet-18 and both PreActResNet-18, none for Wide ResNets (as in TRADES) and MNIST.
    pub fn normalization(self, channels: usize) -> Normalization {
        let of = |mean: [f32; 3], std: [f32; 3]| Normalization { mean: mean.to_vec(), std: std.to_vec() };
        match self {
            _ if channels != 3 => Normalization::none(channels),
            Self::CifarResNet(_) => of([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            Self::ResNet18 => of([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
            Self::PreActResNet18 | Self::FastPreActResNet18 => of([0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]),
            Self::Tiny => of([0.5; 3], [0.25; 3]),
            Self::WideResNet(..) | Self::MnistCnn | Self::LeNet5 => Normalization::none(channels),
        }
    }

    pub(crate) fn build(self, at: Scope<'_>, shape: [usize; 3], classes: usize) -> Result<Box<dyn Layers>> {
        let channels = shape[0];
        Ok(match self {
            Self::Tiny => Box::new(Tiny::new(at, channels, classes)?),
            Self::CifarResNet(depth) => Box::new(ResNet::cifar(at, (depth - 2) / 6, channels, classes)?),
            Self::ResNet18 => Box::new(ResNet::resnet18(at, channels, classes)?),
            Self::PreActResNet18 => Box::new(PreActResNet::preact18(at, channels, classes)?),
            Self::FastPreActResNet18 => Box::new(PreActResNet::fast_preact18(at, channels, classes)?),
            Self::WideResNet(depth, widen) => Box::new(PreActResNet::wide(at, depth, widen, channels, classes)?),
            Self::MnistCnn => Box::new(MnistCnn::new(at, shape, classes)?),
            Self::LeNet5 => Box::new(LeNet5::new(at, shape, classes)?),
        })
    }
}

/// All that have a name of their own; those of Wide ResNets have their depth and width.
const NAMED: &[Arch] = &[
    Arch::Tiny,
    Arch::CifarResNet(8),
    Arch::CifarResNet(20),
    Arch::CifarResNet(32),
    Arch::CifarResNet(44),
    Arch::CifarResNet(56),
    Arch::ResNet18,
    Arch::PreActResNet18,
    Arch::FastPreActResNet18,
    Arch::MnistCnn,
    Arch::LeNet5,
];

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiny => write!(f, "tiny"),
            Self::CifarResNet(depth) => write!(f, "resnet{depth}"),
            Self::ResNet18 => write!(f, "resnet18"),
            Self::PreActResNet18 => write!(f, "preact-resnet18"),
            Self::FastPreActResNet18 => write!(f, "preact-resnet18-fast"),
            Self::WideResNet(depth, widen) => write!(f, "wrn-{depth}-{widen}"),
            Self::MnistCnn => write!(f, "mnist-cnn"),
            Self::LeNet5 => write!(f, "lenet5"),
        }
    }
}

/// An architecture nobody knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown architecture `{0}`; known: {names}, wrn-DEPTH-WIDEN (DEPTH = 6n + 4, e.g. wrn-28-10)",
    names = NAMED.iter().map(Arch::to_string).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownArch(String);

impl FromStr for Arch {
    type Err = UnknownArch;

    /// Case does not matter.
    fn from_str(given: &str) -> std::result::Result<Self, UnknownArch> {
        let unknown = || UnknownArch(given.into());
        let name = given.to_lowercase();
        if let Some(arch) = NAMED.iter().find(|arch| arch.to_string() == name) {
            return Ok(*arch);
        }
        let (depth, widen) = name.strip_prefix("wrn-").and_then(|s| s.split_once('-')).ok_or_else(unknown)?;
        match (depth.parse(), widen.parse()) {
            (Ok(depth @ 10..=1000), Ok(widen @ 1..=64)) if depth % 6 == 4 => Ok(Self::WideResNet(depth, widen)),
            _ => Err(unknown()),
        }
    }
}
