//! Doubts about measurements: audits that failed, or that nobody made.

use std::collections::BTreeSet;

/// Doubts about what is compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sides {
    /// About what is subtracted.
    pub before: Doubts,
    /// About what it is subtracted from.
    pub after: Doubts,
}

/// Why robustness may be less than was measured; never more, so that it can still be too small.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doubts {
    /// Audits that failed, in words.
    pub failed: BTreeSet<String>,
    /// Runs that were not audited.
    pub unaudited: BTreeSet<String>,
}

impl Doubts {
    /// Those of all contrasts, in words.
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> BTreeSet<String> {
        let mut words: BTreeSet<String> = all.clone().flat_map(|doubts| doubts.failed.iter().cloned()).collect();
        let unaudited: BTreeSet<&String> = all.flat_map(|doubts| &doubts.unaudited).collect();
        if let Some(first) = unaudited.first() {
            words.insert(format!("{} of the runs behind it were not audited, such as {first}", unaudited.len()));
        }
        words
    }
}
