//! Table 1: does I2FR help every adversarial-training framework?
//!
//! ```text
//! cargo run --release --bin table1                                     # minutes: synthetic images
//! cargo run --release --bin table1 -- --profile cpu --data-dir DIR     # an evening: real CIFAR-10
//! ```
//!
//! Expected: the undefended control falls to about 0 under PGD-20, every defended row stands well above it.

use experiments::grid::{ATTACKS, COMPARED, Entry, Grid, row};
use std::process::ExitCode;

/// A framework alone, with I2FR and, where asked for, alone for a quarter more epochs.
fn arms(framework: &'static str) -> [Entry; 3] {
    [row(framework), row(framework).i2fr(), row(framework).longer().on_request()]
}

fn main() -> ExitCode {
    // All others have rows that are asked for by name: `--only =adr,=adr+i2fr`.
    let is_other = |name: &&str| *name != "standard" && !COMPARED.contains(name);
    let others = frameworks::ALL.iter().map(|(name, _)| *name).filter(is_other);
    let on_request = others.flat_map(arms).map(Entry::on_request);
    Grid {
        name: "table1",
        caption: "Adversarial-training frameworks without and with I2FR",
        rows: [row("standard")].into_iter().chain(COMPARED.into_iter().flat_map(arms)).chain(on_request).collect(),
        columns: &ATTACKS,
        audited: true,
    }
    .main()
}
