//! Prototype conformity, Mustafa et al. 2019: learnable class centres in feature space.
//!
//! The official code trains two layers of features in this way; here it is the penultimate one.

use crate::{Objective, Pass, Passes, Stage, Term, one_hot, select};
use candle::{D, Device, Result, Tensor, Var, backprop::GradStore};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

/// One learnable centre a class, of the features of the penultimate layer. Clones share their values.
#[derive(Clone, Debug)]
pub struct Centers {
    var: Arc<OnceLock<Var>>,
    /// Draws the start, where none is given.
    seed: u64,
}

impl Centers {
    /// Centres that start at `start` `(K, D)`.
    ///
    /// # Errors
    /// When `start` is no matrix, or memory cannot be allocated.
    pub fn new(start: &Tensor) -> Result<Self> {
        start.dims2()?;
        Ok(Self { var: Arc::new(Var::from_tensor(&start.copy()?)?.into()), seed: 0 })
    }

    /// Centres that start as independent standard normal numbers, as in the official code, drawn when the first
    /// features show how many there are.
    pub fn drawn(seed: u64) -> Self {
        Self { var: Arc::default(), seed }
    }

    /// The centres themselves, `(K, D)`, once there are any.
    pub fn var(&self) -> Option<&Var> {
        self.var.get()
    }

    fn of(&self, classes: usize, features: usize, kind: Kind, device: &Device) -> Result<&Var> {
        if let Some(var) = self.var.get() {
            return Ok(var);
        }
        let mut start = vec![0f32; classes * features];
        let key = kernels::Key { seed: self.seed, epoch: 0, example: 0, restart: 0 };
        kernels::fill_normal(key.domain(kind.memory()), 1., &mut start);
        let var = Var::from_vec(start, (classes, features), device)?;
        Ok(self.var.get_or_init(|| var))
    }
}

/// Squared distance between features and the centre of their class, the mean over `passes`.
pub fn proximity(centers: &Centers, passes: &[Pass]) -> Objective {
    Pcl { kind: Kind::Proximity, centers: centers.clone(), passes: passes.into() }.into()
}

/// Mean squared distance between features and the centres of all other classes, the mean over `passes`.
/// Training ascends it, so it enters an objective with a small negative weight (in the official code
/// -1e-4, in adversarial training -1e-5). It is not bounded.
pub fn contrastive(centers: &Centers, passes: &[Pass]) -> Objective {
    Pcl { kind: Kind::Contrastive, centers: centers.clone(), passes: passes.into() }.into()
}

#[derive(Clone, Copy)]
enum Kind {
    Proximity,
    Contrastive,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Proximity => "proximity",
            Self::Contrastive => "contrastive",
        }
    }

    fn memory(self) -> &'static str {
        match self {
            Self::Proximity => "pcl.proximity.centers",
            Self::Contrastive => "pcl.contrastive.centers",
        }
    }

    /// The rate at which the official code's adversarial training moves the centres: plain gradient steps,
    /// after the weight of the term is divided out of the gradient.
    fn rate(self) -> f64 {
        match self {
            Self::Proximity => 0.5,
            Self::Contrastive => 1e-5,
        }
    }
}

struct Pcl {
    kind: Kind,
    centers: Centers,
    passes: Vec<Pass>,
}

impl Pcl {
    fn distances(&self, features: &Tensor, labels: &Tensor, classes: usize, stage: Stage) -> Result<Tensor> {
        let var = self.centers.of(classes, features.dim(1)?, self.kind, features.device())?;
        // In an attack the centres are constants like every other weight.
        let centers = match stage {
            Stage::Generation => var.as_detached_tensor(),
            Stage::Training => var.as_tensor().clone(),
        };
        let own = one_hot(labels, classes)?;
        match self.kind {
            Kind::Proximity => (features - own.matmul(&centers)?)?.sqr()?.sum(D::Minus1),
            Kind::Contrastive => {
                let squared = kernels::squared_distances(features, &centers)?;
                select(&squared, &own.affine(-1., 1.)?)? / (classes - 1).max(1) as f64
            }
        }
    }
}

impl Term for Pcl {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let each = self.passes.iter().map(|pass| {
            let output = passes.get(*pass)?;
            let classes = output.logits.dim(D::Minus1)?;
            self.distances(&output.features, passes.labels(), classes, passes.stage())
        });
        Tensor::stack(&each.collect::<Result<Vec<_>>>()?, 0)?.mean(0)
    }

    fn learn(&self, weight: f64, grads: &GradStore) -> Result<()> {
        match self.centers.var.get().map(|var| (var, grads.get(var))) {
            Some((var, Some(grad))) if weight != 0. => {
                var.set(&(var.as_detached_tensor() - (grad * (self.kind.rate() / weight.abs()))?)?)
            }
            _ => Ok(()),
        }
    }

    fn memory(&self) -> BTreeMap<String, Tensor> {
        // A copy, since later steps write in place; should it fail, `restore` will say what is missing.
        let centers = self.centers.var.get().and_then(|var| var.as_detached_tensor().copy().ok());
        centers.map(|centers| (self.kind.memory().to_owned(), centers)).into_iter().collect()
    }

    fn restore(&self, memory: &BTreeMap<String, Tensor>) -> Result<()> {
        match (memory.get(self.kind.memory()), self.centers.var.get()) {
            (Some(centers), Some(var)) => var.set(&centers.to_device(var.device())?),
            (Some(centers), None) => {
                let var = Var::from_tensor(&centers.copy()?)?;
                self.centers.var.get_or_init(|| var);
                Ok(())
            }
            // Nothing was learnt yet, then or now.
            (None, None) => Ok(()),
            (None, Some(_)) => candle::bail!("what is to be restored has no {}", self.kind.memory()),
        }
    }
}

impl fmt::Display for Pcl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passes: Vec<String> = self.passes.iter().map(Pass::to_string).collect();
        write!(f, "{}({})", self.kind.name(), passes.join(", "))
    }
}
