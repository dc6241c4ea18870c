//! An audit as files.

use super::{Audit, Check, Verdict, model, strength};
use crate::files;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A line of an audit's CSV file.
#[derive(Serialize, Deserialize)]
struct Line {
    check: String,
    verdict: Verdict,
    detail: String,
    subject: String,
    settings: String,
}

impl Audit {
    /// For people.
    pub fn markdown(&self) -> String {
        let mut lines = vec![
            format!("# Audit of {}", self.subject),
            String::new(),
            self.settings.clone(),
            String::new(),
            "| | check | what was found |".into(),
            "|---|---|---|".into(),
        ];
        for Check { name, verdict, detail } in &self.checks {
            lines.push(format!("| {} | {name} | {} |", sign(*verdict), detail.replace('|', "\\|")));
        }
        lines.extend([String::new(), self.summary()]);
        lines.join("\n") + "\n"
    }

    /// What failed, what to look at and what was not checked.
    pub fn summary(&self) -> String {
        let failed = self.names(Verdict::Fail);
        let mut text = if failed.is_empty() {
            "No check failed.".to_owned()
        } else {
            format!("**Failed: {failed}.** Until that is explained, robust accuracy of this network is no evidence.")
        };
        for (verdict, title) in [(Verdict::Warn, "To look at"), (Verdict::Skipped, "Not checked")] {
            let names = self.names(verdict);
            if !names.is_empty() {
                text.push_str(&format!(" {title}: {names}."));
            }
        }
        text
    }

    /// The checks that came out as `verdict`, by name.
    fn names(&self, verdict: Verdict) -> String {
        let found = self.checks.iter().filter(|check| check.verdict == verdict);
        found.map(|check| check.name).collect::<Vec<_>>().join(", ")
    }

    /// What failed of the checks that an evaluation without an audit answers on the way.
    pub fn in_passing(&self) -> String {
        match self.names(Verdict::Fail) {
            failed if failed.is_empty() => "not made; --audit makes it".into(),
            failed => format!("not made, but failed already: {failed}; --audit makes it"),
        }
    }

    /// For programs: `check,verdict,detail,subject,settings`.
    ///
    /// # Errors
    /// Never for what an audit holds.
    pub fn csv(&self) -> Result<String> {
        let line = |Check { name, verdict, detail }: &Check| Line {
            check: (*name).into(),
            verdict: *verdict,
            detail: detail.clone(),
            subject: self.subject.clone(),
            settings: self.settings.clone(),
        };
        files::csv(&self.checks.iter().map(line).collect::<Vec<_>>())
    }

    /// Writes `stem.md` and `stem.csv`.
    ///
    /// # Errors
    /// When their folder cannot be written; each file is whole or untouched.
    pub fn write(&self, stem: &Path) -> Result<()> {
        files::write(&stem.with_extension("md"), self.markdown().as_bytes())?;
        files::write(&stem.with_extension("csv"), self.csv()?.as_bytes())
    }

    /// What [`Audit::write`] left at `stem`, if anything.
    ///
    /// # Errors
    /// When the file is not an audit of this version.
    pub fn read(stem: &Path) -> Result<Option<Self>> {
        let path = stem.with_extension("csv");
        if !path.is_file() {
            return Ok(None);
        }
        let other = || format!("{}: not an audit of this version; delete it to audit again", path.display());
        let lines: Vec<Line> = files::read_csv(&path).with_context(other)?;
        let names = || model::RULES.iter().map(|rule| rule.name).chain(strength::RULES.iter().map(|rule| rule.name));
        ensure!(names().eq(lines.iter().map(|line| line.check.as_str())), other());
        let Line { subject, settings, .. } = &lines[0];
        let (subject, settings) = (subject.clone(), settings.clone());
        let check = |(name, line): (_, Line)| Check { name, verdict: line.verdict, detail: line.detail };
        Ok(Some(Self { subject, settings, checks: names().zip(lines).map(check).collect() }))
    }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Skipped => "–",
        Verdict::Pass => "✓ pass",
        Verdict::Warn => "! warn",
        Verdict::Fail => "✗ **fail**",
    }
}
