//! The claims as `paper/claims.toml` states them.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::{collections::BTreeSet, path::Path};

/// The claims that the program was built with.
pub const BUILT_IN: &str = include_str!("../../../paper/claims.toml");

/// All claims, judged together; `paper/claims.toml` says what the fields mean.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The chance of any false verdict in one setting.
    pub level: f64,
    /// The claims, in the order they are printed.
    #[serde(rename = "claim")]
    pub claims: Vec<Claim>,
}

/// One claim.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name, `d-strength`.
    pub id: String,
    /// What is claimed, in our words.
    pub statement: String,
    /// Where the evidence is below the results folder: `NAME/cells.csv` or `NAME/measures.csv`.
    pub file: String,
    /// The attack or the measure.
    pub measure: String,
    /// What the measure is counted in.
    pub unit: String,
    /// What is subtracted.
    pub before: Selector,
    /// What it is subtracted from.
    pub after: Selector,
    /// The frameworks, or the comparators, that the claim is about.
    pub frameworks: Vec<String>,
    /// The sign of a difference that supports it.
    pub supports: Direction,
    /// How differences become a verdict.
    pub rule: Rule,
    /// How many frameworks are several.
    pub at_least: Option<usize>,
    /// The smallest mean difference that counts; 0: any.
    pub matters: f64,
    /// How many seeds give a verdict: these, from 0 on, and no others.
    pub seeds: usize,
    /// Whether a defended run that did not pass its audit counts only against what it is a run of.
    pub audited: bool,
}

/// Which measurement of a seed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// `trades`; if there is none, each of the claim's frameworks in turn.
    pub framework: Option<String>,
    /// `none`, `i2fr`, ...
    pub regularizer: String,
    /// As in [`Measure::subject`](crate::report::Measure::subject); accuracies have none.
    pub subject: Option<String>,
}

/// The sign of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Above zero.
    More,
    /// Below zero.
    Less,
}

/// How the differences of several frameworks become one verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// By their mean, seed by seed.
    Mean,
    /// By how many gain.
    Several,
    /// By whether each is beaten.
    Every,
}

impl Claims {
    /// The claims of the file at `path`; without one, those the program was built with.
    ///
    /// # Errors
    /// When the file cannot be read or states no claims; the error names file, line and claim.
    pub fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Self::parse(BUILT_IN, "paper/claims.toml") };
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The claims of `text`, which errors call `name`.
    ///
    /// # Errors
    /// When a field is missing, unknown or impossible.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let stated: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            anyhow::anyhow!("{name}, line {line}{}: {}", claim_around(text, line), error.message().replace('\n', " "))
        })?;
        ensure!(stated.level > 0. && stated.level < 1., "{name}: level = {} is not between 0 and 1", stated.level);
        ensure!(!stated.claims.is_empty(), "{name}: there is no [[claim]]");
        let mut known = BTreeSet::new();
        for (position, claim) in stated.claims.iter().enumerate() {
            let line = heads(text).nth(position).unwrap_or(1);
            let problem = if known.insert(&claim.id) { claim.problem(&stated) } else { Some("is listed twice".into()) };
            if let Some(problem) = problem {
                anyhow::bail!("{name}, line {line}, claim `{}`: {problem}", claim.id);
            }
        }
        Ok(stated)
    }
}

/// The lines, counted from 1, at which claims begin.
fn heads(text: &str) -> impl Iterator<Item = usize> {
    let lines = text.lines().enumerate();
    lines.filter(|(_, line)| line.trim_start().starts_with("[[claim]]")).map(|(number, _)| number + 1)
}

/// `, claim X` for a line inside of claim X.
fn claim_around(text: &str, line: usize) -> String {
    let Some(head) = heads(text).take_while(|head| *head <= line).last() else { return String::new() };
    let mut own = text.lines().skip(head).take_while(|line| !line.trim_start().starts_with("[[claim]]"));
    let id = own.find_map(|line| line.trim().strip_prefix("id")?.trim_start().strip_prefix('='));
    id.map_or_else(String::new, |id| format!(", claim `{}`", id.trim().trim_matches('"')))
}

impl Claim {
    /// The name of its table or figure, `table1`.
    pub fn source(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    /// Whether its evidence is accuracies.
    pub(super) fn about_accuracy(&self) -> bool {
        self.file.ends_with("/cells.csv")
    }

    /// The fewest seeds whose smallest p, corrected for everything, is no more than the level.
    fn fewest_seeds(&self, all: &Claims) -> usize {
        let within = if self.rule == Rule::Several { self.frameworks.len() } else { 1 };
        let tests = (within * all.claims.len()) as f64;
        (1..=64).find(|&seeds| tests * 0.5f64.powi(seeds - 1) <= all.level).unwrap_or(64) as usize
    }

    /// What is wrong with it.
    fn problem(&self, all: &Claims) -> Option<String> {
        let subjects = [&self.before, &self.after].map(|selector| selector.subject.is_some());
        let distinct: BTreeSet<&String> = self.frameworks.iter().collect();
        let fewest = self.fewest_seeds(all);
        let known_file = self.file.split_once('/').is_some_and(|(folder, file)| {
            !["", ".", ".."].contains(&folder) && ["cells.csv", "measures.csv"].contains(&file)
        });
        let problem = match () {
            () if [&self.id, &self.statement, &self.measure, &self.unit].iter().any(|text| text.trim().is_empty()) => {
                "id, statement, measure and unit may not be empty".to_owned()
            }
            () if !known_file => format!("file = `{}` is neither NAME/cells.csv nor NAME/measures.csv", self.file),
            () if subjects.contains(&self.about_accuracy()) => {
                "before and after need a subject in measures.csv and have none in cells.csv".to_owned()
            }
            () if self.frameworks.is_empty() => "frameworks is empty".to_owned(),
            () if distinct.len() < self.frameworks.len() => "a framework is listed twice".to_owned(),
            () if self.before == self.after => "before and after are the same".to_owned(),
            () if self.before.framework.is_some() && self.after.framework.is_some() => {
                "before and after both name a framework, so nothing is left for `frameworks`".to_owned()
            }
            () if self.at_least.is_some() != (self.rule == Rule::Several) => {
                "at_least belongs to the rule `several`, and to no other".to_owned()
            }
            () if self.at_least.is_some_and(|least| least == 0 || least > self.frameworks.len()) => {
                format!("at_least must be from 1 to {}, the number of frameworks", self.frameworks.len())
            }
            () if !(self.matters >= 0. && self.matters.is_finite()) => {
                format!("matters = {} is no size; write 0 if any effect counts", self.matters)
            }
            () if self.seeds < fewest => {
                format!("seeds = {}, but with fewer than {fewest} no p can be small enough", self.seeds)
            }
            () => return None,
        };
        Some(problem)
    }

    /// The rule in words.
    pub fn rule_in_words(&self, all: &Claims) -> String {
        let sign = if self.supports == Direction::More { "above" } else { "below" };
        let matters = match self.matters {
            0. => String::new(),
            matters => format!(" and at least {matters} {} from it", self.unit),
        };
        let (number, list) = (self.frameworks.len(), self.frameworks.join(", "));
        let what = match (self.rule, self.at_least) {
            (Rule::Mean, _) if number == 1 => format!("the difference of {list} over seeds is {sign} zero{matters}"),
            (Rule::Mean, _) => format!("the mean difference of {list} over seeds is {sign} zero{matters}"),
            (Rule::Every, _) => format!("the difference to each of {list} is {sign} zero{matters}"),
            (Rule::Several, least) => format!(
                "for at least {} of {list} the difference is {sign} zero{matters}, and for none the other way",
                least.unwrap_or(1)
            ),
        };
        let audit = if self.audited { "; a run that did not pass its audit counts only against itself" } else { "" };
        let tests = all.claims.len();
        let level = 100. * all.level;
        format!(
            "Supported if {what}, by the exact two-sided sign-flip test over the first {} seeds, Holm-corrected over \
             {tests} claims at {level} %{audit}.",
            self.seeds
        )
    }
}
