//! t-SNE, exact.

use super::pca::pca;
use crate::interrupt::{self, Interrupted};
use anyhow::Result;
use rayon::prelude::*;

/// The smallest probability, so that its logarithm is a number.
const TINY: f64 = 1e-12;
/// A direction that keeps its sign is followed faster, one that changes it slower, but never slower than this.
const SMALLEST_GAIN: f64 = 0.01;
/// Halvings and doublings of a bandwidth: as many as a double has bits.
const BISECTIONS: usize = 64;

/// How to embed points (van der Maaten and Hinton 2008, "Visualizing data using t-SNE").
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tsne {
    /// The number of neighbours that a point counts as near; at most a third of the others.
    pub perplexity: f64,
    /// Steps of gradient descent.
    pub iterations: usize,
    /// In so many first steps, neighbours attract each other [`Tsne::exaggeration`] times as much, and the momentum is
    /// 0.5 instead of 0.8.
    pub early: usize,
    /// See [`Tsne::early`].
    pub exaggeration: f64,
}

impl Default for Tsne {
    /// Usual today; the paper exaggerates four times in 50 steps.
    fn default() -> Self {
        Self { perplexity: 30., iterations: 1000, early: 250, exaggeration: 12. }
    }
}

/// Points in a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// One for each point.
    pub places: Vec<[f64; 2]>,
    /// What was descended: the Kullback-Leibler divergence, in nats, of neighbourhoods in the plane from those of the points.
    pub divergence: f64,
}

impl Tsne {
    /// Embeds `points`, one row a point: every pair is looked at in every step, so a thousand points take seconds.
    ///
    /// It starts from the first two principal components (which have a standard deviation of 1e-4 then) and draws
    /// nothing at random; sums run in order, so the number of threads changes nothing. The step length is
    /// `max(n / exaggeration / 4, 50)` (Belkina et al. 2019).
    ///
    /// # Errors
    /// When the user interrupts.
    pub fn embed(&self, points: &[Vec<f32>]) -> Result<Embedding> {
        let n = points.len();
        if n < 2 {
            return Ok(Embedding { places: vec![[0.; 2]; n], divergence: 0. });
        }
        let near = self.joint(points);
        let mut places = start(points);
        let (mut velocity, mut gains) = (vec![[0.; 2]; n], vec![[1f64; 2]; n]);
        let length = (n as f64 / self.exaggeration / 4.).max(50.);
        for iteration in 0..self.iterations {
            if interrupt::check().is_break() {
                return Err(Interrupted.into());
            }
            let (exaggeration, momentum) = if iteration < self.early { (self.exaggeration, 0.5) } else { (1., 0.8) };
            let gradient = gradient(&near, &places, exaggeration);
            for (i, place) in places.iter_mut().enumerate() {
                for axis in 0..2 {
                    let (slope, speed, gain) = (gradient[i][axis], &mut velocity[i][axis], &mut gains[i][axis]);
                    *gain = if slope * *speed < 0. { *gain + 0.2 } else { (*gain * 0.8).max(SMALLEST_GAIN) };
                    *speed = momentum * *speed - length * *gain * slope;
                    place[axis] += *speed;
                }
            }
            centre(&mut places);
        }
        Ok(Embedding { divergence: divergence(&near, &places), places })
    }

    /// How near points are: `(p_{j|i} + p_{i|j}) / 2n`, where `p_{.|i}` is normal around point i, as wide as its
    /// perplexity asks.
    fn joint(&self, points: &[Vec<f32>]) -> Vec<Vec<f64>> {
        let n = points.len();
        let entropy = self.perplexity.min((n - 1) as f64 / 3.).max(1.).ln();
        let near: Vec<Vec<f64>> = points.par_iter().enumerate().map(|(i, _)| conditional(points, i, entropy)).collect();
        let pair = |i: usize, j: usize| ((near[i][j] + near[j][i]) / (2 * n) as f64).max(TINY);
        (0..n).map(|i| (0..n).map(|j| if i == j { 0. } else { pair(i, j) }).collect()).collect()
    }
}

/// `p_{.|i}` with the given entropy in nats: bisection on the bandwidth.
fn conditional(points: &[Vec<f32>], i: usize, entropy: f64) -> Vec<f64> {
    let squared = |other: &Vec<f32>| -> f64 {
        points[i].iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
    };
    let distances: Vec<f64> = points.iter().map(squared).collect();
    let others = || distances.iter().enumerate().filter(|(j, _)| *j != i);
    // Less of the nearest changes no probability, and keeps one weight from vanishing.
    let nearest = others().map(|(_, d)| *d).fold(f64::INFINITY, f64::min);
    let weights = |precision: f64| -> Vec<f64> {
        let weight = |(j, d): (usize, &f64)| if j == i { 0. } else { (-(d - nearest) * precision).exp() };
        distances.iter().enumerate().map(weight).collect()
    };
    let (mut low, mut high, mut precision) = (0., f64::INFINITY, 1.);
    for _ in 0..BISECTIONS {
        let weights = weights(precision);
        let sum: f64 = weights.iter().sum();
        let mean: f64 = weights.iter().zip(&distances).map(|(w, d)| w * (d - nearest)).sum::<f64>() / sum;
        if sum.ln() + precision * mean > entropy {
            low = precision;
            precision = if high.is_finite() { f64::midpoint(low, high) } else { 2. * precision };
        } else {
            high = precision;
            precision = f64::midpoint(low, high);
        }
    }
    let weights = weights(precision);
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn start(points: &[Vec<f32>]) -> Vec<[f64; 2]> {
    let places = pca(points, 2).places;
    let deviation = (places.iter().map(|place| place[0] * place[0]).sum::<f64>() / places.len() as f64).sqrt();
    let scale = if deviation > 0. { 1e-4 / deviation } else { 0. };
    places.iter().map(|place| [0, 1].map(|axis| scale * place.get(axis).copied().unwrap_or(0.))).collect()
}

/// Student's kernel with one degree of freedom: how near two places are, but for a factor.
fn kernel(a: [f64; 2], b: [f64; 2]) -> f64 {
    1. / (1. + (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2))
}

fn gradient(near: &[Vec<f64>], places: &[[f64; 2]], exaggeration: f64) -> Vec<[f64; 2]> {
    // Of each point: the pull of all others, their push, and the sum of kernels.
    let forces: Vec<([f64; 2], [f64; 2], f64)> = places
        .par_iter()
        .zip(near)
        .map(|(&a, row)| {
            let (mut pull, mut push, mut sum) = ([0.; 2], [0.; 2], -1.);
            for (&b, p) in places.iter().zip(row) {
                let k = kernel(a, b);
                sum += k;
                for axis in 0..2 {
                    let apart = a[axis] - b[axis];
                    pull[axis] += p * k * apart;
                    push[axis] += k * k * apart;
                }
            }
            (pull, push, sum)
        })
        .collect();
    let total: f64 = forces.iter().map(|(_, _, sum)| sum).sum();
    let slope = |pull: f64, push: f64| 4. * (exaggeration * pull - push / total);
    forces.iter().map(|(pull, push, _)| [0, 1].map(|axis| slope(pull[axis], push[axis]))).collect()
}

fn centre(places: &mut [[f64; 2]]) {
    for axis in 0..2 {
        let mean = places.iter().map(|place| place[axis]).sum::<f64>() / places.len() as f64;
        places.iter_mut().for_each(|place| place[axis] -= mean);
    }
}

fn divergence(near: &[Vec<f64>], places: &[[f64; 2]]) -> f64 {
    let pairs = || (0..places.len()).flat_map(|i| (0..places.len()).map(move |j| (i, j))).filter(|(i, j)| i != j);
    let total: f64 = pairs().map(|(i, j)| kernel(places[i], places[j])).sum();
    let q = |i: usize, j: usize| (kernel(places[i], places[j]) / total).max(TINY);
    pairs().map(|(i, j)| near[i][j] * (near[i][j] / q(i, j)).ln()).sum()
}
