//! How attacks are called: the grammar of their names.

use std::fmt;

/// A name taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Name {
    /// One of [`FAMILIES`].
    pub family: &'static str,
    /// Steps (queries, draws), the family's usual number if the name has none.
    pub steps: usize,
    /// Independent runs.
    pub restarts: usize,
    /// How far a step goes, in pixel units, where that is not the family's usual length.
    pub length: Option<f64>,
    /// Passes a gradient is the mean of.
    pub passes: usize,
}

/// What may follow a family's name.
pub(crate) struct Family {
    name: &'static str,
    steps: Steps,
    restarts: bool,
    length: bool,
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
    Family { name: "fgsm", steps: Fixed, restarts: false, length: false, passes: true },
    Family { name: "pgd", steps: Given("STEPS"), restarts: true, length: true, passes: true },
    Family { name: "mim", steps: Given("STEPS"), restarts: false, length: true, passes: true },
    Family { name: "cw", steps: Usual("STEPS", 30), restarts: true, length: true, passes: true },
    Family { name: "apgd-ce", steps: Usual("STEPS", 100), restarts: true, length: false, passes: true },
    Family { name: "apgd-dlr", steps: Usual("STEPS", 100), restarts: true, length: false, passes: true },
    Family { name: "apgd-scaled-ce", steps: Usual("STEPS", 100), restarts: true, length: false, passes: true },
    Family { name: "apgd-t", steps: Usual("STEPS", 100), restarts: true, length: false, passes: true },
    Family { name: "fab", steps: Usual("STEPS", 100), restarts: true, length: false, passes: false },
    Family { name: "fab-t", steps: Usual("STEPS", 100), restarts: true, length: false, passes: false },
    Family { name: "square", steps: Usual("QUERIES", 5000), restarts: true, length: false, passes: false },
    Family { name: "noise", steps: Usual("POINTS", 1000), restarts: false, length: false, passes: false },
    Family { name: "autoattack", steps: Fixed, restarts: false, length: false, passes: false },
    Family { name: "autoattack-plus", steps: Fixed, restarts: false, length: false, passes: false },
    Family { name: "autoattack-rand", steps: Fixed, restarts: false, length: false, passes: false },
];

impl Name {
    /// Takes `FAMILY[-STEPS[xRESTARTS]][@LENGTH][-eotPASSES]` apart; `None` if no attack has that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (rest, passes) = match name.split_once("-eot") {
            Some((rest, passes)) => (rest, Some(passes)),
            None => (name, None),
        };
        let (rest, length) = match rest.split_once('@') {
            Some((rest, length)) => (rest, Some(length)),
            None => (rest, None),
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
        let length = match length {
            Some(text) => Some(pixels(text).filter(|_| family.length)?),
            None => None,
        };
        Some(Self { family: family.name, steps, restarts, length, passes })
    }

    /// The family that the attack called `name` is of. A family's own name stands for it, even where an attack's must say
    /// more: `pgd`.
    pub(crate) fn family(name: &str) -> Option<&'static str> {
        let own = FAMILIES.iter().map(|family| family.name).find(|family| *family == name);
        own.or_else(|| Some(Self::parse(name)?.family))
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

/// A length above 0 in pixel units, likewise in its usual spelling.
fn pixels(text: &str) -> Option<f64> {
    text.parse().ok().filter(|length: &f64| *length > 0. && *length <= 1e6 && length.to_string() == text)
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
        f.write_str(if self.length { "[@LENGTH]" } else { "" })?;
        f.write_str(if self.passes { "[-eotPASSES]" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_taken_apart() {
        for (name, family, steps, restarts, length, passes) in [
            ("fgsm", "fgsm", 1, 1, None, 1),
            ("fgsm-eot2", "fgsm", 1, 1, None, 2),
            ("pgd-20", "pgd", 20, 1, None, 1),
            ("pgd-20x3-eot10000", "pgd", 20, 3, None, 10_000),
            ("pgd-20@0.003", "pgd", 20, 1, Some(0.003), 1),
            ("cw@0.5", "cw", 30, 1, Some(0.5), 1),
            ("mim-7@2-eot3", "mim", 7, 1, Some(2.), 3),
            ("pgd-20x3@0.01-eot2", "pgd", 20, 3, Some(0.01), 2),
            ("apgd-ce", "apgd-ce", 100, 1, None, 1),
            ("apgd-ce-7x5-eot20", "apgd-ce", 7, 5, None, 20),
            ("square-9x2", "square", 9, 2, None, 1),
            ("autoattack-rand", "autoattack-rand", 1, 1, None, 1),
        ] {
            assert_eq!(Name::parse(name), Some(Name { family, steps, restarts, length, passes }), "{name}");
        }
        for name in [
            "pgd-20@",
            "pgd-20@0",
            "pgd-20@-1",
            "pgd-20@0.0030",
            "pgd-20@nan",
            "pgd-20@2/255",
            "pgd@0.1",
            "apgd-ce@0.1",
            "fgsm@0.1",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_known_can_be_read() {
        let known = Name::known();
        for form in
            ["fgsm[-eotPASSES], ", "pgd-STEPS[xRESTARTS][@LENGTH][-eotPASSES], ", "square[-QUERIES[xRESTARTS]], "]
        {
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
