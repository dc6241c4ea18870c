//! The two terms of MART (Wang et al. 2020), with the constants of the official code.

use crate::{Objective, Passes, Term, log_softmax, one_hot, select, select::largest_outside};
use candle::{D, Result, Tensor};
use candle_nn::ops::softmax;
use std::fmt;

/// Keeps a logarithm finite, as in the official code.
const TINY: f64 = 1e-12;

/// Boosted cross-entropy: `ce(adv) - log(1.0001 - max_{k != y} q_k)`, `q` the adversarial probabilities.
pub fn boosted_ce() -> Objective {
    BoostedCe.into()
}

/// `KL(p || q) (1.0000001 - p_y)`: examples the network is unsure about on clean images weigh more.
pub fn weighted_kl() -> Objective {
    WeightedKl.into()
}

struct BoostedCe;

impl Term for BoostedCe {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let logits = &passes.adv()?.logits;
        let own = one_hot(passes.labels(), logits.dim(D::Minus1)?)?;
        let log = log_softmax(logits)?;
        let rival = select(&log.exp()?, &largest_outside(logits, &own)?)?;
        let boost = (rival.affine(-1., 1.0001)? + TINY)?.log()?;
        (select(&log, &own)? + boost)?.neg()
    }
}

impl fmt::Display for BoostedCe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("boosted-ce")
    }
}

struct WeightedKl;

impl Term for WeightedKl {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let log_p = log_softmax(&passes.clean()?.logits)?;
        let p = log_p.exp()?;
        let log_q = (softmax(&passes.adv()?.logits, D::Minus1)? + TINY)?.log()?;
        let own = one_hot(passes.labels(), p.dim(D::Minus1)?)?;
        let kl = (&p * (log_p - log_q)?)?.sum(D::Minus1)?;
        kl * select(&p, &own)?.affine(-1., 1.0000001)?
    }
}

impl fmt::Display for WeightedKl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("weighted-kl")
    }
}
