//! A network: one set of weights, two views.

use crate::{
    Arch, Head, Mode, Model, Normalization, Output,
    checkpoint::spelling,
    layers::{Classifier, Pass},
    parameters::{Parameters, Scope},
};
use candle::{Device, Result, Tensor};
use kernels::{Flow, Fused, Stepwise};
use std::collections::BTreeMap;

/// A network but for its name and weights: images `(N, C, H, W)` to features and logits.
pub(crate) trait Layers: Send + Sync {
    fn forward(&self, images: &Tensor, normalization: &Normalization, pass: Pass) -> Result<Output>;
}

/// A network that ends with global average pooling and one layer.
pub(crate) trait Trunk: Send + Sync {
    /// From normalised, channels-last images to what is pooled.
    fn run<F: Flow>(&self, flow: &F, x: F::Value, pass: Pass) -> Result<F::Value>;

    /// From features to logits.
    fn head(&self) -> &Classifier;

    /// Whether there is batch norm.
    fn normalizes(&self) -> bool {
        true
    }
}

impl<T: Trunk> Layers for T {
    fn forward(&self, images: &Tensor, Normalization { mean, std }: &Normalization, pass: Pass) -> Result<Output> {
        let features = if images.device().is_cpu() {
            let batch_statistics = self.normalizes() && pass.mode != Mode::Eval;
            features(self, Fused::enter(images, mean, std, batch_statistics)?, pass)?
        } else {
            features(self, Stepwise::enter(images, mean, std)?, pass)?
        };
        let logits = self.head().forward(&features, pass)?;
        Ok(Output { features, logits })
    }
}

fn features<F: Flow>(trunk: &impl Trunk, (flow, x): (F, F::Value), pass: Pass) -> Result<Tensor> {
    let last = trunk.run(&flow, x, pass)?;
    flow.features(&last)
}

/// A classifier with its weights.
///
/// Weights change only through `&mut self`, so no view, and no packed copy of a weight inside
/// [`kernels`], can outlive an update.
pub struct Net {
    arch: Arch,
    head: Head,
    normalization: Normalization,
    parameters: Parameters,
    layers: Box<dyn Layers>,
    shape: [usize; 3],
    classes: usize,
}

impl Net {
    /// A freshly initialised network for images of `shape` `[C, H, W]` and `classes` classes;
    /// the weights depend on `seed` and the parameters' names only.
    ///
    /// # Errors
    /// When a weight cannot be allocated.
    pub fn new(arch: Arch, shape: [usize; 3], classes: usize, seed: u64, device: &Device) -> Result<Self> {
        Self::with_head(arch, Head::Linear, shape, classes, seed, device)
    }

    /// As [`Net::new`], with another last layer than a linear one.
    ///
    /// # Errors
    /// When a weight cannot be allocated.
    pub fn with_head(
        arch: Arch,
        head: Head,
        shape: [usize; 3],
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let mut parameters = Parameters::default();
        let layers = arch.build(Scope::root(&mut parameters, head, seed, device), shape, classes)?;
        Ok(Self { arch, head, normalization: arch.normalization(shape[0]), parameters, layers, shape, classes })
    }

    /// Replaces the architecture's published normalisation.
    #[must_use]
    pub fn normalized_by(self, normalization: Normalization) -> Self {
        Self { normalization, ..self }
    }

    /// The architecture.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The last layer.
    pub fn head(&self) -> Head {
        self.head
    }

    /// What the first layer subtracts and divides by.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// The number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Weights and buffers by name.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The view whose weights are differentiated; in [`Mode::Train`] it moves running statistics.
    pub fn live(&self) -> View<'_> {
        View { net: self, live: true }
    }

    /// The view whose weights are constants: no weight gradients, running statistics never move.
    pub fn frozen(&self) -> View<'_> {
        View { net: self, live: false }
    }

    /// Changes the weights; the only way to do so. Packed copies are made anew on the next pass.
    pub fn update<R>(&mut self, change: impl FnOnce(&Parameters) -> R) -> R {
        let result = change(&self.parameters);
        self.parameters.repack();
        result
    }

    /// A copy of every weight and buffer.
    ///
    /// # Errors
    /// When memory cannot be allocated on the device.
    pub fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        self.parameters.iter().map(|(name, p)| Ok((name.to_owned(), p.var().as_detached_tensor().copy()?))).collect()
    }

    /// Replaces every weight and buffer.
    ///
    /// # Errors
    /// When a tensor is missing, left over, or of another shape; nothing is changed then. Published weights
    /// need [`translate`](crate::checkpoint::translate) first.
    pub fn load(&mut self, state: &BTreeMap<String, Tensor>) -> std::result::Result<(), Mismatch> {
        let mismatch = |what: String| Mismatch { arch: self.arch, what };
        let known: BTreeMap<_, _> = self.parameters.iter().collect();
        let missing: Vec<&str> = known.keys().copied().filter(|name| !state.contains_key(*name)).collect();
        let foreign: Vec<&str> = state.keys().map(String::as_str).filter(|name| !known.contains_key(name)).collect();
        let without = [("missing", &missing), ("without a place in it", &foreign)];
        let mut faults: Vec<String> =
            without.iter().filter(|(_, names)| !names.is_empty()).map(|(fault, names)| some(fault, names)).collect();
        if !faults.is_empty() {
            faults.push(format!("known spellings: {}", spelling::known(self.arch)));
            return Err(mismatch(faults.join("; ")));
        }
        for (name, p) in known {
            let (found, own) = (state[name].dims(), p.var().dims());
            if found != own {
                return Err(mismatch(format!("{name} is {found:?}, not {own:?}")));
            }
        }
        let copy = |parameters: &Parameters| -> Result<()> {
            for (name, p) in parameters.iter() {
                p.var().set(&state[name].to_device(p.var().device())?.to_dtype(p.var().dtype())?)?;
            }
            Ok(())
        };
        self.update(copy).map_err(|e| Mismatch { arch: self.arch, what: e.to_string() })
    }

    fn run(&self, images: &Tensor, pass: Pass) -> Result<Output> {
        if images.rank() != 4 || images.dims()[1..] != self.shape {
            let [c, h, w] = self.shape;
            candle::bail!("{} expects images of shape (N, {c}, {h}, {w}), got {:?}", self.arch, images.dims())
        }
        self.layers.forward(images, &self.normalization, pass)
    }
}

/// The first few of `names`, and what is wrong with them.
fn some(fault: &str, names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names[..names.len() - more].join(", ");
    if more == 0 { format!("{fault}: {shown}") } else { format!("{fault}: {shown} and {more} more") }
}

/// A checkpoint that does not fit the architecture.
#[derive(Debug, thiserror::Error)]
#[error("the weights are not those of a {arch}: {what}")]
pub struct Mismatch {
    arch: Arch,
    what: String,
}

/// A network as one kind of user sees it; see [`Net::live`] and [`Net::frozen`].
#[derive(Clone, Copy)]
pub struct View<'a> {
    net: &'a Net,
    live: bool,
}

impl Model for View<'_> {
    fn forward(&self, images: &Tensor, mode: Mode) -> Result<Output> {
        if mode == Mode::Train && !self.live {
            candle::bail!("a frozen network cannot update its running statistics: use Mode::BatchStats or Mode::Eval")
        }
        self.net.run(images, Pass { mode, live: self.live })
    }
}
