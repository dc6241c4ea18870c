//! Figure 1: does I2FR make features more distinguishable?
//!
//! ```text
//! cargo run --release --bin figure1                                     # a minute: synthetic images
//! cargo run --release --bin figure1 -- --only trades                    # another framework
//! cargo run --release --bin figure1 -- --profile cpu --data-dir DIR     # a minute after table1: real CIFAR-10
//! ```
//!
//! The networks are those of Table 1: after it, nothing is trained. Expected: adversarial features are less
//! distinguishable than clean ones, by every statistic. What I2FR changes is not known beforehand.

use experiments::{
    features::Distribution,
    grid::{Grid, pairs},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    Distribution(Grid {
        name: "figure1",
        caption: "Features of clean and adversarial images, without and with I2FR",
        rows: pairs(),
        columns: &[],
        audited: false,
    })
    .main()
}
