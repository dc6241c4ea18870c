//! Trains one framework, with or without I2FR, and evaluates it.
//!
//! ```text
//! cargo run --release --bin train -- --framework trades --i2fr --profile cpu --data-dir DIR
//! ```

use clap::{
    Parser,
    builder::{PossibleValuesParser, TypedValueParser},
};
use experiments::grid::{ATTACKS, Goal, Grid, TableArgs, row};
use std::{collections::BTreeSet, process::ExitCode};

/// Trains one framework, with or without I2FR, and evaluates it; a trained run is reused.
#[derive(Parser, Debug)]
struct Args {
    /// Framework to train with
    #[arg(long, ignore_case = true, value_parser = PossibleValuesParser::new(names()).map(known))]
    framework: &'static str,
    /// Add I2FR
    #[arg(long)]
    i2fr: bool,
    /// Audit it, as Table 1 does its rows
    #[arg(long, conflicts_with = "no_audit")]
    audit: bool,
    #[command(flatten)]
    table: TableArgs,
}

/// What is measured unless `--columns` says otherwise.
const USUAL: [&str; 2] = ["clean", "pgd-20"];

/// What Table 1 measures, and of all other attacks those that are `asked` for.
fn measurable(asked: &[String]) -> &'static [&'static str] {
    let others: BTreeSet<&String> = asked.iter().filter(|attack| !ATTACKS.contains(&attack.as_str())).collect();
    // They are known for as long as the program runs.
    let others = others.into_iter().map(|attack| &*attack.clone().leak());
    ATTACKS.into_iter().chain(others).collect::<Vec<_>>().leak()
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
                columns: measurable(&args.table.columns),
                audited: args.audit,
            };
            let mut table = args.table.clone();
            if table.columns.is_empty() {
                table.columns = USUAL.map(String::from).into();
            }
            grid.regenerate(&table, Goal::Weights, |table| Ok(table.markdown()))
        },
    )
}
