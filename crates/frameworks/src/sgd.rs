//! Stochastic gradient descent with momentum, which candle lacks.

use candle::{Result, Tensor, backprop::GradStore};
use models::{Net, Parameters};
use std::collections::BTreeMap;

/// Constants of the optimiser.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdConfig {
    /// Share of the past velocity that is kept.
    pub momentum: f64,
    /// Added to each gradient times the weight; PyTorch's rule, so it reaches every trainable
    /// parameter, biases and batch-norm gains included, but never running statistics.
    pub weight_decay: f64,
    /// Look ahead along the velocity (Nesterov).
    pub nesterov: bool,
}

impl Default for SgdConfig {
    /// The field's constants: momentum 0.9, weight decay 5e-4.
    fn default() -> Self {
        Self { momentum: 0.9, weight_decay: 5e-4, nesterov: false }
    }
}

/// The optimiser with its velocities, one a parameter.
pub struct Sgd {
    config: SgdConfig,
    velocity: BTreeMap<String, Tensor>,
}

impl Sgd {
    /// An optimiser at rest.
    ///
    /// # Errors
    /// When memory for the velocities cannot be allocated.
    pub fn new(net: &Net, config: SgdConfig) -> Result<Self> {
        let rest = |(name, var): (&str, &candle::Var)| Ok((name.to_owned(), var.zeros_like()?.detach()));
        Ok(Self { config, velocity: net.parameters().trainable().map(rest).collect::<Result<_>>()? })
    }

    /// One step down `grads` at learning rate `lr`.
    ///
    /// # Errors
    /// When a gradient does not fit its weight.
    pub fn step(&self, net: &mut Net, grads: &GradStore, lr: f64) -> Result<()> {
        let SgdConfig { momentum, weight_decay, nesterov } = self.config;
        let step = kernels::SgdStep { lr, momentum, weight_decay, nesterov };
        net.update(|parameters: &Parameters| {
            for (name, var) in parameters.trainable() {
                if let Some(grad) = grads.get(var) {
                    kernels::sgd_step(&var.as_detached_tensor(), &self.velocity[name], grad, step)?;
                }
            }
            Ok(())
        })
    }

    /// The velocities by parameter name.
    pub fn state(&self) -> &BTreeMap<String, Tensor> {
        &self.velocity
    }

    /// Replaces the velocities.
    ///
    /// # Errors
    /// When one is missing or has another shape.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> Result<()> {
        for (name, velocity) in &mut self.velocity {
            match state.get(name) {
                Some(saved) if saved.dims() == velocity.dims() => {
                    *velocity = saved.to_device(velocity.device())?.copy()?
                }
                _ => candle::bail!("the saved optimiser has no fitting velocity of {name}"),
            }
        }
        Ok(())
    }
}
