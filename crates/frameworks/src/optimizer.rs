//! Stochastic gradient descent with momentum, which candle lacks, and Adam with a state that can be saved.

use candle::{Result, Tensor, backprop::GradStore};
use kernels::{AdamStep, SgdStep, adam_step, sgd_step};
use models::{Net, Parameters};
use std::collections::BTreeMap;

/// By which rule weights follow their gradients. Weight decay is added to the gradient, as in PyTorch: it reaches
/// every trainable parameter, biases and batch-norm gains included, but never running statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimizerConfig {
    /// The field's usual one.
    Sgd {
        /// Share of the past velocity that is kept.
        momentum: f64,
        /// Share of a weight that is added to its gradient.
        weight_decay: f64,
        /// Look ahead along the velocity (Nesterov).
        nesterov: bool,
    },
    /// Kingma and Ba 2015, with PyTorch's 0.999 and 1e-8. Small networks on MNIST need it: at radius 0.3, descent
    /// with momentum does not leave the constant prediction they begin with.
    Adam {
        /// Share of the mean of past gradients that is kept.
        momentum: f64,
        /// Share of a weight that is added to its gradient.
        weight_decay: f64,
    },
}

impl Default for OptimizerConfig {
    /// The field's constants: momentum 0.9, weight decay 5e-4.
    fn default() -> Self {
        Self::Sgd { momentum: 0.9, weight_decay: 5e-4, nesterov: false }
    }
}

impl OptimizerConfig {
    /// What it remembers of each parameter.
    fn memories(self) -> &'static [&'static str] {
        match self {
            Self::Sgd { .. } => &["velocity"],
            Self::Adam { .. } => &["mean", "square"],
        }
    }
}

/// The optimiser with what it remembers: tensors of the shape of each parameter, all zero at first.
pub struct Optimizer {
    config: OptimizerConfig,
    memory: BTreeMap<String, Tensor>,
}

fn place(memory: &str, parameter: &str) -> String {
    format!("{memory}/{parameter}")
}

impl Optimizer {
    /// An optimiser at rest.
    ///
    /// # Errors
    /// When memory for what it remembers cannot be allocated.
    pub fn new(net: &Net, config: OptimizerConfig) -> Result<Self> {
        let trainable = net.parameters().trainable();
        let memory = trainable.flat_map(|(name, var)| {
            config.memories().iter().map(move |memory| Ok((place(memory, name), var.zeros_like()?.detach())))
        });
        Ok(Self { config, memory: memory.collect::<Result<_>>()? })
    }

    /// One step down `grads` at learning rate `lr`; it is the `number`-th, counted from 1.
    ///
    /// # Errors
    /// When a gradient does not fit its weight.
    pub fn step(&self, net: &mut Net, grads: &GradStore, lr: f64, number: usize) -> Result<()> {
        net.update(|parameters: &Parameters| {
            for (name, var) in parameters.trainable() {
                let Some(grad) = grads.get(var) else { continue };
                let (weight, memory) = (var.as_detached_tensor(), |which| &self.memory[&place(which, name)]);
                match self.config {
                    OptimizerConfig::Sgd { momentum, weight_decay, nesterov } => {
                        let step = SgdStep { lr, momentum, weight_decay, nesterov };
                        sgd_step(&weight, memory("velocity"), grad, step)?;
                    }
                    OptimizerConfig::Adam { momentum: beta1, weight_decay } => {
                        let step = AdamStep { lr, beta1, beta2: 0.999, eps: 1e-8, weight_decay, step: number };
                        adam_step(&weight, memory("mean"), memory("square"), grad, step)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// What it remembers, by kind and parameter name.
    pub fn state(&self) -> &BTreeMap<String, Tensor> {
        &self.memory
    }

    /// Replaces what it remembers.
    ///
    /// # Errors
    /// When something is missing or has another shape.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, memory) in &mut self.memory {
            match state.get(name) {
                Some(saved) if saved.dims() == memory.dims() => *memory = saved.to_device(memory.device())?.copy()?,
                _ => candle::bail!("the saved optimiser has no fitting {name}"),
            }
        }
        Ok(())
    }
}
