//! Figure 2: accuracy against the radius, the steps and the restarts of an attack.
//!
//! ```text
//! cargo run --release --bin figure2                                     # minutes: synthetic images
//! cargo run --release --bin figure2 -- --profile cpu --data-dir DIR     # two hours after table1: real CIFAR-10
//! ```
//!
//! The networks are those of Table 1. Expected: accuracy falls to 0 as the radius grows, and is flat where steps and
//! restarts are enough; a curve that is not flat yet, or never falls to 0, is a warning.

use experiments::{
    figures::curves::{Along, Curves},
    grid::{Grid, row},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    Curves {
        grid: Grid {
            name: "figure2",
            caption: "Accuracy against the radius, the steps and the restarts of PGD",
            rows: vec![
                row("standard"),
                row("pgd-at"),
                row("pgd-at").i2fr(),
                row("trades"),
                row("trades").i2fr(),
                row("mart").beyond_quick(),
                row("mart").i2fr().beyond_quick(),
            ],
            columns: &[],
            audited: false,
        },
        panels: &[
            Along::Radius(&[0, 1, 2, 4, 6, 8, 12, 16]),
            Along::Steps(&[1, 2, 5, 10, 20, 50, 100]),
            Along::Restarts(&[1, 2, 5, 10]),
        ],
    }
    .main()
}
