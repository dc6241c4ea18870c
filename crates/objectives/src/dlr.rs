//! The difference-of-logits-ratio losses of AutoAttack (Croce and Hein 2020, equations 6 and 7).

use crate::{Objective, Passes, Term, one_hot, select, select::largest_outside};
use candle::{D, Result, Tensor};
use std::{fmt, sync::Arc};

/// Keeps the denominator away from zero, as in the official code.
const TINY: f64 = 1e-12;

/// `-(z_y - max_{k != y} z_k) / (z_(1) - z_(3))`, logits sorted in descending order.
/// Needs three classes.
pub fn dlr() -> Objective {
    Dlr { target: None }.into()
}

/// `-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2)` towards `target` `(N,)`, one class an example.
/// Needs four classes.
pub fn targeted_dlr(target: Tensor) -> Objective {
    Dlr { target: Some(target) }.into()
}

struct Dlr {
    target: Option<Tensor>,
}

/// The logits of rank 0 (largest), 1, ... of each row, `(N,)` each.
fn ranked(logits: &Tensor, ranks: usize) -> Result<Vec<Tensor>> {
    let classes = logits.dim(D::Minus1)?;
    if classes < ranks {
        candle::bail!("the DLR loss needs at least {ranks} classes, got {classes}")
    }
    let order = logits.detach().contiguous()?.arg_sort_last_dim(false)?;
    (0..ranks).map(|r| select(logits, &one_hot(&order.narrow(1, r, 1)?.squeeze(1)?, classes)?)).collect()
}

impl Term for Dlr {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let logits = &passes.adv()?.logits;
        let classes = logits.dim(D::Minus1)?;
        let own = one_hot(passes.labels(), classes)?;
        let (rival, spread) = match &self.target {
            None => {
                let z = ranked(logits, 3)?;
                (largest_outside(logits, &own)?, (&z[0] - &z[2])?)
            }
            Some(target) => {
                let z = ranked(logits, 4)?;
                (one_hot(target, classes)?, (&z[0] - ((&z[2] + &z[3])? * 0.5)?)?)
            }
        };
        (select(logits, &rival)? - select(logits, &own)?)? / (spread + TINY)?
    }

    fn rows(&self, at: &Tensor) -> Result<Option<Arc<dyn Term>>> {
        let Some(target) = &self.target else { return Ok(None) };
        Ok(Some(Arc::new(Self { target: Some(target.contiguous()?.index_select(at, 0)?) })))
    }
}

impl fmt::Display for Dlr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.target.is_some() { "dlr-targeted" } else { "dlr" })
    }
}
