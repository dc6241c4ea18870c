//! Table 3: which part of I2FR does what, and where.
//!
//! ```text
//! cargo run --release --bin table3                                     # minutes: synthetic images, one framework
//! cargo run --release --bin table3 -- --profile cpu --data-dir DIR     # a day: real CIFAR-10, two frameworks
//! ```
//!
//! Expected: differences within a few points of the framework alone, and most of them within chance.

use experiments::{
    config::Regularizer,
    grid::{Entry, Grid, row},
};
use std::process::ExitCode;

/// Takes terms away.
type Keep = fn(&mut Regularizer);

const TERMS: [(&str, Keep); 4] = [
    ("intra-clean", |r| (r.intra_class, r.inter) = (0., 0.)),
    ("intra-class", |r| (r.intra_clean, r.inter) = (0., 0.)),
    ("inter", |r| (r.intra_clean, r.intra_class) = (0., 0.)),
    ("all", |_| {}),
];
const PLACES: [&str; 3] = ["generation", "training", "both"];

/// Every term in every place.
fn parts(framework: &'static str) -> impl Iterator<Item = Entry> {
    let part = move |(name, keep): (&str, Keep), place: &'static str| {
        row(framework).i2fr_as(format!("{name} in {place}"), move |r| {
            keep(r);
            r.place = place.into();
        })
    };
    TERMS.into_iter().flat_map(move |term| PLACES.into_iter().map(move |place| part(term, place)))
}

fn main() -> ExitCode {
    let choices = [
        row("pgd-at").i2fr_as("class means of the batch", |r| r.reference = "batch-means".into()),
        row("pgd-at").i2fr_as("running class means", |r| r.reference = "running-means 0.9".into()),
        row("pgd-at").i2fr_as("raw features", |r| r.normalize = false),
        row("pgd-at").i2fr_as("margin 0.5", |r| r.margin = 0.5).beyond_quick(),
        row("pgd-at").i2fr_as("margin 2", |r| r.margin = 2.).beyond_quick(),
        row("pgd-at").i2fr_as("clean features constant", |r| r.clean_gradient = false),
    ];
    // What the time alone does that I2FR takes, and the clean pass that it gives to PGD-AT.
    let controls = [row("pgd-at").longer(), row("mixed-at")];
    let trades = [row("trades")].into_iter().chain(parts("trades")).map(Entry::beyond_quick);
    Grid {
        name: "table3",
        caption: "The parts of I2FR, where they act, and the choices of our reading",
        rows: [row("standard"), row("pgd-at")]
            .into_iter()
            .chain(parts("pgd-at"))
            .chain(choices)
            .chain(controls)
            .chain(trades)
            .collect(),
        columns: &["clean", "pgd-20", "autoattack"],
        audited: true,
    }
    .main()
}
