//! Residual networks with pre-activation blocks: PreActResNet-18 (He et al. 2016b) and Wide ResNets
//! (Zagoruyko and Komodakis 2016).
//!
//! Parameter names follow the PyTorch code whose checkpoints circulate: PreActResNet-18 as in
//! `robust_overfitting` (with a final `bn`), Wide ResNets as in TRADES and AWP (`block1.layer.0`,
//! `convShortcut`, `bn1`, `fc`).

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
}

impl PreActBlock {
    fn new(mut at: Scope<'_>, [i, o]: [usize; 2], stride: usize, shortcut: &str) -> Result<Self> {
        let project = stride != 1 || i != o;
        Ok(Self {
            bn1: BatchNorm::new(at.at("bn1"), i)?,
            conv1: Conv::new(at.at("conv1"), [i, o], 3, stride)?,
            bn2: BatchNorm::new(at.at("bn2"), o)?,
            conv2: Conv::new(at.at("conv2"), [o, o], 3, 1)?,
            shortcut: if project { Some(Conv::new(at.at(shortcut), [i, o], 1, stride)?) } else { None },
        })
    }

    fn forward<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        let active = self.bn1.forward_relu(flow, x, pass)?;
        let carried = match &self.shortcut {
            Some(conv) => conv.forward(flow, &active, pass)?,
            None => x.clone(),
        };
        let y = self.bn2.forward_relu(flow, &self.conv1.forward(flow, &active, pass)?, pass)?;
        self.conv2.forward_add(flow, &y, &carried, pass)
    }
}

/// How one family of checkpoints names its parts.
struct Names {
    stage: fn(usize) -> String,
    shortcut: &'static str,
    norm: &'static str,
    linear: &'static str,
}

/// Stem, stages of pre-activation blocks, final batch norm and ReLU, pooling, linear layer.
pub(crate) struct PreActResNet {
    conv1: Conv,
    blocks: Vec<PreActBlock>,
    norm: BatchNorm,
    linear: Classifier,
}

impl PreActResNet {
    /// PreActResNet-18: widths 64 to 512, two blocks a stage.
    pub(crate) fn preact18(at: Scope<'_>, channels: usize, classes: usize) -> Result<Self> {
        let names =
            Names { stage: |i| format!("layer{}", i + 1), shortcut: "shortcut.0", norm: "bn", linear: "linear" };
        Self::new(at, &names, [channels, 64], &[64, 128, 256, 512], 2, classes)
    }

    /// WRN-`depth`-`widen`: `(depth - 4) / 6` blocks in each of three stages.
    pub(crate) fn wide(at: Scope<'_>, depth: usize, widen: usize, channels: usize, classes: usize) -> Result<Self> {
        let names =
            Names { stage: |i| format!("block{}.layer", i + 1), shortcut: "convShortcut", norm: "bn1", linear: "fc" };
        let widths = [16 * widen, 32 * widen, 64 * widen];
        Self::new(at, &names, [channels, 16], &widths, (depth - 4) / 6, classes)
    }

    fn new(
        mut at: Scope<'_>,
        names: &Names,
        stem: [usize; 2],
        widths: &[usize],
        depth: usize,
        classes: usize,
    ) -> Result<Self> {
        let conv1 = Conv::new(at.at("conv1"), stem, 3, 1)?;
        let mut blocks = Vec::new();
        let mut width = stem[1];
        for (stage, &out) in widths.iter().enumerate() {
            let mut at = at.at((names.stage)(stage));
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                blocks.push(PreActBlock::new(at.at(block), [width, out], stride, names.shortcut)?);
                width = out;
            }
        }
        let norm = BatchNorm::new(at.at(names.norm), width)?;
        Ok(Self { conv1, blocks, norm, linear: Classifier::new(at.at(names.linear), [width, classes])? })
    }
}

impl Trunk for PreActResNet {
    fn run<F: Flow>(&self, flow: &F, x: F::Value, pass: Pass) -> Result<F::Value> {
        let mut x = self.conv1.forward(flow, &x, pass)?;
        for block in &self.blocks {
            x = block.forward(flow, &x, pass)?;
        }
        self.norm.forward_relu(flow, &x, pass)
    }

    fn head(&self) -> &Classifier {
        &self.linear
    }
}
