//! The options of a table.

use super::vary::Vary;
use crate::{
    cli::{Shard, TrainingArgs},
    process,
    report::caption::title,
    run::{Checkpoint, Split},
};
use anyhow::Result;
use clap::{Parser, builder::NonEmptyStringValueParser};
use std::{collections::BTreeSet, ops::RangeInclusive, process::ExitCode};

/// The whole binary of the table or figure called `name`, which shows `caption`.
pub(crate) fn main(name: &str, caption: &str, work: impl FnOnce(&TableArgs) -> Result<()> + Send) -> ExitCode {
    let about = format!("{}: {caption}", title(name));
    process::main_about(about, |args: &TableArgs| Some(args.training.out.as_path()), work)
}

/// Arguments of every table.
#[derive(Parser, Clone, Debug)]
pub struct TableArgs {
    /// Data, network, training
    #[command(flatten)]
    pub training: TrainingArgs,
    /// Seeds, separated by commas: 0,1,2 or 0-2
    #[arg(long, value_delimiter = ',', value_parser = seeds, value_name = "SEEDS")]
    pub seeds: Vec<RangeInclusive<u64>>,
    /// Only rows whose name contains TEXT, or is what follows a `=`; several texts are separated by commas
    #[arg(long, value_name = "TEXT", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub only: Vec<String>,
    /// Rows for each of an option's values, such as i2fr-margin=0.5,2 (`usual`: as without this); given for several
    /// options, for each combination
    #[arg(long, value_name = "OPTION=VALUES")]
    pub vary: Vec<Vary>,
    /// Checkpoint whose accuracies the table shows
    #[arg(long, value_enum, default_value_t = Checkpoint::Best)]
    pub checkpoint: Checkpoint,
    /// Images that accuracies are measured on; a table on held-out ones, by which settings may be chosen, gets files of
    /// its own, and no audit
    #[arg(long, value_enum, default_value_t)]
    pub split: Split,
    /// Print the runs, which of them are there already and what the others would take; do nothing
    #[arg(long)]
    pub plan: bool,
    /// Do not train: render what stored runs give
    #[arg(long)]
    pub render_only: bool,
    /// Only these columns, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "ATTACKS")]
    pub columns: Vec<String>,
    /// Do not audit what was trained
    #[arg(long)]
    pub no_audit: bool,
    /// Train and evaluate only part I of N of the runs
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number =
        |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a seed: a whole number, at least 0"));
    let (first, last) = match text.split_once('-').filter(|(first, _)| !first.is_empty()) {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    match last.checked_sub(first) {
        Some(0..=9_999) => Ok(first..=last),
        Some(_) => Err(format!("`{text}` is more than 10,000 seeds")),
        None => Err(format!("`{text}` ends before it begins")),
    }
}

impl TableArgs {
    /// The seeds, each once; where none is named, the profile's.
    pub(super) fn seeds(&self) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        match self.seeds.is_empty() {
            true => self.training.profile.seeds(),
            false => self.seeds.iter().cloned().flatten().filter(|seed| seen.insert(*seed)).collect(),
        }
    }

    /// Of `all` runs, in the order of [`by_seed`](super::plan::by_seed), those in the part that is asked for.
    pub(super) fn part<T>(&self, all: impl IntoIterator<Item = T>) -> Vec<T> {
        let ours = |at: &usize| self.shard.is_none_or(|shard| shard.contains(*at));
        all.into_iter().enumerate().filter(|(at, _)| ours(at)).map(|(_, run)| run).collect()
    }
}
