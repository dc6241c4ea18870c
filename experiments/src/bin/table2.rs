//! Table 2: I2FR against the state of the art it is compared with.
//!
//! ```text
//! cargo run --release --bin table2                                     # minutes: synthetic images, fewer rows
//! cargo run --release --bin table2 -- --profile cpu --data-dir DIR     # an evening: real CIFAR-10, every row
//! ```
//!
//! Expected: no row that relies on features stands out under AutoAttack; published numbers are in
//! `paper/reference.csv`, and the report shows them beside these.

use experiments::grid::{Grid, row};
use std::process::ExitCode;

fn main() -> ExitCode {
    Grid {
        name: "table2",
        caption: "I2FR and other defences",
        rows: vec![
            row("standard"),
            row("pgd-at"),
            row("pgd-at").i2fr().beyond_quick(),
            row("trades"),
            row("trades").i2fr(),
            row("mart"),
            row("mart").i2fr().beyond_quick(),
            row("friendly-at"),
            row("adr"),
            row("tla"),
            row("pcl"),
            row("he"),
            row("he").i2fr().beyond_quick(),
            row("feature-scattering"),
            row("pgd-at").awp(0.01).beyond_quick(),
            row("pgd-at").awp(0.01).i2fr().beyond_quick(),
            row("trades").awp(0.005),
            row("trades").awp(0.005).i2fr(),
            row("trades").averaged("ema-0.995").beyond_quick(),
            row("trades").smoothed(0.1).beyond_quick(),
        ],
        columns: &["clean", "pgd-20", "autoattack", "adaptive"],
        audited: true,
    }
    .main()
}
