//! Table 1: does I2FR help every adversarial-training framework?
//!
//! ```text
//! cargo run --release --bin table1                                     # minutes: synthetic images
//! cargo run --release --bin table1 -- --profile cpu --data-dir DIR     # an evening: real CIFAR-10
//! ```
//!
//! Expected: the undefended control falls to about 0 under PGD-20, every defended row stands well above it.

use experiments::grid::Grid;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Grid {
        name: "table1",
        caption: "Adversarial-training frameworks without and with I2FR",
        rows: vec![
            ("standard", false),
            ("pgd-at", false),
            ("pgd-at", true),
            ("trades", false),
            ("trades", true),
            ("mart", false),
            ("mart", true),
            ("alp", false),
            ("alp", true),
            ("fast-at", false),
            ("fast-at", true),
        ],
        columns: &["clean", "fgsm", "pgd-20", "pgd-100", "cw", "autoattack", "adaptive"],
        audited: true,
    }
    .main()
}
