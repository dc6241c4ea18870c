//! Figure 6: how soon do networks become robust, and do they stay so?
//!
//! ```text
//! cargo run --release --bin figure6                                                            # minutes: synthetic images
//! cargo run --release --bin figure6 -- --profile cpu --columns clean,pgd-20 --data-dir DIR     # minutes after table1: CIFAR-10
//! ```
//!
//! The networks are those of Table 1. Expected: where training is long and the learning rate falls early, robust accuracy
//! on images that were not trained on falls again (robust overfitting), and the last weights are worse than the best.

use experiments::{
    figures::epochs::Epochs,
    grid::{Grid, pairs},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    Epochs(Grid {
        name: "figure6",
        caption: "Training epoch by epoch, and its best and its last weights",
        rows: pairs(),
        columns: &["clean", "pgd-20", "autoattack"],
        audited: false,
    })
    .main()
}
