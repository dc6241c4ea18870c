//! Named weights and buffers of a network, and how they are initialised.

use crate::{Head, layers::Pass};
use candle::{Device, Result, Shape, Tensor, Var};
use kernels::{Key, Packing, fill_normal, fill_uniform};
use std::{collections::BTreeMap, sync::Arc};

/// One named tensor of a network.
#[derive(Clone, Debug)]
pub struct Parameter {
    var: Var,
    trainable: bool,
}

impl Parameter {
    /// The variable itself; change it only through [`Net::update`](crate::Net::update).
    pub fn var(&self) -> &Var {
        &self.var
    }

    /// Whether an optimiser may change it; running statistics are not trainable.
    pub fn trainable(&self) -> bool {
        self.trainable
    }

    /// The values as `pass` may see them: differentiated, or constants over the same storage.
    pub(crate) fn seen_by(&self, pass: Pass) -> Tensor {
        if pass.live && self.trainable { self.var.as_tensor().clone() } else { self.var.as_detached_tensor() }
    }
}

/// Every named tensor of a network, sorted by name, so that norms and optimiser state have one order.
#[derive(Default)]
pub struct Parameters {
    named: BTreeMap<String, Parameter>,
    packings: Vec<Arc<Packing>>,
}

impl Parameters {
    /// All parameters and buffers by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Parameter)> {
        self.named.iter().map(|(name, p)| (name.as_str(), p))
    }

    /// The trainable ones by name.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.iter().filter(|(_, p)| p.trainable).map(|(name, p)| (name, &p.var))
    }

    /// Forgets every packed form of the weights, which an update made stale.
    pub(crate) fn repack(&self) {
        self.packings.iter().for_each(|packing| packing.clear());
    }
}

/// Starting values of a weight.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Init {
    Const(f32),
    /// Normal with variance `2 / fan_out`: He et al. 2015, as in the Wide ResNet code.
    HeFanOut,
    /// Uniform on `±1/sqrt(fan_in)`: PyTorch's default for linear layers and their biases.
    Uniform {
        fan_in: usize,
    },
}

/// Where in a network the next layer is created; its path becomes the prefix of parameter names.
pub(crate) struct Scope<'a> {
    parameters: &'a mut Parameters,
    path: String,
    head: Head,
    seed: u64,
    device: &'a Device,
}

impl<'a> Scope<'a> {
    pub(crate) fn root(parameters: &'a mut Parameters, head: Head, seed: u64, device: &'a Device) -> Self {
        Self { parameters, path: String::new(), head, seed, device }
    }

    /// The kind of last layer the network is to have.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The part of the network called `name`.
    pub(crate) fn at(&mut self, name: impl std::fmt::Display) -> Scope<'_> {
        let path = self.name(&name.to_string());
        Scope { parameters: self.parameters, path, head: self.head, seed: self.seed, device: self.device }
    }

    fn name(&self, leaf: &str) -> String {
        if self.path.is_empty() { leaf.into() } else { format!("{}.{leaf}", self.path) }
    }

    pub(crate) fn weight(&mut self, leaf: &str, shape: impl Into<Shape>, init: Init) -> Result<Parameter> {
        self.create(leaf, shape.into(), init, true)
    }

    pub(crate) fn buffer(&mut self, leaf: &str, shape: impl Into<Shape>, value: f32) -> Result<Parameter> {
        self.create(leaf, shape.into(), Init::Const(value), false)
    }

    /// A cache of packed weights that is emptied whenever the weights change.
    pub(crate) fn packing(&mut self) -> Arc<Packing> {
        let packing = Arc::new(Packing::default());
        self.parameters.packings.push(packing.clone());
        packing
    }

    /// Draws depend on the seed and the full name only, not on the order of creation.
    fn create(&mut self, leaf: &str, shape: Shape, init: Init, trainable: bool) -> Result<Parameter> {
        let name = self.name(leaf);
        let key = Key { seed: self.seed, epoch: 0, example: 0, restart: 0 }.domain("initialisation").domain(&name);
        let mut values = vec![0f32; shape.elem_count()];
        match init {
            Init::Const(value) => values.fill(value),
            Init::HeFanOut => {
                let dims = shape.dims();
                let fan_out = dims[0] * dims[2..].iter().product::<usize>();
                fill_normal(key, (2. / fan_out as f32).sqrt(), &mut values);
            }
            Init::Uniform { fan_in } => {
                let bound = 1. / (fan_in as f32).sqrt();
                fill_uniform(key, -bound, bound, &mut values);
            }
        }
        let var = Var::from_vec(values, shape, self.device)?;
        let parameter = Parameter { var, trainable };
        if self.parameters.named.insert(name.clone(), parameter.clone()).is_some() {
            candle::bail!("two parameters are called {name}")
        }
        Ok(parameter)
    }
}
