//! What an evaluation of one network came to, as files.

use crate::{
    Usage,
    cli::Threat,
    evaluation::{Examination, read_attacks, write_examples},
    files,
    network::listed,
    report::wilson,
    run::RECORD,
    verdicts::{CLEAN, Outcome},
};
use anyhow::Result;
use models::Normalization;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{fmt::Display, path::Path};

/// What RobustBench asks for.
const REPORT: &str = "robustbench.json";

/// A line of `summary.csv`.
#[derive(Serialize)]
struct Line<'a> {
    attack: &'a str,
    examples: usize,
    clean_percent: f64,
    robust_percent: f64,
    seconds: f64,
    norm: &'a str,
    epsilon: &'a str,
    dataset: &'a str,
    architecture: &'a str,
}

/// A line of `intervals.csv`: 95 % intervals of accuracies, over the choice of test images (Wilson).
#[derive(Serialize)]
struct Interval<'a> {
    attack: &'a str,
    examples: usize,
    standing: usize,
    percent: f64,
    low_percent: f64,
    high_percent: f64,
}

impl<'a> Interval<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let (examples, standing, percent) = (outcome.correct.len(), outcome.standing(), outcome.percent());
        let (low_percent, high_percent) = wilson(percent, examples);
        Self { attack: &outcome.attack, examples, standing, percent, low_percent, high_percent }
    }
}

/// A line of `stages.csv`: one stage of an attack that has several, at what those before it left.
#[derive(Serialize)]
struct StageLine<'a> {
    attack: &'a str,
    stage: &'a str,
    attacked: usize,
    broken: usize,
    robust_percent: f64,
    seconds: f64,
}

/// What describes the network in `robustbench.json`.
pub struct About {
    /// As RobustBench calls the model.
    pub name: String,
    /// The architecture.
    pub architecture: String,
    /// The data set.
    pub dataset: String,
    /// SHA-256 of the weights file.
    pub checkpoint_sha256: String,
    /// What the network does to pixels first.
    pub normalization: Normalization,
    /// Whether an audit found that the numbers cannot be trusted; `None` without an audit.
    pub unreliable: Option<bool>,
}

impl About {
    /// An error if a report in `out` would be replaced by one of another network or threat model, or files of a run.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn check_folder(&self, out: &Path, threat: &Threat) -> Result<(), Usage> {
        let place = out.display();
        if out.join(RECORD).is_file() {
            return Err(Usage(format!("{place} is the folder of a run, whose files stay; choose another with --out")));
        }
        let unreadable =
            |e: &dyn Display| Usage(format!("{place}/{REPORT}: {e}; move it away, or choose another with --out"));
        let Some(json) = files::read_if_there(&out.join(REPORT)).map_err(|e| unreadable(&e))? else { return Ok(()) };
        let known: Value = serde_json::from_slice(&json).map_err(|e| unreadable(&e))?;
        // Older programs did not say how it normalises.
        let alike = |key: &str, own: String| [Value::Null, own.into()].contains(&known["measurement"][key]);
        let [mean, std] = self.normalization();
        let same = known["measurement"]["checkpoint_sha256"] == self.checkpoint_sha256.as_str()
            && alike("mean", mean)
            && alike("std", std)
            && known["threat_model"] == threat_model(&threat.norm.to_string())
            && known["eps"] == threat.epsilon.to_string()
            && known["dataset"] == self.dataset.as_str();
        let text = |key: &str| known[key].as_str().unwrap_or("?").to_owned();
        let [name, norm, epsilon, dataset] = ["name", "threat_model", "eps", "dataset"].map(text);
        let what = format!(
            "{place} holds the evaluation of {name} on {dataset}, {norm} {epsilon}; choose another folder with --out"
        );
        if same { Ok(()) } else { Err(Usage(what)) }
    }

    /// Mean and deviation as text.
    fn normalization(&self) -> [String; 2] {
        let Normalization { mean, std } = &self.normalization;
        [mean, std].map(|values| listed(values))
    }
}

/// A norm as RobustBench calls it.
fn threat_model(norm: &str) -> &'static str {
    if norm == "l2" { "L2" } else { "Linf" }
}

/// An outcome as one line for a reader.
pub fn line(outcome: &Outcome) -> String {
    let Interval { attack, examples, standing, percent, low_percent, high_percent } = Interval::of(outcome);
    let seconds = outcome.seconds;
    format!(
        "{attack:<16} {percent:6.2} %  [{low_percent:.2}, {high_percent:.2}]  \
         ({standing} of {examples} images, {seconds:.1} s)"
    )
}

/// The worst case: an example stands if no attack breaks it.
pub fn worst_case(outcomes: &[Outcome]) -> Outcome {
    let examples = outcomes.iter().map(|o| o.correct.len()).min().unwrap_or(0);
    let correct = (0..examples).map(|i| outcomes.iter().all(|o| o.correct[i])).collect();
    Outcome { attack: "worst case".into(), seconds: outcomes.iter().map(|o| o.seconds).sum(), correct }
}

/// Attacks of an earlier report in `out` that stay in it, as they are known of the same images with the same seed and
/// I2FR; says which do not.
pub fn kept(out: &Path, examination: &Examination<'_>, asked: &[&str], examples: usize) -> Vec<String> {
    let mut earlier = read_attacks(&out.join("examples.csv"));
    earlier.retain(|name| {
        if asked.contains(&name.as_str()) {
            return false;
        }
        let why = match examination.known(&examination.place, name, examples) {
            Ok(Some(_)) => return true,
            Ok(None) => "not known of these images with this seed and I2FR".to_owned(),
            Err(e) => format!("{e:#}"),
        };
        tracing::warn!("{name}: no longer in the report: {why}");
        false
    });
    earlier
}

/// Writes `summary.csv`, `intervals.csv`, `examples.csv`, `stages.csv` and `robustbench.json` into `out`. `outcomes` begin
/// with [`CLEAN`].
///
/// # Errors
/// When the folder cannot be written.
pub fn write(out: &Path, examination: &Examination<'_>, outcomes: &[Outcome], about: &About) -> Result<()> {
    let clean_percent = outcomes.first().map_or(0., Outcome::percent);
    let summary: Vec<Line<'_>> = outcomes
        .iter()
        .map(|outcome| Line {
            attack: &outcome.attack,
            examples: outcome.correct.len(),
            clean_percent,
            robust_percent: outcome.percent(),
            seconds: outcome.seconds,
            norm: &examination.place.norm,
            epsilon: &examination.place.epsilon,
            dataset: &about.dataset,
            architecture: &about.architecture,
        })
        .collect();
    files::write_csv(&out.join("summary.csv"), &summary)?;
    let worst = worst_case(outcomes);
    let intervals: Vec<Interval<'_>> = outcomes.iter().chain([&worst]).map(Interval::of).collect();
    files::write_csv(&out.join("intervals.csv"), &intervals)?;
    write_examples(&out.join("examples.csv"), examination.test, outcomes)?;
    write_stages(out, examination, outcomes)?;
    let json = robustbench(examination, outcomes, about);
    files::write(&out.join(REPORT), &serde_json::to_vec_pretty(&json)?)
}

fn write_stages(out: &Path, examination: &Examination<'_>, outcomes: &[Outcome]) -> Result<()> {
    let mut reports = Vec::new();
    for outcome in outcomes {
        let stages = examination.arsenal.stages(&outcome.attack)?;
        let examples = outcome.correct.len();
        if stages.len() > 1 {
            let by_stage = examination.verdicts.by_stage(&examination.place, &stages, examples);
            reports.push((outcome.attack.as_str(), examples, by_stage));
        }
    }
    let path = out.join("stages.csv");
    if reports.is_empty() {
        return files::remove(&path);
    }
    let lines: Vec<StageLine<'_>> = reports
        .iter()
        .flat_map(|(attack, examples, by_stage)| {
            by_stage.iter().map(|stage| StageLine {
                attack,
                stage: &stage.stage,
                attacked: stage.attacked,
                broken: stage.broken,
                robust_percent: 100. * stage.standing as f64 / (*examples).max(1) as f64,
                seconds: stage.seconds,
            })
        })
        .collect();
    files::write_csv(&path, &lines)
}

/// The fields of RobustBench's `model_info` that a measurement can fill (percentages as text, as there),
/// and ours under `measurement`. What only authors know (paper, venue, extra data) is theirs to add.
fn robustbench(examination: &Examination<'_>, outcomes: &[Outcome], about: &About) -> Value {
    let percent = |outcome: &Outcome| Value::from(format!("{:.2}", outcome.percent()));
    let of = |attack: &str| outcomes.iter().find(|outcome| outcome.attack == attack).map_or(Value::Null, percent);
    let [mean, std] = about.normalization();
    let attacks: Map<String, Value> = outcomes.iter().map(|o| (o.attack.clone(), json!(Interval::of(o)))).collect();
    json!({
        "name": about.name,
        "dataset": about.dataset,
        "architecture": about.architecture,
        "threat_model": threat_model(&examination.place.norm),
        "eps": examination.place.epsilon,
        "clean_acc": of(CLEAN),
        "autoattack_acc": of("autoattack"),
        "reported": Value::Null,
        "additional_data": Value::Null,
        "number_forward_passes": 1,
        "unreliable": about.unreliable,
        "measurement": {
            "examples": outcomes.first().map_or(0, |clean| clean.correct.len()),
            "seed": examination.seed,
            "checkpoint_sha256": about.checkpoint_sha256,
            "mean": mean,
            "std": std,
            "intervals": "Wilson, 95 %",
            "worst_case": Interval::of(&worst_case(outcomes)),
            "attacks": attacks,
        },
    })
}
