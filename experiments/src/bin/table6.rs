//! Table 6: what I2FR adds under AutoAttack, and what more epochs without it add, setting by setting.
//!
//! ```text
//! cargo run --release --bin table6 -- --of .,mnist/short,mnist,cpu      # seconds: from the Table 1 of each folder
//! ```
//!
//! It reads what is stored and trains nothing. Expected: gains in short trainings, as of more epochs; none in longer ones.

use anyhow::Result;
use clap::Parser;
use experiments::{across::Across, print};
use std::{path::PathBuf, process::ExitCode};

const TABLE: Across = Across {
    name: "table6",
    caption: "Accuracy under AutoAttack in every setting, and what I2FR adds to it, or more epochs without I2FR",
    table: "table1",
    attack: "autoattack",
};

/// Gathers the AutoAttack column of the Table 1 of several folders.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Args {
    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Folders below it that have a Table 1, a column each
    #[arg(long, value_name = "DIRS", value_delimiter = ',', default_value = ".")]
    of: Vec<PathBuf>,
}

fn main() -> ExitCode {
    experiments::main(|_: &Args| None, work)
}

fn work(args: &Args) -> Result<()> {
    let table = TABLE.of(&args.out, &args.of)?;
    for path in table.write(&args.out)? {
        tracing::info!("wrote {}", path.display());
    }
    print(table.markdown())?;
    Ok(())
}
