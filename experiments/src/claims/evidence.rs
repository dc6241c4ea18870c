//! What is stored, as pairs of measurements of one seed.

use super::{
    doubts::Doubts,
    rule::Contrast,
    stated::{Claim, Claims, Selector},
};
use crate::{
    audit::Verdict,
    files,
    grid::AUDITED,
    report::{Cell, Measure, read_cells, read_measures},
    run::{CONTROL, Split},
};
use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// The weights that count: those that held-out training images selected.
const SELECTED: &str = "best";

/// What measurements must share to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of `Cell`, which documents them")]
pub struct Setting {
    pub profile: String,
    pub dataset: String,
    pub arch: String,
    pub norm: String,
    pub epsilon: String,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { profile, dataset, arch, norm, epsilon } = self;
        write!(f, "profile {profile}: {dataset}, {arch}, {norm} {epsilon}")
    }
}

/// What was measured of whom, without the seed.
type Subject = (String, String, Option<String>, String);

#[derive(Clone, Debug)]
struct Measured {
    value: f64,
    examples: usize,
    run: String,
}

type Seeds = BTreeMap<u64, Measured>;

/// A line of `cells.csv` or `measures.csv`.
struct Row {
    checkpoint: String,
    setting: Setting,
    about: Subject,
    seed: u64,
    measured: Measured,
}

impl From<Cell> for Row {
    fn from(cell: Cell) -> Self {
        let Cell { framework, regularizer, dataset, arch, norm, epsilon, attack, checkpoint, seed, .. } = cell;
        Self {
            checkpoint,
            setting: Setting { profile: cell.profile, dataset, arch, norm, epsilon },
            about: (framework, regularizer, None, attack),
            seed,
            measured: Measured { value: cell.value_percent, examples: cell.examples, run: cell.run },
        }
    }
}

impl From<Measure> for Row {
    fn from(line: Measure) -> Self {
        let Measure { framework, regularizer, dataset, arch, norm, epsilon, subject, measure, checkpoint, .. } = line;
        Self {
            checkpoint,
            setting: Setting { profile: line.profile, dataset, arch, norm, epsilon },
            about: (framework, regularizer, Some(subject), measure),
            seed: line.seed,
            measured: Measured { value: line.value, examples: line.examples, run: line.run },
        }
    }
}

/// What the files of all claims hold.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// By file and setting; selected weights only.
    files: BTreeMap<String, BTreeMap<Setting, BTreeMap<Subject, Seeds>>>,
    /// By table and run.
    audits: BTreeMap<String, BTreeMap<String, Audit>>,
}

/// What an audit of a run came to.
#[derive(Debug, Default)]
struct Audit {
    /// So many images were looked at.
    images: Option<usize>,
    /// Checks.
    failed: Vec<String>,
}

/// A line of `audit.csv`, as far as it is needed.
#[derive(Deserialize)]
struct Line {
    checkpoint: String,
    run: String,
    /// Older programs did not say.
    #[serde(default)]
    images: Option<usize>,
    check: String,
    verdict: Verdict,
}

impl Evidence {
    /// Reads the files below the results folder `out` that the claims name and that are there.
    ///
    /// # Errors
    /// When one is broken, or holds two measurements where there can be one.
    pub(super) fn read(out: &Path, claims: &Claims) -> Result<Self> {
        let mut evidence = Self::default();
        for claim in &claims.claims {
            let path = out.join(&claim.file);
            if path.is_file() && !evidence.files.contains_key(&claim.file) {
                if claim.about_accuracy() {
                    let mut cells = read_cells(&path)?;
                    cells.retain(|cell| cell.split == Split::Test);
                    evidence.keep(&claim.file, &path, cells.into_iter().map(Row::from))?;
                } else {
                    evidence.keep(&claim.file, &path, read_measures(&path)?.into_iter().map(Row::from))?;
                }
            }
            let path = out.join(claim.source()).join("audit.csv");
            if claim.audited && path.is_file() {
                let audits = evidence.audits.entry(claim.source().to_owned()).or_default();
                for Line { run, images, check, verdict, .. } in
                    files::read_csv(&path)?.into_iter().filter(|line: &Line| line.checkpoint == SELECTED)
                {
                    let audit = audits.entry(run).or_default();
                    audit.images = images;
                    if verdict == Verdict::Fail && !audit.failed.contains(&check) {
                        audit.failed.push(check);
                    }
                }
            }
        }
        Ok(evidence)
    }

    /// Keeps `rows` of the file at `path`, which claims call `file`.
    fn keep(&mut self, file: &str, path: &Path, rows: impl IntoIterator<Item = Row>) -> Result<()> {
        let known = self.files.entry(file.to_owned()).or_default();
        for Row { setting, about, seed, measured, .. } in rows.into_iter().filter(|row| row.checkpoint == SELECTED) {
            let Measured { value, run, .. } = measured.clone();
            let (path, named) = (path.display(), name(&about));
            ensure!(value.is_finite(), "{path}: {named}, seed {seed}, is {value}; delete the run {run} and repeat it");
            if let Some(other) = known.entry(setting).or_default().entry(about).or_default().insert(seed, measured) {
                let other = other.run;
                bail!("{path}: {named}, seed {seed}, is listed twice (runs {other} and {run}); render it again");
            }
        }
        Ok(())
    }

    /// Every setting in which something was measured.
    pub(super) fn settings(&self) -> BTreeSet<Setting> {
        self.files.values().flat_map(|settings| settings.keys().cloned()).collect()
    }

    /// The differences that `claim` is about in `setting`, one contrast for each of its frameworks.
    pub(super) fn contrasts(&self, claim: &Claim, setting: &Setting) -> Vec<Contrast> {
        claim.frameworks.iter().map(|framework| self.contrast(claim, setting, framework)).collect()
    }

    fn contrast(&self, claim: &Claim, setting: &Setting, framework: &str) -> Contrast {
        let mut contrast = Contrast { name: framework.to_owned(), ..Contrast::default() };
        let Some(file) = self.files.get(&claim.file) else {
            contrast.remarks.push(format!("{} is not there", claim.file));
            return contrast;
        };
        let of = |selector: &Selector| {
            let framework = selector.framework.as_deref().unwrap_or(framework).to_owned();
            let about = (framework, selector.regularizer.clone(), selector.subject.clone(), claim.measure.clone());
            let mut seeds = file.get(setting).and_then(|measured| measured.get(&about)).cloned().unwrap_or_default();
            let beyond = seeds.split_off(&(claim.seeds as u64));
            (about, seeds, beyond.into_keys())
        };
        let ((before, before_seeds, beyond), (after, after_seeds, more)) = (of(&claim.before), of(&claim.after));
        if beyond.chain(more).next().is_some() {
            contrast.remarks.push(format!("seeds from {} on are not looked at", claim.seeds));
        }
        for (about, seeds) in [(&before, &before_seeds), (&after, &after_seeds)] {
            if seeds.is_empty() {
                contrast.missing.push(who(about));
            }
        }
        if before_seeds.is_empty() || after_seeds.is_empty() {
            return contrast;
        }
        for seed in before_seeds.keys().chain(after_seeds.keys()).collect::<BTreeSet<_>>() {
            let (Some(one), Some(other)) = (before_seeds.get(seed), after_seeds.get(seed)) else {
                contrast.remarks.push(format!("seed {seed} of {framework} has no partner"));
                continue;
            };
            if one.examples != other.examples {
                let (one, other) = (one.examples, other.examples);
                contrast.remarks.push(format!("seed {seed} of {framework} is not paired: {one} and {other} images"));
                continue;
            }
            contrast.differences.insert(*seed, other.value - one.value);
            contrast.examples.insert(one.examples);
            for (about, run, doubts) in
                [(&before, &one.run, &mut contrast.doubts.before), (&after, &other.run, &mut contrast.doubts.after)]
            {
                if claim.audited && about.0 != CONTROL {
                    let audit = self.audits.get(claim.source()).and_then(|runs| runs.get(run));
                    doubt(run, audit, doubts);
                    let looked_at = audit.and_then(|audit| audit.images);
                    let fewer = looked_at.filter(|images| *images < one.examples.min(AUDITED.1));
                    contrast.remarks.extend(fewer.map(|images| format!("audits looked at the first {images} images")));
                }
            }
        }
        contrast
    }
}

/// Notes why the robustness of `run` may be less than was measured, if so.
fn doubt(run: &str, audit: Option<&Audit>, doubts: &mut Doubts) {
    match audit {
        None => drop(doubts.unaudited.insert(run.to_owned())),
        Some(audit) if audit.failed.is_empty() => {}
        Some(audit) => drop(doubts.failed.insert(format!("{run} fails its audit ({})", audit.failed.join(", ")))),
    }
}

/// A measurement in words.
fn name(about: &Subject) -> String {
    format!("{}, {}", about.3, who(about))
}

/// `trades + i2fr (adv)`.
fn who((framework, regularizer, subject, _): &Subject) -> String {
    let plus = if regularizer == "none" { String::new() } else { format!(" + {regularizer}") };
    let subject = subject.as_ref().map_or_else(String::new, |subject| format!(" ({subject})"));
    format!("{framework}{plus}{subject}")
}
