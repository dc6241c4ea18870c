//! Table 5: black-box attacks, and do robust networks only hide their gradients?
//!
//! ```text
//! cargo run --release --bin table5                                     # minutes: synthetic images
//! cargo run --release --bin table5 -- --profile cpu --data-dir DIR     # half an hour after table1: real CIFAR-10
//! ```
//!
//! The networks are those of Table 1, whose audits name what is suspicious. Expected: every row is weakest under attacks
//! that see its own gradients; Square and images made for other networks leave more.

use experiments::{
    figures::transfer::Matrix,
    grid::{Grid, row},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    Matrix(Grid {
        name: "table5",
        caption: "Black-box attacks and transfer between networks",
        rows: vec![
            row("standard"),
            row("pgd-at"),
            row("pgd-at").i2fr(),
            row("trades"),
            row("trades").i2fr(),
            row("mart"),
            row("mart").i2fr(),
            row("alp").beyond_quick(),
            row("alp").i2fr().beyond_quick(),
            row("fast-at").beyond_quick(),
            row("fast-at").i2fr().beyond_quick(),
        ],
        columns: &["clean", "pgd-20", "cw", "square-500"],
        audited: false,
    })
    .main()
}
