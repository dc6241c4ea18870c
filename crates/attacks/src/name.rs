//! How attacks are called: the grammar of their names.

use std::fmt;

/// A name taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// One of [`FAMILIES`].
    pub family: &'static str,
    /// Steps (queries, draws), the family's usual number if the name has none.
    pub steps: usize,
    /// Independent runs.
    pub restarts: usize,
    /// Passes a gradient is the mean of.
    pub passes: usize,
}

/// What may follow a family's name.
pub(crate) struct Family {
    name: &'static str,
    steps: Steps,
    restarts: bool,
    passes: bool,
}

/// Whether a name says how long an attack searches, and what it counts.
enum Steps {
    /// It does not: there is nothing to choose.
    Fixed,
    /// It must.
    Given(&'static str),
    /// It may; else it is this many.
    Usual(&'static str, usize),
}

use Steps::{Fixed, Given, Usual};

/// Every family; the number of steps of APGD, FAB and Square is AutoAttack's.
const FAMILIES: &[Family] = &[
    Family { name: "fgsm", steps: Fixed, restarts: false, passes: true },
    Family { name: "pgd", steps: Given("STEPS"), restarts: true, passes: true },
    Family { name: "mim", steps: Given("STEPS"), restarts: false, passes: true },
    Family { name: "cw", steps: Usual("STEPS", 30), restarts: true, passes: true },
    Family { name: "apgd-ce", steps: Usual("STEPS", 100), restarts: true, passes: true },
    Family { name: "apgd-dlr", steps: Usual("STEPS", 100), restarts: true, passes: true },
    Family { name: "apgd-scaled-ce", steps: Usual("STEPS", 100), restarts: true, passes: true },
    Family { name: "apgd-t", steps: Usual("STEPS", 100), restarts: true, passes: true },
    Family { name: "fab", steps: Usual("STEPS", 100), restarts: true, passes: false },
    Family { name: "fab-t", steps: Usual("STEPS", 100), restarts: true, passes: false },
    Family { name: "square", steps: Usual("QUERIES", 5000), restarts: true, passes: false },
    Family { name: "noise", steps: Usual("POINTS", 1000), restarts: false, passes: false },
    Family { name: "autoattack", steps: Fixed, restarts: false, passes: false },
    Family { name: "autoattack-plus", steps: Fixed, restarts: false, passes: false },
    Family { name: "autoattack-rand", steps: Fixed, restarts: false, passes: false },
];

impl Name {
    /// Takes `FAMILY[-STEPS[xRESTARTS]][-eotPASSES]` apart; `None` if no attack has that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (rest, passes) = match name.split_once("-eot") {
            Some((rest, passes)) => (rest, Some(passes)),
            None => (name, None),
        };
        let find = |name: &str| FAMILIES.iter().find(|family| family.name == name);
        let (family, budget) = match find(rest) {
            Some(family) => (family, None),
            None => rest.rsplit_once('-').and_then(|(name, budget)| Some((find(name)?, Some(budget))))?,
        };
        let (steps, restarts) = match (budget, &family.steps) {
            (None, Fixed) => (1, None),
            (None, Usual(_, steps)) => (*steps, None),
            (Some(budget), Given(_) | Usual(..)) => match budget.split_once('x') {
                Some((steps, restarts)) => (count(steps)?, Some(restarts)),
                None => (count(budget)?, None),
            },
            (None, Given(_)) | (Some(_), Fixed) => return None,
        };
        let (restarts, passes) = (several(restarts, family.restarts)?, several(passes, family.passes)?);
        Some(Self { family: family.name, steps, restarts, passes })
    }

    /// All that [`Name::parse`] understands.
    pub(crate) fn known() -> String {
        FAMILIES.iter().map(Family::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Only the usual spelling of a number: `pgd-20` and `pgd-+020` must not be two attacks of one table.
fn count(text: &str) -> Option<usize> {
    text.parse().ok().filter(|n: &usize| (1..=10_000).contains(n) && n.to_string() == text)
}

/// 1 if the name says nothing, else at least 2, where that is `allowed`.
fn several(text: Option<&str>, allowed: bool) -> Option<usize> {
    text.map_or(Some(1), |text| count(text).filter(|n| allowed && *n > 1))
}

/// Adds how many `things` an attack has to its description, if more than one.
pub(crate) fn more(f: &mut fmt::Formatter<'_>, count: usize, things: &str) -> fmt::Result {
    if count > 1 { write!(f, ", {count} {things}") } else { Ok(()) }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let restarts = if self.restarts { "[xRESTARTS]" } else { "" };
        f.write_str(self.name)?;
        match self.steps {
            Fixed => {}
            Given(unit) => write!(f, "-{unit}{restarts}")?,
            Usual(unit, _) => write!(f, "[-{unit}{restarts}]")?,
        }
        f.write_str(if self.passes { "[-eotPASSES]" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_taken_apart() {
        for (name, family, steps, restarts, passes) in [
            ("fgsm", "fgsm", 1, 1, 1),
            ("fgsm-eot2", "fgsm", 1, 1, 2),
            ("pgd-20", "pgd", 20, 1, 1),
            ("pgd-20x3-eot10000", "pgd", 20, 3, 10_000),
            ("apgd-ce", "apgd-ce", 100, 1, 1),
            ("apgd-ce-7x5-eot20", "apgd-ce", 7, 5, 20),
            ("square-9x2", "square", 9, 2, 1),
            ("autoattack-rand", "autoattack-rand", 1, 1, 1),
        ] {
            assert_eq!(Name::parse(name), Some(Name { family, steps, restarts, passes }), "{name}");
        }
    }

    #[test]
    fn what_is_known_can_be_read() {
        let known = Name::known();
        for form in ["fgsm[-eotPASSES], ", "pgd-STEPS[xRESTARTS][-eotPASSES], ", "square[-QUERIES[xRESTARTS]], "] {
            assert!(known.contains(form), "{known}");
        }
        for family in FAMILIES {
            let name = match family.steps {
                Given(_) => format!("{}-5", family.name),
                Fixed | Usual(..) => family.name.into(),
            };
            assert!(crate::Probe::named(&name, crate::Ball::grey_levels(8.)).is_ok(), "{name}");
        }
    }
}
