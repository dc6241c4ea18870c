//! The two small convolutional networks the MNIST literature uses, without batch norm.

use crate::{
    Normalization, Output,
    layers::{BiasedConv, Classifier, Linear, Pass, WholeImage},
    net::{Layers, Trunk},
    parameters::Scope,
};
use candle::{Result, Tensor};
use kernels::{Conv2d, Flow, Stepwise};

/// Conv 1-16 and 16-32 (4x4, stride 2, padding 1), then 1568-100-10; parameter names are the
/// positions in the `Sequential` of the Fast-AT code (Wong et al. 2020).
pub(crate) struct MnistCnn {
    convs: [BiasedConv; 2],
    hidden: WholeImage,
    linear: Classifier,
}

impl MnistCnn {
    pub(crate) fn new(mut at: Scope<'_>, [c, h, w]: [usize; 3], classes: usize) -> Result<Self> {
        if h != w {
            candle::bail!("mnist-cnn takes square images, not {h} x {w}")
        }
        let geometry = Conv2d { stride: 2, padding: 1 };
        Ok(Self {
            convs: [
                BiasedConv::new(at.at(0), [c, 16], 4, geometry)?,
                BiasedConv::new(at.at(2), [16, 32], 4, geometry)?,
            ],
            hidden: WholeImage::new(at.at(5), [32, 100], h / 4)?,
            linear: Classifier::new(at.at(7), [100, classes])?,
        })
    }
}

impl Trunk for MnistCnn {
    fn run<F: Flow>(&self, flow: &F, x: F::Value, pass: Pass) -> Result<F::Value> {
        let x = self.convs[0].forward_relu(flow, &x, pass)?;
        let x = self.convs[1].forward_relu(flow, &x, pass)?;
        self.hidden.forward_relu(flow, &x, pass)
    }

    fn head(&self) -> &Classifier {
        &self.linear
    }

    fn normalizes(&self) -> bool {
        false
    }
}

/// Conv 1-32 and 32-64 (3x3, padding 1), each with ReLU and 2x2 max pooling, then 3136-200-10;
/// names as in advertorch's LeNet5.
pub(crate) struct LeNet5 {
    convs: [BiasedConv; 2],
    linear1: Linear,
    linear2: Classifier,
}

impl LeNet5 {
    pub(crate) fn new(mut at: Scope<'_>, [c, h, w]: [usize; 3], classes: usize) -> Result<Self> {
        let geometry = Conv2d { stride: 1, padding: 1 };
        Ok(Self {
            convs: [
                BiasedConv::new(at.at("conv1"), [c, 32], 3, geometry)?,
                BiasedConv::new(at.at("conv2"), [32, 64], 3, geometry)?,
            ],
            linear1: Linear::new(at.at("linear1"), [64 * (h / 4) * (w / 4), 200])?,
            linear2: Classifier::new(at.at("linear2"), [200, classes])?,
        })
    }
}

impl Layers for LeNet5 {
    fn forward(&self, images: &Tensor, Normalization { mean, std }: &Normalization, pass: Pass) -> Result<Output> {
        let x = &kernels::enter(images, mean, std)?;
        let mut x = x.clone();
        for conv in &self.convs {
            x = kernels::max_pool2(&conv.forward_relu(&Stepwise, &x, pass)?)?;
        }
        let features = self.linear1.forward_relu(&kernels::flatten(&x)?, pass)?;
        let logits = self.linear2.forward(&features, pass)?;
        Ok(Output { features, logits })
    }
}
