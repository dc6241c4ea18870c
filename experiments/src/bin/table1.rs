//! Table 1: does I2FR help every adversarial-training framework?
//!
//! ```text
//! cargo run --release --bin table1                                     # minutes: synthetic images
//! cargo run --release --bin table1 -- --profile cpu --data-dir DIR     # an evening: real CIFAR-10
//! ```
//!
//! Expected: the undefended control falls to about 0 under PGD-20, every defended row stands well above it.

use experiments::grid::{Grid, row};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Grid {
        name: "table1",
        caption: "Adversarial-training frameworks without and with I2FR",
        rows: vec![
            row("standard"),
            row("pgd-at"),
            row("pgd-at").i2fr(),
            row("trades"),
            row("trades").i2fr(),
            row("mart"),
            row("mart").i2fr(),
            row("alp"),
            row("alp").i2fr(),
            row("fast-at"),
            row("fast-at").i2fr(),
        ],
        columns: &["clean", "fgsm", "pgd-20", "pgd-100", "cw", "autoattack", "adaptive"],
        audited: true,
    }
    .main()
}
