//! The network of the quick profile: small enough for a whole table in minutes on a laptop.

use crate::{
    layers::{BatchNorm, Classifier, Conv, Pass},
    net::Trunk,
    parameters::Scope,
};
use candle::Result;
use kernels::Flow;

/// Four 3x3 convolutions, each with batch norm and ReLU, global average pooling, a linear layer.
pub(crate) struct Tiny {
    blocks: Vec<(Conv, BatchNorm)>,
    linear: Classifier,
}

/// Output channels and stride of each convolution.
const BLOCKS: [(usize, usize); 4] = [(16, 2), (32, 2), (32, 1), (64, 2)];

impl Tiny {
    pub(crate) fn new(mut at: Scope<'_>, channels: usize, classes: usize) -> Result<Self> {
        let mut blocks = Vec::new();
        let mut width = channels;
        for (i, (out, stride)) in BLOCKS.into_iter().enumerate() {
            let conv = Conv::new(at.at(format!("conv{}", i + 1)), [width, out], 3, stride)?;
            blocks.push((conv, BatchNorm::new(at.at(format!("bn{}", i + 1)), out)?));
            width = out;
        }
        Ok(Self { blocks, linear: Classifier::new(at.at("linear"), [width, classes])? })
    }
}

impl Trunk for Tiny {
    fn run<F: Flow>(&self, flow: &F, mut x: F::Value, pass: Pass) -> Result<F::Value> {
        for (conv, bn) in &self.blocks {
            x = bn.forward_relu(flow, &conv.forward(flow, &x, pass)?, pass)?;
        }
        Ok(x)
    }

    fn head(&self) -> &Classifier {
        &self.linear
    }
}
