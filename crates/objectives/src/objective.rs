//! Terms, and weighted sums of them.

use crate::Passes;
use candle::{Result, Tensor, backprop::GradStore};
use std::{collections::BTreeMap, fmt, ops, sync::Arc};

/// One summand of an objective; it describes itself through `Display`.
pub trait Term: fmt::Display + Send + Sync {
    /// One loss per example, `(N,)`.
    ///
    /// # Errors
    /// When a pass fails or shapes do not fit.
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor>;

    /// The same term for the examples at positions `at` `(M,)`, `u32`, of the batch; `None`, the default,
    /// stands for the term itself. A term that holds a value for each example must give another.
    ///
    /// # Errors
    /// When a position is not one of the batch.
    fn rows(&self, _at: &Tensor) -> Result<Option<Arc<dyn Term>>> {
        Ok(None)
    }

    /// Whether smoothing the labels of a batch ([`Passes::smoothing`]) changes it. Most terms have no labels, or weights
    /// of their own on them.
    fn smooths_labels(&self) -> bool {
        false
    }

    /// Moves what the term itself learns (not the network's weights), given the gradients of a training loss
    /// that holds it with weight `weight`. The default learns nothing.
    ///
    /// # Errors
    /// When a gradient does not fit.
    fn learn(&self, _weight: f64, _grads: &GradStore) -> Result<()> {
        Ok(())
    }

    /// What the term has learnt so far, by name; a resumed run restores it.
    fn memory(&self) -> BTreeMap<String, Tensor> {
        BTreeMap::new()
    }

    /// Restores what [`Term::memory`] returned.
    ///
    /// # Errors
    /// When a tensor has the wrong shape.
    fn restore(&self, _memory: &BTreeMap<String, Tensor>) -> Result<()> {
        Ok(())
    }
}

/// A weighted sum of terms: what an attack ascends or training descends.
#[derive(Clone)]
pub struct Objective(Vec<(f64, Arc<dyn Term>)>);

impl Objective {
    /// One loss per example, `(N,)`. Training takes the mean; an attack the sum, so that an
    /// example's gradient does not depend on the batch it is in.
    ///
    /// # Errors
    /// When a term fails or gives something else, or there is none.
    pub fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let mut sum: Option<Tensor> = None;
        for (weight, term) in &self.0 {
            let losses = term.losses(passes)?;
            // A mean over anything else would train, and an attack go uphill.
            let (found, examples) = (losses.dims(), passes.labels().dims());
            if found != examples {
                candle::bail!("the term `{term}` gives {found:?}, not one loss per example {examples:?}")
            }
            let scaled = if *weight == 1. { losses } else { (losses * *weight)? };
            sum = Some(match sum {
                None => scaled,
                Some(sum) => (sum + scaled)?,
            });
        }
        sum.ok_or_else(|| candle::Error::Msg("an objective needs a term".into()))
    }

    /// The same objective for the examples at positions `at` `(M,)`, `u32`, of the batch.
    ///
    /// # Errors
    /// When a position is not one of the batch.
    pub fn rows(&self, at: &Tensor) -> Result<Self> {
        let rows =
            |(weight, term): &(f64, Arc<dyn Term>)| Ok((*weight, term.rows(at)?.unwrap_or_else(|| term.clone())));
        self.0.iter().map(rows).collect::<Result<_>>().map(Self)
    }

    /// Lets every term learn from the gradients of a training loss that is this objective's mean.
    ///
    /// # Errors
    /// When a term fails.
    pub fn learn(&self, grads: &GradStore) -> Result<()> {
        self.0.iter().try_for_each(|(weight, term)| term.learn(*weight, grads))
    }

    /// The terms with their weights.
    pub fn terms(&self) -> impl Iterator<Item = (f64, &dyn Term)> {
        self.0.iter().map(|(weight, term)| (*weight, &**term))
    }
}

impl<T: Term + 'static> From<T> for Objective {
    fn from(term: T) -> Self {
        Self(vec![(1., Arc::new(term))])
    }
}

impl ops::Add for Objective {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

impl ops::Mul<Objective> for f64 {
    type Output = Objective;

    fn mul(self, Objective(terms): Objective) -> Objective {
        Objective(terms.into_iter().map(|(weight, term)| (self * weight, term)).collect())
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (weight, term)) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" + ")?;
            }
            if *weight != 1. {
                write!(f, "{weight} ")?;
            }
            write!(f, "{term}")?;
        }
        Ok(())
    }
}
