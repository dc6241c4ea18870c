//! Trains one framework, with or without I2FR, and evaluates it.
//!
//! ```text
//! cargo run --release --bin train -- --framework trades --i2fr --profile cpu --data-dir DIR
//! ```

use clap::{
    Parser,
    builder::{PossibleValuesParser, TypedValueParser},
};
use experiments::grid::{Goal, Grid, TableArgs, row};
use std::process::ExitCode;

/// Trains one framework, with or without I2FR, and evaluates it; a trained run is reused.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100)]
struct Args {
    /// Framework to train with
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(names()).map(known))]
    framework: &'static str,
    /// Add I2FR
    #[arg(long)]
    i2fr: bool,
    #[command(flatten)]
    table: TableArgs,
}

fn names() -> impl Iterator<Item = &'static str> {
    frameworks::ALL.iter().map(|(name, _)| *name)
}

fn known(name: String) -> &'static str {
    names().find(|known| known.eq_ignore_ascii_case(&name)).expect("one of them is all that is let in")
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
