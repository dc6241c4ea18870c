//! Residual networks with post-activation basic blocks (He et al. 2016): the CIFAR family
//! ResNet-8/20/32/44/56 with option-A shortcuts, and ResNet-18 with convolutional shortcuts.
//!
//! Parameter names are those of the PyTorch code whose checkpoints circulate:
//! `conv1`, `bn1`, `layer1.0.conv1`, ..., `layer2.0.shortcut.0`, `linear`.

use crate::{
    layers::{BatchNorm, Classifier, Conv, Pass},
    net::Trunk,
    parameters::Scope,
};
use candle::Result;
use kernels::Flow;

/// What carries a block's input around its convolutions.
enum Shortcut {
    Identity,
    /// Option A: every `stride`-th pixel, padded with zero channels; no parameters.
    Subsample {
        stride: usize,
        channels: usize,
    },
    /// Option B: a strided 1x1 convolution and batch norm.
    Project(Conv, BatchNorm),
}

struct BasicBlock {
    conv1: Conv,
    bn1: BatchNorm,
    conv2: Conv,
    bn2: BatchNorm,
    shortcut: Shortcut,
}

impl BasicBlock {
    fn new(mut at: Scope<'_>, [i, o]: [usize; 2], stride: usize, project: bool) -> Result<Self> {
        let shortcut = match (stride, i == o) {
            (1, true) => Shortcut::Identity,
            _ if project => {
                let mut at = at.at("shortcut");
                Shortcut::Project(Conv::new(at.at(0), [i, o], 1, stride)?, BatchNorm::new(at.at(1), o)?)
            }
            _ => Shortcut::Subsample { stride, channels: o },
        };
        Ok(Self {
            conv1: Conv::new(at.at("conv1"), [i, o], 3, stride)?,
            bn1: BatchNorm::new(at.at("bn1"), o)?,
            conv2: Conv::new(at.at("conv2"), [o, o], 3, 1)?,
            bn2: BatchNorm::new(at.at("bn2"), o)?,
            shortcut,
        })
    }

    fn forward<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        let y = self.bn1.forward_relu(flow, &self.conv1.forward(flow, x, pass)?, pass)?;
        let y = self.bn2.forward(flow, &self.conv2.forward(flow, &y, pass)?, pass)?;
        let carried = match &self.shortcut {
            Shortcut::Identity => x.clone(),
            Shortcut::Subsample { stride, channels } => flow.shortcut_a(x, *stride, *channels)?,
            Shortcut::Project(conv, bn) => bn.forward(flow, &conv.forward(flow, x, pass)?, pass)?,
        };
        flow.add_relu(&y, &carried)
    }
}

/// Stem, stages of basic blocks, global average pooling, linear layer.
pub(crate) struct ResNet {
    conv1: Conv,
    bn1: BatchNorm,
    blocks: Vec<BasicBlock>,
    linear: Classifier,
}

impl ResNet {
    /// ResNet-`6n + 2` for CIFAR: widths 16, 32, 64, option-A shortcuts.
    pub(crate) fn cifar(at: Scope<'_>, blocks: usize, channels: usize, classes: usize) -> Result<Self> {
        Self::new(at, channels, &[16, 32, 64], blocks, false, classes)
    }

    /// ResNet-18 with a 3x3 stem: widths 64 to 512, two blocks a stage, projection shortcuts.
    pub(crate) fn resnet18(at: Scope<'_>, channels: usize, classes: usize) -> Result<Self> {
        Self::new(at, channels, &[64, 128, 256, 512], 2, true, classes)
    }

    fn new(
        mut at: Scope<'_>,
        channels: usize,
        widths: &[usize],
        depth: usize,
        project: bool,
        classes: usize,
    ) -> Result<Self> {
        let conv1 = Conv::new(at.at("conv1"), [channels, widths[0]], 3, 1)?;
        let bn1 = BatchNorm::new(at.at("bn1"), widths[0])?;
        let mut blocks = Vec::new();
        let mut width = widths[0];
        for (stage, &out) in widths.iter().enumerate() {
            let mut at = at.at(format!("layer{}", stage + 1));
            for block in 0..depth {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                blocks.push(BasicBlock::new(at.at(block), [width, out], stride, project)?);
                width = out;
            }
        }
        Ok(Self { conv1, bn1, blocks, linear: Classifier::new(at.at("linear"), [width, classes])? })
    }
}

impl Trunk for ResNet {
    fn run<F: Flow>(&self, flow: &F, x: F::Value, pass: Pass) -> Result<F::Value> {
        let mut x = self.bn1.forward_relu(flow, &self.conv1.forward(flow, &x, pass)?, pass)?;
        for block in &self.blocks {
            x = block.forward(flow, &x, pass)?;
        }
        Ok(x)
    }

    fn head(&self) -> &Classifier {
        &self.linear
    }
}
