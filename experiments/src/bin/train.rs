//! Trains one framework, with or without I2FR, and evaluates it.
//!
//! ```text
//! cargo run --release --bin train -- --framework trades --i2fr --profile cpu --data-dir DIR
//! ```

use clap::Parser;
use experiments::grid::{Goal, Grid, TableArgs, row};
use std::process::ExitCode;

/// Trains one framework, with or without I2FR, and evaluates it; a trained run is reused.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Args {
    /// Framework: standard, pgd-at, mixed-at, trades, mart, alp, fast-at, friendly-at, adr, tla, pcl, he, feature-scattering
    #[arg(long, value_parser = known)]
    framework: &'static str,
    /// Add I2FR
    #[arg(long)]
    i2fr: bool,
    #[command(flatten)]
    table: TableArgs,
}

fn known(name: &str) -> Result<&'static str, String> {
    let found = frameworks::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let names = || frameworks::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.map(|(name, _)| *name).ok_or_else(|| format!("unknown framework; known: {}", names()))
}

fn main() -> ExitCode {
    experiments::main(
        |args: &Args| Some(args.table.training.out.as_path()),
        |args| {
            let grid = Grid {
                name: "train",
                caption: "One framework",
                rows: vec![if args.i2fr { row(args.framework).i2fr() } else { row(args.framework) }],
                columns: &["clean", "pgd-20"],
                audited: false,
            };
            grid.regenerate(&args.table, Goal::Weights, |table| Ok(table.markdown()))
        },
    )
}
