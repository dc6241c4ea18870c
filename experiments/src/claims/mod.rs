//! What the abstract claims, each claim as a test with a verdict.
//!
//! `paper/claims.toml` fixes the tests before they are run; [`Claims::read`] reads it. [`Judged::of`] pairs what the
//! tables and figures stored (`cells.csv`, `measures.csv`, `audit.csv`), setting by setting, and [`judge`] turns the
//! differences into verdicts. Measurements of different settings are never paired, weights that were not selected on
//! held-out images and seeds beyond those that a claim names do not count, and a seed whose two measurements are of
//! different numbers of images is left out.

mod doubts;
mod evidence;
mod rule;
mod stated;
#[cfg(test)]
mod tests;
mod written;

pub use doubts::{Doubts, Sides};
pub use evidence::Setting;
pub use rule::{Contrast, Finding, Tested, Verdict, judge};
pub use stated::{BUILT_IN, Claim, Claims, Direction, Rule, Selector};
pub(crate) use written::short;

use anyhow::Result;
use evidence::Evidence;
use std::path::Path;

/// All claims, judged by what a results folder holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The claims.
    pub claims: Claims,
    /// For each setting in which something was measured, a finding for each claim; one without a setting if there is none.
    pub settings: Vec<(Option<Setting>, Vec<Finding>)>,
}

impl Judged {
    /// Judges `claims` by the files below the results folder `out`.
    ///
    /// # Errors
    /// When a file is broken; one that is missing makes a claim [`Verdict::NotMeasured`].
    pub fn of(claims: Claims, out: &Path) -> Result<Self> {
        let evidence = Evidence::read(out, &claims)?;
        let finding = |setting: Option<Setting>| {
            let of = |claim: &Claim| match &setting {
                Some(setting) => evidence.contrasts(claim, setting),
                None => vec![Contrast { remarks: vec![format!("{} is not there", claim.file)], ..Contrast::default() }],
            };
            let findings = judge(&claims, &claims.claims.iter().map(of).collect::<Vec<_>>());
            (setting, findings)
        };
        let known: Vec<Option<Setting>> = evidence.settings().into_iter().map(Some).collect();
        let settings = if known.is_empty() { vec![None] } else { known };
        let settings = settings.into_iter().map(finding).collect();
        Ok(Self { claims, settings })
    }
}
