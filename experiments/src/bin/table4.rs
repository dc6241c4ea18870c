//! Table 4: does I2FR make generated adversarial examples stronger and more diverse?
//!
//! ```text
//! cargo run --release --bin table4                                     # minutes: synthetic images
//! cargo run --release --bin table4 -- --profile cpu --data-dir DIR     # an hour after table1: real CIFAR-10
//! ```
//!
//! The networks are those of Table 1: after it, nothing is trained. Expected: with I2FR in what the attack ascends,
//! features move farther, as I2FR asks for; of the other measurements nothing is known beforehand.

use experiments::{
    generation::Comparison,
    grid::{Grid, pairs},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    Comparison(Grid {
        name: "table4",
        caption: "Strength and diversity of adversarial examples generated without and with I2FR",
        rows: pairs(),
        columns: &[],
        audited: false,
    })
    .main()
}
