//! Prototype conformity, Mustafa et al. 2019: learnable class centres in feature space.

use crate::{Objective, Pass, Passes, Stage, Term, one_hot, select};
use candle::{D, Result, Tensor, Var, backprop::GradStore};
use std::{collections::BTreeMap, fmt};

/// One learnable centre a class. Clones share their values.
#[derive(Clone, Debug)]
pub struct Centers(Var);

impl Centers {
    /// Centres that start at `start` `(K, D)`; the official code draws them from a standard normal
    /// distribution, and has separate ones for [`proximity`] and [`contrastive`].
    ///
    /// # Errors
    /// When `start` is no matrix, or memory cannot be allocated.
    pub fn new(start: &Tensor) -> Result<Self> {
        start.dims2()?;
        Ok(Self(Var::from_tensor(&start.copy()?)?))
    }

    /// The centres themselves, `(K, D)`.
    pub fn var(&self) -> &Var {
        &self.0
    }

    /// One plain gradient step down the training loss: the network's optimiser does not know the centres.
    ///
    /// The official code divides the weight of the term out of the gradient first, then steps with learning
    /// rate 0.5 (proximity) or 1e-4 (contrastive): pass that rate divided by the magnitude of the weight.
    ///
    /// # Errors
    /// When a gradient does not fit.
    pub fn step(&self, grads: &GradStore, lr: f64) -> Result<()> {
        match grads.get(&self.0) {
            Some(grad) => self.0.set(&(self.0.as_detached_tensor() - (grad * lr)?)?),
            None => Ok(()),
        }
    }
}

/// Squared distance between the features of one pass and the centre of their class.
pub fn proximity(centers: &Centers, pass: Pass) -> Objective {
    Pcl { kind: Kind::Proximity, centers: centers.clone(), pass }.into()
}

/// Mean squared distance between the features of one pass and the centres of all other classes.
/// Training ascends it, so it enters an objective with a small negative weight (in the official code
/// -1e-4, in adversarial training -1e-5). It is not bounded.
pub fn contrastive(centers: &Centers, pass: Pass) -> Objective {
    Pcl { kind: Kind::Contrastive, centers: centers.clone(), pass }.into()
}

#[derive(Clone, Copy)]
enum Kind {
    Proximity,
    Contrastive,
}

struct Pcl {
    kind: Kind,
    centers: Centers,
    pass: Pass,
}

impl Pcl {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Proximity => "proximity",
            Kind::Contrastive => "contrastive",
        }
    }

    fn key(&self) -> String {
        format!("pcl.{}.centers", self.name())
    }
}

impl Term for Pcl {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let features = &passes.get(self.pass)?.features;
        // In an attack the centres are constants like every other weight.
        let centers = match passes.stage() {
            Stage::Generation => self.centers.0.as_detached_tensor(),
            Stage::Training => self.centers.0.as_tensor().clone(),
        };
        let classes = centers.dim(0)?;
        let own = one_hot(passes.labels(), classes)?;
        match self.kind {
            Kind::Proximity => (features - own.matmul(&centers)?)?.sqr()?.sum(D::Minus1),
            Kind::Contrastive => {
                let squared = kernels::squared_distances(features, &centers)?;
                select(&squared, &own.affine(-1., 1.)?)? / (classes - 1).max(1) as f64
            }
        }
    }

    fn memory(&self) -> BTreeMap<String, Tensor> {
        // A copy, since later steps write in place; should it fail, `restore` will say what is missing.
        self.centers.0.as_detached_tensor().copy().ok().map(|centers| (self.key(), centers)).into_iter().collect()
    }

    fn restore(&self, memory: &BTreeMap<String, Tensor>) -> Result<()> {
        match memory.get(&self.key()) {
            Some(centers) => self.centers.0.set(&centers.to_device(self.centers.0.device())?),
            None => candle::bail!("what is to be restored has no {}", self.key()),
        }
    }
}

impl fmt::Display for Pcl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.pass)
    }
}
