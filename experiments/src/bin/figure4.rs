//! Figure 4: images, perturbations and features, network by network.
//!
//! ```text
//! cargo run --release --bin figure4                                     # a minute: synthetic images
//! cargo run --release --bin figure4 -- --profile cpu --data-dir DIR     # seconds after table1: real CIFAR-10
//! ```
//!
//! The networks are those of Table 1. Expected: the undefended network's perturbations look like noise, those of
//! defended ones like parts of other classes.

use experiments::{
    figures::montage::Montage,
    grid::{Grid, row},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    Montage(Grid {
        name: "figure4",
        caption: "Test images, their perturbations, and the features of both",
        rows: vec![
            row("standard"),
            row("pgd-at"),
            row("pgd-at").i2fr(),
            row("trades").beyond_quick(),
            row("trades").i2fr().beyond_quick(),
        ],
        columns: &[],
        audited: false,
    })
    .main()
}
