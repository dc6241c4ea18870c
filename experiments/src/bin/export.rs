//! Exports a run as a folder to publish: weights, configuration, model card, measurements.
//!
//! ```text
//! cargo run --release --bin export -- --run results/runs/NAME --out DIR
//! ```

use anyhow::Result;
use clap::Parser;
use experiments::{
    export, print_line,
    run::{Checkpoint, Run},
};
use std::{path::PathBuf, process::ExitCode};

/// Exports a run as a folder to publish: weights, configuration, model card, measurements.
#[derive(Parser, Debug)]
struct Args {
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Which weights: of the best epoch on held-out images, or of the last
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: Checkpoint,
    /// License of the weights, as the Hub abbreviates it
    #[arg(long, value_name = "NAME", default_value = "mit")]
    license: String,
    /// Folder to write; an earlier export there is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    experiments::main(|_: &Args| None, work)
}

fn work(args: &Args) -> Result<()> {
    export::export(&Run::open(&args.run)?, args.checkpoint, &args.license, &args.out)?;
    print_line(args.out.display())?;
    Ok(())
}
