//! What the results say: every claim of the abstract with its verdict, every table, figure, audit and source.
//!
//! ```text
//! cargo run --release --bin report                        # seconds: results/report.html
//! cargo run --release --bin report -- --out results/cpu
//! ```
//!
//! It reads what is stored and trains nothing. Expected: with one seed, no verdict but `undecided` and `not measured`.

use anyhow::Result;
use clap::Parser;
use experiments::{claims::Claims, files, page::report::Report, print};
use std::{path::PathBuf, process::ExitCode};

/// Judges the claims by stored results, and writes report.html, report.tex, claims.csv and claims.md.
#[derive(Parser, Debug)]
struct Args {
    /// Folder of results
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// The claims and how they are judged [default: paper/claims.toml, as it was when this was built]
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
}

fn main() -> ExitCode {
    experiments::main(|_: &Args| None, work)
}

fn work(args: &Args) -> Result<()> {
    let report = Report::of(Claims::read(args.claims.as_deref())?, &args.out)?;
    let markdown = report.judged.markdown();
    for (name, bytes) in [
        ("claims.csv", report.judged.csv()?.into_bytes()),
        ("claims.md", markdown.clone().into_bytes()),
        ("report.tex", report.latex().into_bytes()),
        ("report.html", report.html().into_bytes()),
    ] {
        files::write_if_new(&args.out.join(name), &bytes)?;
    }
    print(&markdown)?;
    Ok(())
}
