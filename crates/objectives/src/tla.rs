//! Triplet loss adversarial training, Mao et al. 2019, with the distance and constants of the
//! authors' TensorFlow code.

use crate::{
    Objective, Passes, Term, normalized, one_hot,
    rows::{absolute, cosines, same_label},
};
use candle::{D, DType, Result, Tensor};
use std::{collections::HashMap, fmt, sync::Arc};

/// The official code's weight of the features' squared entries.
const NORM_WEIGHT: f64 = 1e-3;

/// The clean feature that an adversarial one is pulled to.
#[derive(Clone, Debug)]
pub enum Positive {
    /// That of its own clean image.
    OwnClean,
    /// That of the next example of its class in the batch, cyclically, or its own when it is alone.
    /// Batches are shuffled, so this is a uniform draw that needs no random numbers, and no example is
    /// left out. (The official code draws further images of the batch's classes.)
    SameClass,
    /// That of the given row of the batch, `(N,)`, for each example.
    Rows(Tensor),
}

/// The clean feature that an adversarial one is pushed from.
#[derive(Clone, Debug)]
pub enum Negative {
    /// The one most similar to it in `|cos|`, as its loss has it, among other classes of the batch, the earliest of
    /// equals. An example without any has no triplet. (The official code's hard mining looks in a batch drawn for that
    /// purpose, by the signed cosine, in evaluation mode; features behind a rectifier have no other cosines.)
    Hardest,
    /// That of the given row of the batch, `(N,)`, for each example.
    Rows(Tensor),
}

/// `max(0, D(a, p) - D(a, n) + margin)` of adversarial features a, plus 1e-3 times the mean of
/// `a^2 + p^2 + n^2`, with D the [`angular_distance`]. Gradients flow into both sides.
///
/// The official code adds [`Positive::OwnClean`] and [`Positive::SameClass`] at margin 0.03, each twice,
/// to `ce(adv)`.
pub fn triplet(positive: Positive, negative: Negative, margin: f64) -> Objective {
    Triplet { positive, negative, margin }.into()
}

/// `1 - |cos|` between equal rows of `a` and `b`, `(N,)`.
///
/// # Errors
/// When the shapes differ.
pub fn angular_distance(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    absolute(&(normalized(a)? * normalized(b)?)?.sum(D::Minus1)?)?.affine(-1., 1.)
}

/// How hard a negative clean row j is for anchor i: `|cos|` if their labels differ, else 0; `(N, N)`.
///
/// # Errors
/// When the shapes do not fit.
pub fn negative_scores(anchors: &Tensor, clean: &Tensor, labels: &Tensor) -> Result<Tensor> {
    absolute(&cosines(anchors, clean)?)? * same_label(labels)?.affine(-1., 1.)?
}

struct Triplet {
    positive: Positive,
    negative: Negative,
    margin: f64,
}

/// Where each label occurs next, cyclically.
fn next_of_class(labels: &Tensor) -> Result<Tensor> {
    let labels_here = labels.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    let mut rows: HashMap<u32, Vec<u32>> = HashMap::new();
    for (row, label) in labels_here.iter().enumerate() {
        rows.entry(*label).or_default().push(row as u32);
    }
    let mut next = vec![0u32; labels_here.len()];
    for members in rows.values() {
        for (i, member) in members.iter().enumerate() {
            next[*member as usize] = members[(i + 1) % members.len()];
        }
    }
    Tensor::new(next, labels.device())
}

/// Rows of `features` `(N, D)` by number, with a deterministic backward.
fn rows(features: &Tensor, numbers: &Tensor) -> Result<Tensor> {
    one_hot(numbers, features.dim(0)?)?.matmul(features)
}

impl Term for Triplet {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let (anchors, clean) = (&passes.adv()?.features, &passes.clean()?.features);
        let positives = match &self.positive {
            Positive::OwnClean => clean.clone(),
            Positive::SameClass => rows(clean, &next_of_class(passes.labels())?)?,
            Positive::Rows(numbers) => rows(clean, numbers)?,
        };
        let (numbers, exists) = match &self.negative {
            Negative::Hardest => {
                // The own class is set below any score, so a negative at a right angle is still found.
                let own = same_label(passes.labels())?;
                let scores = (negative_scores(&anchors.detach(), &clean.detach(), passes.labels())? - &own)?;
                (scores.argmax(D::Minus1)?, Some(own.min(D::Minus1)?.affine(-1., 1.)?))
            }
            Negative::Rows(numbers) => (numbers.clone(), None),
        };
        let negatives = rows(clean, &numbers)?;
        let gap = (angular_distance(anchors, &positives)? - angular_distance(anchors, &negatives)?)?;
        let mut hinge = kernels::relu(&(gap + self.margin)?)?;
        let mut apart = negatives.sqr()?;
        if let Some(exists) = exists {
            (hinge, apart) = ((hinge * &exists)?, apart.broadcast_mul(&exists.unsqueeze(1)?)?);
        }
        let squares = ((anchors.sqr()? + positives.sqr()?)? + apart)?;
        hinge + (squares.mean(D::Minus1)? * NORM_WEIGHT)?
    }

    fn rows(&self, _at: &Tensor) -> Result<Option<Arc<dyn Term>>> {
        if matches!(self.positive, Positive::Rows(_)) || matches!(self.negative, Negative::Rows(_)) {
            candle::bail!("{self}: row numbers are those of the whole batch, and cannot be had for a part of it")
        }
        Ok(None)
    }
}

impl fmt::Display for Triplet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let positive = match self.positive {
            Positive::OwnClean => "own clean",
            Positive::SameClass => "same class",
            Positive::Rows(_) => "given positives",
        };
        let negative = match self.negative {
            Negative::Hardest => "hardest",
            Negative::Rows(_) => "given",
        };
        write!(f, "triplet({positive}, {negative} negatives, margin {})", self.margin)
    }
}
