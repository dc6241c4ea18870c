//! Lists, compares, checks and tidies the runs in a results folder.
//!
//! ```text
//! cargo run --release --bin runs -- list
//! cargo run --release --bin runs -- show pgd-at-i2fr
//! cargo run --release --bin runs -- diff 18c0 77ab
//! cargo run --release --bin runs -- verify
//! cargo run --release --bin runs -- prune --yes
//! ```

use anyhow::Result;
use clap::{Parser, Subcommand};
use experiments::{
    print, print_line,
    run::{Store, Waste},
};
use indicatif::HumanBytes;
use std::{path::PathBuf, process::ExitCode};

/// Lists, compares, checks and tidies the runs in a results folder; a run is named by any part of its name that no other has.
#[derive(Parser, Debug)]
struct Args {
    /// Folder for results
    #[arg(long, value_name = "DIR", default_value = "results", global = true)]
    out: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// One line per run: state, data set, architecture, seed, epochs, accuracy on held-out images under PGD-10 (clean, where nothing attacked in training), size, and options in which it is not like the others
    List,
    /// A run's configuration, provenance and known accuracies
    Show {
        /// The run
        run: String,
    },
    /// What two runs differ in: configuration, and test images that stand in one of them alone
    Diff {
        /// One run
        one: String,
        /// Another
        other: String,
    },
    /// Read everything and compare checksums; fails, naming each file, when something is damaged
    Verify {
        /// The runs [default: all]
        runs: Vec<String>,
    },
    /// Show what nobody needs: states of finished trainings, leftovers of dead processes, folders without a record
    Prune {
        /// Delete it
        #[arg(long)]
        yes: bool,
    },
}

fn main() -> ExitCode {
    experiments::main(|_: &Args| None, work)
}

fn work(args: &Args) -> Result<()> {
    let store = Store::open(&args.out)?;
    match &args.what {
        What::List => print(store.list())?,
        What::Show { run } => print(store.find(run)?.show()?)?,
        What::Diff { one, other } => print(store.find(one)?.diff(store.find(other)?)?)?,
        What::Verify { runs } => verify(&store, runs)?,
        What::Prune { yes } => prune(&store.waste(), *yes)?,
    }
    Ok(())
}

fn verify(store: &Store, runs: &[String]) -> Result<()> {
    let chosen = store.chosen(runs)?;
    let damages: Vec<String> = chosen.iter().flat_map(|run| run.damages()).collect();
    for damage in &damages {
        print_line(damage.split_whitespace().collect::<Vec<_>>().join(" "))?;
    }
    anyhow::ensure!(damages.is_empty(), "damaged: {} (above, of {} runs)", damages.len(), chosen.len());
    let sound =
        if chosen.len() == 1 { "1 run is sound".to_owned() } else { format!("{} runs are sound", chosen.len()) };
    print_line(sound)?;
    Ok(())
}

fn prune(waste: &[Waste], yes: bool) -> Result<()> {
    for it in waste {
        let verb = match yes {
            false => "would delete",
            true if it.delete()? => "deleted",
            true => "left, as a process works there now:",
        };
        print_line(format_args!("{verb} {} ({}, {})", it.path.display(), it.why, HumanBytes(it.bytes)))?;
    }
    let all = HumanBytes(waste.iter().map(|it| it.bytes).sum());
    let advice = if yes || waste.is_empty() { "" } else { "; add --yes to delete them" };
    let count = if waste.len() == 1 { "1 file or folder".into() } else { format!("{} files or folders", waste.len()) };
    print_line(format_args!("{count}, {all}{advice}"))?;
    Ok(())
}
