//! `README.md`: the model card, with the front matter that the Hub reads. It claims what was measured, and no more.

use super::{ModelConfig, WEIGHTS};
use crate::{
    audit::{Audit, Verdict},
    findings::{Findings, Score},
    provenance::{Provenance, sha256},
    report::wilson,
    run::{CONTROL, Checkpoint, SELECTION},
    verdicts::CLEAN,
};
use anyhow::Result;
use data::Name;
use serde_json::{Value, json};

/// A network, and what is known of it.
struct Card<'a> {
    findings: &'a Findings,
    checkpoint: Checkpoint,
    about: &'a ModelConfig,
    scores: Vec<&'a Score>,
    audit: Option<&'a Audit>,
}

/// The card of the weights of a run called `checkpoint`.
///
/// # Errors
/// When its configuration is none.
pub(super) fn write(findings: &Findings, checkpoint: Checkpoint, about: &ModelConfig, license: &str) -> Result<String> {
    let scores = findings.scores.iter().filter(|score| score.checkpoint == checkpoint).collect();
    let audit = findings.audits.iter().find(|(of, _)| *of == checkpoint).map(|(_, audit)| audit);
    let card = Card { findings, checkpoint, about, scores, audit };
    let front = yaml_serde::to_string(&card.front(license)?)?;
    let parts = [card.title()?, card.accuracies(), card.audited(), card.usage(), card.limits(), card.provenance()?];
    Ok(format!("---\n{front}---\n\n{}\n", parts.join("\n\n")))
}

impl Card<'_> {
    fn front(&self, license: &str) -> Result<Value> {
        let name: Name = self.about.dataset.parse()?;
        let id = hub_name(name);
        let mut front = json!({
            "license": license,
            "library_name": "i2fr",
            "pipeline_tag": "image-classification",
            "tags": ["image-classification", "adversarial-robustness", "adversarial-training"],
        });
        if let Some(id) = &id {
            front["datasets"] = json!([id]);
        }
        let metrics: Vec<Value> = self.trusted().map(|score| self.metric(score)).collect();
        if !metrics.is_empty() {
            front["metrics"] = json!(["accuracy"]);
            front["model-index"] = json!([{
                "name": self.findings.record.id,
                "results": [{
                    "task": { "type": "image-classification" },
                    "dataset": { "name": name.as_str(), "type": id.as_deref().unwrap_or(name.as_str()), "split": "test" },
                    "metrics": metrics,
                }],
            }]);
        }
        Ok(front)
    }

    /// What may stand in a list without a remark: where an audit failed, only clean accuracy.
    fn trusted(&self) -> impl Iterator<Item = &&Score> {
        let failed = self.audit.is_some_and(|audit| audit.verdict() == Verdict::Fail);
        self.scores.iter().filter(move |score| !failed || score.outcome.attack == CLEAN)
    }

    fn metric(&self, Score { outcome, .. }: &Score) -> Value {
        let (attack, images) = (outcome.attack.as_str(), outcome.correct.len());
        let what = if attack == CLEAN { "Clean accuracy".into() } else { format!("Accuracy under {attack}") };
        let ball = if attack == CLEAN { String::new() } else { format!(", {}", self.ball()) };
        let name = format!("{what} (percent{ball}, first {images} test images)");
        json!({ "type": "accuracy", "name": name, "value": (outcome.percent() * 100.).round() / 100. })
    }

    fn ball(&self) -> String {
        format!("{} {}", self.about.norm, self.about.epsilon)
    }

    fn title(&self) -> Result<String> {
        let config = &self.findings.record.config;
        let ModelConfig { architecture, dataset, .. } = self.about;
        let epoch = self.findings.epoch_of(self.checkpoint);
        let which = match self.checkpoint {
            Checkpoint::Best => format!(
                "Weights of epoch {epoch}, the best {} on {} held-out training images; test images chose nothing.",
                if config.framework == CONTROL {
                    "without attack".to_owned()
                } else {
                    format!("under {}", SELECTION.to_uppercase())
                },
                config.held_out
            ),
            Checkpoint::Last => format!("Weights of the last epoch, {epoch}."),
        };
        Ok(format!(
            "# {name}: {architecture} on {dataset}\n\n{game}\n\n{which}",
            name = config.game()?.name,
            game = self.findings.record.game,
        ))
    }

    fn accuracies(&self) -> String {
        let heading = format!("## Measured, {}", self.ball());
        if self.scores.is_empty() {
            return format!("{heading}\n\nNothing was measured on test images.");
        }
        let row = |Score { outcome, .. }: &&Score| {
            let (percent, images) = (outcome.percent(), outcome.correct.len());
            let (low, high) = wilson(percent, images);
            format!("| {} | {percent:.1} % | {low:.1} to {high:.1} | {images} |", outcome.attack)
        };
        let rows: Vec<String> = self.scores.iter().map(row).collect();
        format!(
            "{heading}\n\n| attack | accuracy | 95 % interval | images |\n|---|---:|---:|---:|\n{}\n\nThe first images of \
             the test set; intervals are Wilson's, over the choice of images. `evaluations.csv` has the verdict on each \
             image, and what was asked in other balls.",
            rows.join("\n")
        )
    }

    fn audited(&self) -> String {
        let found = match self.audit {
            None => "This network has not been audited.".into(),
            Some(audit) => format!("{} Details: `audit-{}.md`.", audit.summary(), self.checkpoint.name()),
        };
        format!("## Audit\n\n{found}")
    }

    fn usage(&self) -> String {
        let ModelConfig { dataset, norm, epsilon, architecture, mean, std, .. } = self.about;
        format!(
            "## Evaluate it\n\n```sh\ncargo run --release --bin evaluate -- --checkpoint {WEIGHTS} --dataset {dataset} \\\n    \
             --norm {norm} --eps {epsilon} --attack pgd-20,autoattack --out evaluation\n```\n\nThe file and `config.json` \
             say the rest: a {architecture} that takes pixels in [0, 1], subtracts {mean:?} and divides by {std:?} by \
             itself. Names of tensors are those of the usual PyTorch code."
        )
    }

    fn limits(&self) -> String {
        let config = &self.findings.record.config;
        let images = match config.train_examples {
            0 => "all training images".to_owned(),
            n => format!("the first {n} training images"),
        };
        let threat = if config.framework == CONTROL {
            "It was not trained to resist attacks.".to_owned()
        } else {
            format!("It was trained against {} and claims nothing beyond that ball.", self.ball())
        };
        format!(
            "## Limits\n\n- Trained for {} epochs on {images} ({} of them held out), one seed.\n- {threat} What neither the \
             table above nor `evaluations.csv` has was not measured.\n- Accuracies hold for test images of {}, not for \
             images from elsewhere.",
            config.epochs, config.held_out, self.about.dataset
        )
    }

    fn provenance(&self) -> Result<String> {
        let record = &self.findings.record;
        let Provenance { commit, dirty, train_sha256, test_sha256, threads, train_seconds, .. } = &record.provenance;
        let chip = record.provenance.chip();
        let changed = if *dirty { ", with changes" } else { "" };
        let weights = record.weights_sha256.get(self.checkpoint.name());
        let lines = [
            ("run", format!("`{}`; its name ends with a hash of its configuration (`run.json`)", record.id)),
            ("configuration, SHA-256", format!("`{}`", sha256(&serde_json::to_vec(&record.config)?))),
            ("seed", record.config.seed.to_string()),
            ("commit", format!("`{commit}`{changed}")),
            ("weights in the run, SHA-256", weights.map_or("unknown".into(), |sum| format!("`{sum}`"))),
            ("training images, SHA-256", format!("`{train_sha256}`")),
            ("test images, SHA-256", format!("`{test_sha256}`")),
            ("machine", format!("{threads} threads, {chip}; {train_seconds:.0} s of training")),
        ];
        let earlier = record.provenance.earlier.iter().map(|program| ("begun by", program.to_string()));
        let rows: Vec<String> =
            lines.into_iter().chain(earlier).map(|(what, value)| format!("| {what} | {value} |")).collect();
        Ok(format!("## Provenance\n\n| | |\n|---|---|\n{}", rows.join("\n")))
    }
}

/// What the Hub calls a data set, if it has it.
fn hub_name(name: Name) -> Option<String> {
    data::repository(name).map(|(repository, _)| repository.to_string())
}
