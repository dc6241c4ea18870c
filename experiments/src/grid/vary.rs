//! Rows for several values of an option: `--vary i2fr-margin=0.5,1,2`.

use super::{Entry, TableArgs};
use crate::{cli::TrainingArgs, config::RunConfig, process::Usage, profile, report::Row};
use anyhow::Result;
use clap::{Args, Command, FromArgMatches};
use std::{collections::BTreeSet, str::FromStr};

/// What can be varied: a table's caption names data set, network and threat model, which all of its rows share.
const OPTIONS: [&str; 22] = [
    "train-examples",
    "epochs",
    "batch",
    "lr",
    "schedule",
    "optimizer",
    "weight-decay",
    "attack-steps",
    "attack-step",
    "eps-warm-up",
    "beta",
    "awp",
    "average",
    "label-smoothing",
    "i2fr-place",
    "i2fr-intra-clean",
    "i2fr-intra-class",
    "i2fr-inter",
    "i2fr-margin",
    "i2fr-features",
    "i2fr-reference",
    "i2fr-decay",
];

/// How options of I2FR begin.
const I2FR: &str = "i2fr-";

/// The value that leaves an option as it is without `--vary`.
const USUAL: &str = "usual";

/// Whether `option`, `beta 1`, changes how frameworks are trained, but neither I2FR nor what a table's rows share.
pub(crate) fn is_of_training(option: &str) -> bool {
    option.split(' ').next().is_some_and(|name| OPTIONS.contains(&name) && !name.starts_with(I2FR))
}

/// An option, and the values that rows are to have.
#[derive(Clone, Debug)]
pub struct Vary {
    option: &'static str,
    values: Vec<String>,
}

impl FromStr for Vary {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let example = "write OPTION=VALUE,VALUE, such as i2fr-margin=0.5,2";
        let (option, values) = s.split_once('=').ok_or_else(|| format!("`{s}` has no `=`; {example}"))?;
        let Some(option) = OPTIONS.into_iter().find(|known| *known == option) else {
            return Err(format!("`{option}` cannot be varied; what can: {}", OPTIONS.join(", ")));
        };
        let values: Vec<String> = values.split(',').map(str::to_owned).collect();
        if values.iter().collect::<BTreeSet<_>>().len() < values.len().max(2) {
            return Err(format!("`{s}` does not name two values or more, each once; {example}"));
        }
        Ok(Self { option, values })
    }
}

/// The command line with some options set.
pub(super) struct Variant {
    pub(super) training: TrainingArgs,
    /// A value for each `--vary`, in their order.
    values: Vec<String>,
}

/// A training of an entry, and what tells its row from the entry's others.
pub(super) struct Version {
    pub(super) config: RunConfig,
    /// The varied options that reach the entry, with their values here.
    set: Vec<(&'static str, String)>,
}

/// All combinations of what is varied; where nothing is, the command line as it is.
///
/// # Errors
/// When an option cannot have one of its values, or is varied twice.
pub(super) fn variants(args: &TableArgs) -> Result<Vec<Variant>> {
    let mut all = vec![Variant { training: args.training.clone(), values: Vec::new() }];
    let mut seen = BTreeSet::new();
    for Vary { option, values } in &args.vary {
        if !seen.insert(option) {
            return Err(Usage(format!("--vary {option}: it is varied twice; name all of its values at once")).into());
        }
        // What is measured is kept with this recipe.
        if profile::recipe(&args.training).contains(&format!(" --{option} ")) {
            return Err(Usage(format!("--{option} is varied: leave it out beside --vary {option}")).into());
        }
        let each = all.iter().flat_map(|variant| values.iter().map(move |value| variant.with(option, value)));
        all = each.collect::<Result<_>>()?;
    }
    Ok(all)
}

impl Variant {
    fn with(&self, option: &str, value: &str) -> Result<Self> {
        let mut training = self.training.clone();
        if value != USUAL {
            // As the command line would read it; all that it is silent about stays.
            let command = TrainingArgs::augment_args_for_update(Command::new("").no_binary_name(true))
                .mut_args(|arg| arg.default_value(None));
            let read = command
                .try_get_matches_from([format!("--{option}={value}")])
                .and_then(|found| training.update_from_arg_matches(&found));
            read.map_err(|e| {
                let text = e.to_string();
                let why = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                Usage(format!("--vary {option}: {why}"))
            })?;
        }
        Ok(Self { training, values: [&self.values[..], &[value.to_owned()]].concat() })
    }

    /// Whether it differs from `other` in the value at `position` alone.
    fn differs_at(&self, position: usize, other: &Self) -> bool {
        let mut pairs = self.values.iter().zip(&other.values).enumerate();
        pairs.all(|(i, (ours, theirs))| (i == position) == (ours != theirs))
    }
}

/// The trainings that `variants` make of `entry`: options that do not reach it give it no further rows.
pub(super) fn versions(entry: &Entry, variants: &[Variant], args: &TableArgs) -> Vec<Version> {
    let configs: Vec<RunConfig> = variants.iter().map(|variant| entry.config(&variant.training)).collect();
    let each = || variants.iter().zip(&configs);
    let reaches =
        |i: usize| each().any(|(a, ours)| each().any(|(b, theirs)| a.differs_at(i, b) && !ours.same_effect(theirs)));
    let reaching: Vec<usize> = (0..args.vary.len()).filter(|i| reaches(*i)).collect();
    let mut versions: Vec<Version> = Vec::new();
    for (variant, config) in each() {
        if versions.iter().any(|known| known.config.same_effect(config)) {
            continue;
        }
        let set = reaching.iter().map(|&i| (args.vary[i].option, variant.values[i].clone())).collect();
        versions.push(Version { config: config.clone(), set });
    }
    versions
}

impl Version {
    /// `row`, named by what is varied: a framework trained otherwise is another framework, to which its rows with I2FR
    /// are compared.
    pub(super) fn name(&self, row: Row) -> Row {
        let (mut framework, mut regularizer, mut aside) = (row.framework, row.regularizer, Vec::new());
        for (option, value) in self.set.iter().filter(|(_, value)| value != USUAL) {
            let (name, said) = match option.strip_prefix(I2FR) {
                Some(short) => (&mut regularizer, format!("{short} {value}")),
                None => (&mut framework, format!("{option} {value}")),
            };
            *name += &format!(" {said}");
            aside.push(said);
        }
        let label = if aside.is_empty() { row.label } else { format!("{} ({})", row.label, aside.join(", ")) };
        Row { framework, regularizer, label, ..row }
    }

    /// The options that are varied for the entry.
    pub(super) fn options(&self) -> impl Iterator<Item = &'static str> {
        self.set.iter().map(|(option, _)| *option)
    }
}

/// An error if an option is varied that is not among `reached`.
pub(super) fn no_idle_variation(args: &TableArgs, reached: &BTreeSet<&str>) -> Result<()> {
    match args.vary.iter().find(|vary| !reached.contains(vary.option)) {
        Some(Vary { option, .. }) => {
            Err(Usage(format!("--vary {option} changes nothing in the rows that are asked for")).into())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn parsed(line: &str) -> TableArgs {
        TableArgs::try_parse_from(format!("table1 {line}").split_whitespace()).unwrap()
    }

    /// Two possible values of each option.
    const VALUES: [(&str, [&str; 2]); OPTIONS.len()] = [
        ("train-examples", ["1000", "2000"]),
        ("epochs", ["3", "4"]),
        ("batch", ["20", "40"]),
        ("lr", ["0.05", "0.2"]),
        ("schedule", ["cosine", "constant"]),
        ("optimizer", ["adam", "sgd"]),
        ("weight-decay", ["0", "1e-3"]),
        ("attack-steps", ["2", "3"]),
        ("attack-step", ["0.007", "2/255"]),
        ("eps-warm-up", ["1", "2"]),
        ("beta", ["1", "3"]),
        ("awp", ["0.005", "0.01"]),
        ("average", ["ema-0.9", "swa-0.5"]),
        ("label-smoothing", ["0.1", "0.2"]),
        ("i2fr-place", ["training", "generation"]),
        ("i2fr-intra-clean", ["0", "2"]),
        ("i2fr-intra-class", ["0", "2"]),
        ("i2fr-inter", ["0", "2"]),
        ("i2fr-margin", ["0.5", "2"]),
        ("i2fr-features", ["raw", "l2"]),
        ("i2fr-reference", ["batch-means", "pairs"]),
        ("i2fr-decay", ["0.5", "0.8"]),
    ];

    #[test]
    fn a_value_is_read_as_on_the_command_line_and_touches_nothing_else() {
        assert_eq!(VALUES.map(|(option, _)| option), OPTIONS);
        let others =
            "--profile mnist --dataset fashion-mnist --norm l2 --eps 1/3 --seeds 3 --save-minutes 7 --out there";
        for (option, values) in VALUES {
            // Neither a default nor what is said may be lost.
            let said = if option.starts_with("i2fr-") { "--epochs 9" } else { "--i2fr-place training" };
            let line = format!("{others} {said}");
            let varied = variants(&parsed(&format!("{line} --vary {option}={}", values.join(",")))).unwrap();
            for (variant, value) in varied.iter().zip(values) {
                let typed = parsed(&format!("{line} --{option} {value}"));
                assert_eq!(format!("{:?}", variant.training), format!("{:?}", typed.training));
            }
        }
    }

    #[test]
    fn all_combinations_are_there_in_the_order_of_the_options() {
        let all = variants(&parsed("--vary beta=1,usual --vary i2fr-margin=0.5,1,2")).unwrap();
        let values: Vec<String> = all.iter().map(|variant| variant.values.join(" ")).collect();
        assert_eq!(values, ["1 0.5", "1 1", "1 2", "usual 0.5", "usual 1", "usual 2"]);
        assert_eq!(all.iter().map(|variant| variant.training.beta).collect::<Vec<_>>()[2..4], [Some(1.), None]);
    }
}
