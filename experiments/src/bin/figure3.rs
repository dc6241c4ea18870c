//! Figure 3: how much do the weights and the margin of I2FR matter? On the training images that were held out, so that
//! they may be chosen by it.
//!
//! ```text
//! cargo run --release --bin figure3                                     # minutes: synthetic images
//! cargo run --release --bin figure3 -- --profile cpu --data-dir DIR     # half a day: real CIFAR-10
//! ```
//!
//! Expected: within a factor of three of the defaults (weights × 1, margin 1), differences of a few points.

use experiments::figures::sensitivity::Sensitivity;
use std::process::ExitCode;

fn main() -> ExitCode {
    Sensitivity {
        name: "figure3",
        caption: "Sensitivity of PGD-AT + I2FR to its weights and its margin",
        framework: "pgd-at",
        weights: &[0.3, 1., 3., 10.],
        margins: &[0.5, 1., 2.],
        columns: &["clean", "pgd-20", "cw", "autoattack"],
    }
    .main()
}
