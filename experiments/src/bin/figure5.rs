//! Figure 5: who gains, class by class?
//!
//! ```text
//! cargo run --release --bin figure5                                     # minutes: synthetic images
//! cargo run --release --bin figure5 -- --profile cpu --data-dir DIR     # an evening, seconds after table1: real CIFAR-10
//! ```
//!
//! The networks are those of Table 1. Expected: robust accuracy differs by tens of points between classes, and mostly
//! in the same order in every row.

use experiments::{
    figures::classes::Classes,
    grid::{Grid, pairs, row},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    Classes(Grid {
        name: "figure5",
        caption: "Accuracy class by class",
        rows: [vec![row("standard")], pairs()].concat(),
        columns: &["clean", "pgd-20", "autoattack"],
        audited: false,
    })
    .main()
}
