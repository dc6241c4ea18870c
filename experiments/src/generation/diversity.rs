//! How different the adversarial examples of one image are.

use crate::features::eigen::eigen;
use std::collections::BTreeMap;

/// The diversity of several perturbations of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diversity {
    /// The mean Euclidean distance over all pairs, pixels in `[0, 1]`.
    pub distance: f64,
    /// The mean of one minus the cosine over all pairs: 0 for equal directions, 1 for orthogonal ones.
    pub angle: f64,
    /// The Vendi score, `exp(-sum_i l_i ln l_i)`, where `l_i` are the eigenvalues of `K / R` and `K` has the cosines of
    /// all R perturbations with each other (Friedman and Dieng 2023): from 1 if all have one direction to R if all are orthogonal.
    pub vendi_score: f64,
    /// The participation ratio of the same eigenvalues, `1 / sum_i l_i^2` (their sum is 1): the number of directions
    /// that matter. Also from 1 to R, never above the Vendi score; directions that few perturbations have add less.
    pub directions: f64,
}

impl Diversity {
    /// Of at least two `perturbations`, one row each; `None` of fewer.
    ///
    /// A perturbation that is zero has no direction: it is orthogonal to every other, but equal to another that is zero.
    pub fn of(perturbations: &[Vec<f32>]) -> Option<Self> {
        let count = perturbations.len();
        if count < 2 {
            return None;
        }
        let products: Vec<Vec<f64>> =
            perturbations.iter().map(|a| perturbations.iter().map(|b| dot(a, b)).collect()).collect();
        let cosine = |i: usize, j: usize| match (products[i][i] > 0., products[j][j] > 0.) {
            _ if i == j => 1.,
            (true, true) => (products[i][j] / (products[i][i] * products[j][j]).sqrt()).clamp(-1., 1.),
            (a, b) => f64::from(u8::from(a == b)),
        };
        let pairs = || (0..count).flat_map(|i| (0..i).map(move |j| (i, j)));
        let mean = |of: &dyn Fn(usize, usize) -> f64| {
            pairs().map(|(i, j)| of(i, j)).sum::<f64>() / (count * (count - 1) / 2) as f64
        };
        let squared = |i: usize, j: usize| (products[i][i] + products[j][j] - 2. * products[i][j]).max(0.);
        let kernel: Vec<Vec<f64>> =
            (0..count).map(|i| (0..count).map(|j| cosine(i, j) / count as f64).collect()).collect();
        // Rounding leaves eigenvalues that should be 0 a little below.
        let values: Vec<f64> = eigen(&kernel).values.into_iter().map(|value| value.max(0.)).collect();
        Some(Self {
            distance: mean(&|i, j| squared(i, j).sqrt()),
            angle: mean(&|i, j| 1. - cosine(i, j)),
            vendi_score: entropy(values.iter().copied()).exp(),
            directions: 1. / values.iter().map(|value| value * value).sum::<f64>(),
        })
    }
}

/// The entropy, in nats, of the wrong classes among `predicted`, each counted as often as it is there; `None` if every
/// prediction is `label`.
pub fn wrong_class_entropy(predicted: &[u32], label: u32) -> Option<f64> {
    let mut counts = BTreeMap::<u32, usize>::new();
    predicted.iter().filter(|class| **class != label).for_each(|class| *counts.entry(*class).or_default() += 1);
    let wrong: usize = counts.values().sum();
    (wrong > 0).then(|| entropy(counts.values().map(|count| *count as f64 / wrong as f64)))
}

/// Of a distribution, in nats.
fn entropy(shares: impl Iterator<Item = f64>) -> f64 {
    // Adding 0 turns -0 into 0.
    0. - shares.filter(|share| *share > 0.).map(|share| share * share.ln()).sum::<f64>()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
