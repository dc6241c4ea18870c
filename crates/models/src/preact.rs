//! Residual networks with pre-activation blocks: PreActResNet-18 (He et al. 2016b) and Wide ResNets
//! (Zagoruyko and Komodakis 2016).
//!
//! Parameter names follow the PyTorch code whose checkpoints circulate: PreActResNet-18 as in
//! `robust_overfitting` (with a final `bn`) or as in the first Fast-AT code (without), Wide ResNets as in TRADES and AWP
//! (`block1.layer.0`, `convShortcut`, `bn1`, `fc`).

use crate::{
    layers::{BatchNorm, Classifier, Conv, Pass},
    net::Trunk,
    parameters::Scope,
};
use candle::Result;
use kernels::Flow;

struct PreActBlock {
    bn1: BatchNorm,
    conv1: Conv,
    bn2: BatchNorm,
    conv2: Conv,
    shortcut: Option<Conv>,
    /// Whether the shortcut convolution reads what `bn1` and ReLU made of the input, or the input itself.
    shares_activation: bool,
}

impl PreActBlock {
    fn new(mut at: Scope<'_>, [i, o]: [usize; 2], stride: usize, design: &Design) -> Result<Self> {
        let project = stride != 1 || i != o;
        Ok(Self {
            bn1: BatchNorm::new(at.at("bn1"), i)?,
            conv1: Conv::new(at.at("conv1"), [i, o], 3, stride)?,
            bn2: BatchNorm::new(at.at("bn2"), o)?,
            conv2: Conv::new(at.at("conv2"), [o, o], 3, 1)?,
            shortcut: if project { Some(Conv::new(at.at(design.shortcut), [i, o], 1, stride)?) } else { None },
            shares_activation: design.shares_activation,
        })
    }

    fn forward<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        let active = self.bn1.forward_relu(flow, x, pass)?;
        let carried = match &self.shortcut {
            Some(conv) => conv.forward(flow, if self.shares_activation { &active } else { x }, pass)?,
            None => x.clone(),
        };
        let y = self.bn2.forward_relu(flow, &self.conv1.forward(flow, &active, pass)?, pass)?;
        self.conv2.forward_add(flow, &y, &carried, pass)
    }
}

/// How one family of networks is built, and how its checkpoints name the parts.
struct Design {
    stage: fn(usize) -> String,
    shortcut: &'static str,
    shares_activation: bool,
    /// The batch norm before pooling, if there is one.
    norm: Option<&'static str>,
    linear: &'static str,
}

/// PreActResNet-18 as in `robust_overfitting`.
const PREACT: Design = Design {
    stage: |i| format!("layer{}", i + 1),
    shortcut: "shortcut.0",
    shares_activation: true,
    norm: Some("bn"),
    linear: "linear",
};

/// PreActResNet-18 as in the first commit of `fast_adversarial`, which RobustBench's entry of it has, too. Since the next day
/// (December 21, 2019) that code has a final `bn`.
const FAST_PREACT: Design = Design { shares_activation: false, norm: None, ..PREACT };

const WIDE: Design = Design {
    stage: |i| format!("block{}.layer", i + 1),
    shortcut: "convShortcut",
    shares_activation: true,
    norm: Some("bn1"),
    linear: "fc",
};

/// Stem, stages of pre-activation blocks, for most designs batch norm and ReLU, pooling, linear layer.
pub(crate) struct PreActResNet {
    conv1: Conv,
    blocks: Vec<PreActBlock>,
    norm: Option<BatchNorm>,
    linear: Classifier,
}

impl PreActResNet {
    /// PreActResNet-18: widths 64 to 512, two blocks a stage.
    pub(crate) fn preact18(at: Scope<'_>, channels: usize, classes: usize) -> Result<Self> {
        Self::new(at, &PREACT, [channels, 64], &[64, 128, 256, 512], 2, classes)
    }

    /// The same with the blocks and the end of the first Fast-AT code.
    pub(crate) fn fast_preact18(at: Scope<'_>, channels: usize, classes: usize) -> Result<Self> {
        Self::new(at, &FAST_PREACT, [channels, 64], &[64, 128, 256, 512], 2, classes)
    }

    /// WRN-`depth`-`widen`: `(depth - 4) / 6` blocks in each of three stages.
    pub(crate) fn wide(at: Scope<'_>, depth: usize, widen: usize, channels: usize, classes: usize) -> Result<Self> {
        let widths = [16 * widen, 32 * widen, 64 * widen];
        Self::new(at, &WIDE, [channels, 16], &widths, (depth - 4) / 6, classes)
    }

    fn new(
        mut at: Scope<'_>,
        design: &Design,
        stem: [usize; 2],
        widths: &[usize],
        depth: usize,
        classes: usize,
    ) -> Result<Self> {
        let conv1 = Conv::new(at.at("conv1"), stem, 3, 1)?;
        let mut blocks = Vec::new();
        let mut width = stem[1];
        for (stage, &out) in widths.iter().enumerate() {
            let mut at = at.at((design.stage)(stage));
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                blocks.push(PreActBlock::new(at.at(block), [width, out], stride, design)?);
                width = out;
            }
        }
        let norm = design.norm.map(|name| BatchNorm::new(at.at(name), width)).transpose()?;
        Ok(Self { conv1, blocks, norm, linear: Classifier::new(at.at(design.linear), [width, classes])? })
    }
}

impl Trunk for PreActResNet {
    fn run<F: Flow>(&self, flow: &F, x: F::Value, pass: Pass) -> Result<F::Value> {
        let mut x = self.conv1.forward(flow, &x, pass)?;
        for block in &self.blocks {
            x = block.forward(flow, &x, pass)?;
        }
        match &self.norm {
            Some(norm) => norm.forward_relu(flow, &x, pass),
            None => Ok(x),
        }
    }

    fn head(&self) -> &Classifier {
        &self.linear
    }
}
