//! Table 6: what I2FR adds under AutoAttack, and what more epochs without it add, setting by setting.
//!
//! ```text
//! cargo run --release --bin table6 -- --of .,mnist,cpu      # seconds: from the Table 1 of each folder
//! ```
//!
//! It reads what is stored and trains nothing. Expected: gains of most frameworks in
//! short trainings, as of more epochs; none in longer ones.

use anyhow::Result;
use clap::Parser;
use experiments::{across::Across, files, print, show};
use std::{path::PathBuf, process::ExitCode};

const TABLE: Across = Across {
    name: "table6",
    caption: "Accuracy under AutoAttack by setting (training images × epochs), and what I2FR adds, or more epochs without it",
    table: "table1",
    attack: "autoattack",
};

/// Gathers the AutoAttack column of the Table 1 of several folders.
#[derive(Parser, Debug)]
struct Args {
    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Folders below it that have a Table 1, a column each; one that differs from an earlier one in how frameworks are trained, `--beta 1` say, is rows of its column
    #[arg(long, value_name = "DIRS", value_delimiter = ',', default_value = ".")]
    of: Vec<PathBuf>,
}

fn main() -> ExitCode {
    experiments::main(|_: &Args| None, work)
}

fn work(args: &Args) -> Result<()> {
    let table = TABLE.of(&args.out, &args.of)?;
    // Its values are kept where they were measured, so what it gathered before is nothing to keep here.
    files::remove(&args.out.join(TABLE.name).join("cells.csv"))?;
    for path in table.write(&args.out)? {
        tracing::info!("wrote {}", path.display());
    }
    show::index(&args.out)?;
    print(table.page())?;
    Ok(())
}
