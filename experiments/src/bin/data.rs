//! Lists the data sets, gets and checks them, and shows what is in them.
//!
//! ```text
//! cargo run --release --bin data -- list
//! cargo run --release --bin data -- get cifar10
//! cargo run --release --bin data -- verify cifar10
//! cargo run --release --bin data -- show cifar10 --out cifar10.png
//! ```

use anyhow::Result;
use clap::{Args as Options, Parser, Subcommand};
use data::{Name, Splits};
use experiments::{
    cli::{SourceArgs, at_least_one},
    datasets::{self, Choice, Part},
    print, print_line,
};
use std::{path::PathBuf, process::ExitCode};

/// Lists the data sets, gets and checks them, and shows what is in them.
#[derive(Parser, Debug)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// One line per data set: images, shape, classes, bytes in memory, and where it is
    List {
        /// Folder with local copies, each in a folder of its name or all in this one
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
    /// Download a data set into the Hub's cache, unless it is there, and print the folder
    Get {
        /// The data set
        name: Name,
        /// Look in the cache only
        #[arg(long)]
        offline: bool,
    },
    /// Decode everything, count the images of each class and compare; fails when anything differs
    Verify(Place),
    /// Draw images of every class, into one PNG file or one a class
    Show {
        #[command(flatten)]
        place: Place,
        /// The PNG file, or (any other name) a folder for one file a class
        #[arg(long, value_name = "FILE.png|DIR")]
        out: PathBuf,
        /// Images of each class
        #[arg(long, value_name = "N", value_parser = at_least_one, default_value = "10")]
        images: usize,
        /// Which split
        #[arg(long, value_enum, default_value_t = Part::Train)]
        split: Part,
        /// Draw the images at random instead of taking the first ones
        #[arg(long, value_name = "SEED")]
        seed: Option<u64>,
    },
}

#[derive(Options, Debug)]
struct Place {
    /// The data set
    name: Name,
    #[command(flatten)]
    source: SourceArgs,
}

fn main() -> ExitCode {
    experiments::main(|_: &Args| None, work)
}

fn work(args: &Args) -> Result<()> {
    match &args.what {
        What::List { data_dir } => print(datasets::list(data_dir.as_deref())?)?,
        What::Get { name, offline } => print_line(datasets::get(*name, *offline)?.display())?,
        What::Verify(place) => verify(&place.source.load(place.name)?)?,
        What::Show { place, out, images, split, seed } => {
            let choice = Choice { images: *images, seed: *seed };
            datasets::show(split.of(&place.source.load(place.name)?), choice, out)?;
        }
    }
    Ok(())
}

fn verify(splits: &Splits) -> Result<()> {
    let findings = datasets::verify(splits);
    print(&findings)?;
    findings.judged()
}
