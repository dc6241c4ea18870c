//! All runs of a results folder, and what is known of each.

use super::{Checkpoint, RECORD, Record, Run, compare};
use crate::{
    files,
    findings::{self, EpochLine},
    lock,
    report::caption::grouped,
    verdicts::{CLEAN, Outcome},
};
use anyhow::{Context, Result};
use indicatif::HumanBytes;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The runs of a results folder, by name.
pub struct Store {
    pub(super) out: PathBuf,
    pub(super) runs: Vec<Stored>,
}

/// A folder among the runs.
pub struct Stored {
    /// Its name.
    pub id: String,
    pub(super) folder: PathBuf,
    /// What `run.json` says, or why it says nothing.
    pub(super) record: Result<Record>,
}

impl Store {
    /// The runs under the results folder `out`.
    ///
    /// # Errors
    /// When there are none.
    pub fn open(out: &Path) -> Result<Self> {
        let none = || format!("there are no runs in {}; choose another folder with --out", out.display());
        let entries = fs::read_dir(out.join("runs")).with_context(none)?;
        let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        let mut runs: Vec<Stored> = folders.map(Stored::at).collect();
        anyhow::ensure!(!runs.is_empty(), none());
        runs.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { out: out.to_owned(), runs })
    }

    /// The run whose name is `part`, or the only one whose name holds it.
    ///
    /// # Errors
    /// When none does, or several do.
    pub fn find(&self, part: &str) -> Result<&Stored> {
        let fits: Vec<&Stored> = self.runs.iter().filter(|run| run.id.contains(part)).collect();
        let names = || fits.iter().map(|run| run.id.as_str()).collect::<Vec<_>>().join(", ");
        match (fits.iter().find(|run| run.id == part), &fits[..]) {
            (Some(run), _) | (None, [run]) => Ok(run),
            (None, []) => anyhow::bail!("{part}: no run in {} has that name; see `runs list`", self.out.display()),
            (None, _) => {
                anyhow::bail!("{part}: {} runs have that in their name ({}); give more of it", fits.len(), names())
            }
        }
    }

    /// Those that `parts` name; all of them, if they name none.
    ///
    /// # Errors
    /// As [`Store::find`].
    pub fn chosen(&self, parts: &[String]) -> Result<Vec<&Stored>> {
        if parts.is_empty() { Ok(self.runs.iter().collect()) } else { parts.iter().map(|p| self.find(p)).collect() }
    }

    /// A line per run, in columns.
    pub fn list(&self) -> String {
        let head = ["run", "state", "dataset", "arch", "seed", "epochs", "held-out %", "size", "options"];
        let head = head.map(str::to_owned);
        let fields = |run: &Stored| Some(flat(&serde_json::to_value(&run.record.as_ref().ok()?.config).ok()?));
        let all: Vec<Option<Fields>> = self.runs.iter().map(fields).collect();
        let unusual = |own: &Option<Fields>| own.as_ref().map_or_else(String::new, |own| unlike_others(own, &all));
        let lines = self.runs.iter().zip(&all).map(|(run, own)| run.line(&unusual(own)));
        let lines: Vec<[String; 9]> = std::iter::once(head).chain(lines).collect();
        let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..9).map(width).collect();
        let line = |line: &[String; 9]| {
            let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        lines.iter().map(line).collect()
    }
}

/// A run's configuration, by field.
type Fields = BTreeMap<String, String>;

/// In which options the run of `own` is not like most of `all` with its data set and architecture, beside those that its
/// other columns say.
fn unlike_others(own: &Fields, all: &[Option<Fields>]) -> String {
    let alike = |other: &&Fields| ["dataset", "arch"].iter().all(|key| other.get(*key) == own.get(*key));
    let kind: Vec<&Fields> = all.iter().flatten().filter(alike).collect();
    let unusual = RECIPE.into_iter().filter_map(|key| {
        let value = own.get(key);
        let mut counts: BTreeMap<Option<&String>, usize> = BTreeMap::new();
        for other in &kind {
            *counts.entry(other.get(key)).or_default() += 1;
        }
        let most = counts.iter().all(|(other, count)| *other == value || *count < counts[&value]);
        (!most).then(|| format!(" {} {}", key.replace('_', "-"), value.map_or("usual", String::as_str)))
    });
    unusual.collect()
}

/// What a run is trained by that neither its name nor a column of its own says.
const RECIPE: [&str; 13] = [
    "train_examples",
    "batch",
    "lr",
    "schedule",
    "optimizer",
    "weight_decay",
    "attack_steps",
    "attack_step",
    "warm_up",
    "awp",
    "averaging",
    "device",
    "precision",
];

impl Stored {
    fn at(folder: PathBuf) -> Self {
        let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let none = || format!("{}: not the record of a run", folder.join(RECORD).display());
        let record =
            Record::read(&folder).and_then(|record| record.context("there is no such file")).with_context(none);
        Self { id, folder, record }
    }

    /// The run, if its record says which it is.
    pub(super) fn run(&self) -> Option<(Run, &Record)> {
        let record = self.record.as_ref().ok()?;
        Some((Run { config: record.config.clone(), folder: self.folder.clone() }, record))
    }

    /// Who trains, measures or audits it right now.
    pub(super) fn held_by(&self) -> Option<String> {
        let now = SystemTime::now();
        match lock::Found::at(&self.folder.join("run.lock")) {
            Ok(found) => found.filter(|lock| lock.held(now)).map(|lock| lock.by(now)),
            Err(e) => Some(format!("somebody unknown, as run.lock cannot be read ({e})")),
        }
    }

    /// What has become of it.
    pub fn state(&self) -> String {
        let epochs = || self.epochs().map_or(0, |rows| rows.len());
        match (self.held_by(), self.run()) {
            (Some(who), Some((_, record))) if record.finished => format!("measured right now by {who}"),
            (Some(who), _) => format!("trained right now by {who}; {} epochs done", epochs()),
            (None, None) => "unreadable".into(),
            (None, Some((run, _))) if run.trained() => "trained".into(),
            (None, Some((_, record))) if record.finished => "trained; no weights here".into(),
            (None, Some((run, _))) if run.interrupted() => format!("interrupted at epoch {}", epochs()),
            (None, Some(_)) => "begun; nothing saved".into(),
        }
    }

    pub(super) fn epochs(&self) -> Result<Vec<EpochLine>> {
        files::read_csv(&self.folder.join("epochs.csv"))
    }

    fn line(&self, unusual: &str) -> [String; 9] {
        let best = self.epochs().ok().and_then(|rows| rows.into_iter().rfind(|row| row.best));
        let clean = if self.run().is_some_and(|(run, _)| !run.defended()) { " clean" } else { "" };
        let best = best.map_or("-".to_owned(), |row| format!("{:.2}{clean}", row.held_out_robust_percent));
        let config = self.record.as_ref().ok().map(|record| &record.config);
        let of = |field: &dyn Fn(&crate::config::RunConfig) -> String| config.map_or("-".to_owned(), field);
        [
            self.id.clone(),
            self.state(),
            of(&|config| config.dataset.clone()),
            of(&|config| config.arch.clone()),
            of(&|config| config.seed.to_string()),
            of(&|config| config.epochs.to_string()),
            best,
            HumanBytes(files::size(&self.folder)).to_string(),
            of(&|config| format!("{}{unusual}", config.said().unwrap_or_default()).trim_start().to_owned()),
        ]
    }

    /// Its state, configuration and provenance, and the accuracies that are known.
    ///
    /// # Errors
    /// When its record or its evaluations are broken.
    pub fn show(&self) -> Result<String> {
        let record = self.record()?;
        let mut lines = vec![format!("{}: {}", self.id, self.state()), record.game.clone()];
        for (title, fields) in [
            ("configuration", flat(&serde_json::to_value(&record.config)?)),
            ("provenance", flat(&serde_json::to_value(&record.provenance)?)),
        ] {
            lines.push(format!("\n{title}"));
            lines.extend(fields.iter().map(|(key, value)| format!("  {key}: {value}")));
        }
        lines.push("\naccuracy".into());
        for checkpoint in Checkpoint::ALL {
            for outcome in self.outcomes(checkpoint)? {
                let (percent, examples) = (outcome.percent(), outcome.correct.len());
                let (checkpoint, examples) = (checkpoint.name(), grouped(examples));
                lines.push(format!("  {checkpoint}, {}: {percent:.2} % of {examples} images", outcome.attack));
            }
        }
        Ok(lines.join("\n") + "\n")
    }

    fn outcomes(&self, checkpoint: Checkpoint) -> Result<Vec<Outcome>> {
        let run = Run { config: self.record()?.config.clone(), folder: self.folder.clone() };
        Ok(findings::outcomes(&run, checkpoint, &run.verdicts()?).collect())
    }

    /// The fields of the configuration in which it differs from `other`, a line each; then, if both were measured on
    /// the same images, how their selected weights did image by image.
    ///
    /// # Errors
    /// When a record or evaluations are broken.
    pub fn diff(&self, other: &Self) -> Result<String> {
        if self.folder == other.folder {
            return Ok("It is the same run.\n".into());
        }
        let (one, another) = (&self.record()?.provenance, &other.record()?.provenance);
        let mut compared = String::new();
        if one.test_sha256 == another.test_sha256 && self.id != other.id {
            let same_ball = self.record()?.config.ball()? == other.record()?.config.ball()?;
            let [own, others] = [self, other].map(|run| {
                let mut outcomes = run.outcomes(Checkpoint::Best)?;
                outcomes.retain(|outcome| same_ball || outcome.attack == CLEAN);
                Ok::<_, anyhow::Error>(outcomes)
            });
            compared = compare::text(&own?, &others?);
            if !same_ball {
                compared.push_str("Their attacks had different balls, so only clean images are compared.\n");
            }
        }
        Ok(self.fields_unlike(other)? + &compared)
    }

    fn fields_unlike(&self, other: &Self) -> Result<String> {
        let [own, others] = [self, other].map(|run| {
            let record = run.record()?;
            Ok::<_, anyhow::Error>(flat(&serde_json::to_value(&record.config)?))
        });
        let (own, others) = (own?, others?);
        let keys: BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        let said = |fields: &BTreeMap<String, String>, key| fields.get(key).cloned().unwrap_or_else(|| "-".to_owned());
        let pairs = keys.into_iter().map(|key| (key, said(&own, key), said(&others, key)));
        let lines = pairs.filter(|(_, a, b)| a != b).map(|(key, a, b)| format!("{key}: {a} | {b}\n"));
        Ok(lines.collect())
    }

    fn record(&self) -> Result<&Record> {
        self.record.as_ref().map_err(|e| anyhow::anyhow!("{e:#}; see `runs verify`"))
    }
}

/// The fields of `value` by their paths.
pub(crate) fn flat(value: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => found.extend(flat(value).into_iter().map(|(k, v)| (format!("{key}.{k}"), v))),
            Value::String(text) => drop(found.insert(key.clone(), text.clone())),
            Value::Null => drop(found.insert(key.clone(), "none".into())),
            other => drop(found.insert(key.clone(), other.to_string())),
        }
    }
    found
}
