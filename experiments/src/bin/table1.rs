//! Table 1: does I2FR help every adversarial-training framework?
//!
//! ```text
//! cargo run --release --bin table1                                     # minutes: synthetic images
//! cargo run --release --bin table1 -- --profile cpu --data-dir DIR     # an evening: real CIFAR-10
//! ```
//!
//! Expected: the undefended control falls to about 0 under PGD-20, every defended row stands well above it.

use experiments::grid::{Entry, Grid, row};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A framework alone, with I2FR and, where asked for, alone for a quarter more epochs.
fn arms(framework: &'static str) -> [Entry; 3] {
    [row(framework), row(framework).i2fr(), row(framework).longer().on_request()]
}

fn main() -> ExitCode {
    let frameworks = ["pgd-at", "trades", "mart", "alp", "fast-at"];
    Grid {
        name: "table1",
        caption: "Adversarial-training frameworks without and with I2FR",
        rows: [row("standard")].into_iter().chain(frameworks.into_iter().flat_map(arms)).collect(),
        columns: &["clean", "fgsm", "pgd-20", "pgd-100", "cw", "autoattack", "adaptive"],
        audited: true,
    }
    .main()
}
