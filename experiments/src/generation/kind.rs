//! What is measured of generated examples, and how it is printed.

use crate::report::caption;

/// A measurement, and how it is printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    /// As CSV files call it.
    pub name: &'static str,
    /// As printed.
    pub label: &'static str,
    /// Its unit; empty for a plain number.
    pub unit: &'static str,
    /// Digits after the point.
    digits: usize,
    /// What it is, beside a table.
    pub(super) meaning: &'static str,
}

/// Every measurement, strength first. More is stronger or more diverse, of each.
pub const KINDS: [Kind; 9] = [
    Kind {
        name: "loss-raised",
        label: "Loss raised",
        unit: "nats",
        digits: 3,
        meaning: "cross-entropy of the example minus that of its clean image",
    },
    Kind {
        name: "error-raised-percent",
        label: "Error raised",
        unit: "points",
        digits: 2,
        meaning: "error on examples minus error on clean images",
    },
    Kind {
        name: "feature-displacement",
        label: "Feature moved",
        unit: "",
        digits: 3,
        meaning: "distance of the example's feature, scaled as I2FR does, from that of its clean image",
    },
    Kind {
        name: "transfer-error-percent",
        label: "Transfer error",
        unit: "%",
        digits: 2,
        meaning: "error of another network on the same examples: PGD-AT of the same seed (of PGD-AT's examples, TRADES)",
    },
    Kind {
        name: "pairwise-distance",
        label: "Distance",
        unit: "",
        digits: 3,
        meaning: "Euclidean distance of two perturbations of an image, pixels in [0, 1]",
    },
    Kind {
        name: "pairwise-angle",
        label: "1 - cosine",
        unit: "",
        digits: 3,
        meaning: "one minus the cosine of two perturbations of an image",
    },
    Kind {
        name: "wrong-class-entropy",
        label: "Class entropy",
        unit: "nats",
        digits: 3,
        meaning: "entropy of the wrong classes an image's examples are taken for, over images that are ever wrong",
    },
    Kind {
        name: "vendi-score",
        label: "Vendi score",
        unit: "",
        digits: 3,
        meaning: "exponential of the entropy of the eigenvalues of the perturbations' cosines, divided by their number",
    },
    Kind {
        name: "distinct-directions",
        label: "Directions",
        unit: "",
        digits: 3,
        meaning: "participation ratio of the same eigenvalues: one by the sum of their squares",
    },
];

/// The first so many of [`KINDS`] are strength, the others diversity.
pub(super) const STRENGTHS: usize = 4;

impl Kind {
    /// As the head of a column.
    pub(super) fn head(&self) -> String {
        if self.unit.is_empty() { self.label.into() } else { format!("{}, {}", self.label, self.unit) }
    }

    /// A value as printed.
    pub(super) fn number(&self, value: f64) -> String {
        format!("{:.*}", self.digits, value)
    }

    /// A difference with its sign.
    pub(super) fn signed(&self, value: f64) -> String {
        caption::signed(value, self.digits)
    }
}

/// Strength and diversity, each a table of its own: both abreast would not fit a page.
pub(super) fn parts() -> [(&'static str, &'static [Kind]); 2] {
    [("Strength", &KINDS[..STRENGTHS]), ("Diversity", &KINDS[STRENGTHS..])]
}
