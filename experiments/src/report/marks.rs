//! What audits say of a table's rows.

use super::{Row, Table, caption::grouped};
use crate::{
    audit::{Audit, Verdict},
    files,
};
use anyhow::Result;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// A check that a table answers by itself: it prints how many images were looked at.
const PRINTED: &str = "sample";

/// The audit of one run.
#[derive(Clone, Debug)]
pub struct Audited {
    /// The folder of runs, seen from the table's files.
    pub runs: PathBuf,
    /// The attack whose column alone it is about, if it is not about the row.
    pub column: Option<String>,
    /// The run's identifier.
    pub run: String,
    /// Its seed.
    pub seed: u64,
    /// Which weights of it.
    pub checkpoint: String,
    /// What was found.
    pub audit: Audit,
}

/// A line of `audit.csv`: one check of one run.
#[derive(Serialize)]
struct Line<'a> {
    table: &'a str,
    framework: &'a str,
    regularizer: &'a str,
    checkpoint: &'a str,
    seed: u64,
    run: &'a str,
    /// So many test images, the first ones, were looked at.
    images: Option<usize>,
    check: &'a str,
    verdict: Verdict,
    detail: &'a str,
}

impl Audited {
    fn fails(&self) -> bool {
        self.audit.checks.iter().any(|check| check.verdict == Verdict::Fail)
    }
}

/// The checks that came out as `verdict` in some of `audits`.
fn checks<'a>(audits: impl IntoIterator<Item = &'a Audited>, verdict: Verdict) -> Vec<&'static str> {
    let checks = audits.into_iter().flat_map(|audited| &audited.audit.checks);
    let mut names: Vec<&str> = Vec::new();
    for check in checks.filter(|check| check.verdict == verdict && check.name != PRINTED) {
        if !names.contains(&check.name) {
            names.push(check.name);
        }
    }
    names
}

impl Row {
    /// Its audits by what they are about: a column, or all of the row.
    fn groups(&self) -> BTreeMap<Option<&str>, Vec<&Audited>> {
        let mut groups = BTreeMap::<_, Vec<&Audited>>::new();
        for audited in &self.audits {
            groups.entry(audited.column.as_deref()).or_default().push(audited);
        }
        groups
    }

    /// Whether its robust accuracy is no evidence.
    pub(super) fn fails(&self) -> bool {
        self.audits.iter().any(|audited| audited.fails() && audited.column.is_none())
    }

    /// Whether that is so of its value under `attack` alone.
    pub(super) fn fails_under(&self, attack: &str) -> bool {
        self.audits.iter().any(|audited| audited.fails() && audited.column.as_deref() == Some(attack))
    }

    /// What stands behind that value.
    pub(super) fn mark_under(&self, attack: &str) -> String {
        if self.fails_under(attack) { format!(" {}", Verdict::Fail.mark()) } else { String::new() }
    }

    /// Its label, with a mark where it fails.
    pub(super) fn marked(&self) -> String {
        if self.fails() { format!("{} {}", self.label, Verdict::Fail.mark()) } else { self.label.clone() }
    }

    /// The worst that its audits found, in a word; a dash where there is none.
    pub(super) fn found(&self) -> &'static str {
        match () {
            () if self.audits.is_empty() => "—",
            () if self.fails() => "fail",
            () if !checks(&self.audits, Verdict::Warn).is_empty() => "warn",
            () if !checks(&self.audits, Verdict::Skipped).is_empty() => "partly",
            () => "pass",
        }
    }
}

impl Table {
    /// Whether audits say something of any row as a whole.
    pub(super) fn is_audited(&self) -> bool {
        self.rows.iter().flat_map(|row| &row.audits).any(|audited| audited.column.is_none())
    }

    /// What the marks and words mean, with the names of the checks.
    pub(super) fn marks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (row, column, audits) in self.failing() {
            let failed: Vec<&Audited> = audits.iter().copied().filter(|audited| audited.fails()).collect();
            let reports: Vec<String> =
                failed.iter().map(|a| format!("{}/{}/audit-{}.md", a.runs.display(), a.run, a.checkpoint)).collect();
            let share = match audits.len() {
                1 => String::new(),
                all => format!(" in {} of {all} audited runs", failed.len()),
            };
            remarks.push(format!(
                "{} {}{column} fails its audit{share} ({}): its robust accuracy is no evidence until that is explained, see `{}`.",
                Verdict::Fail.mark(),
                self.rows[row].label,
                checks(failed.iter().copied(), Verdict::Fail).join(", "),
                reports.join("`, `")
            ));
        }
        // Where one run of a row was audited, the others were to be.
        let runs = |row: usize, about: Option<&str>| {
            let columns =
                self.columns.iter().enumerate().filter(|(_, column)| about.is_none_or(|a| a == column.attack));
            columns.map(|(column, _)| self.counted(row, column).len()).max().unwrap_or(0)
        };
        let partly = self.rows.iter().enumerate().flat_map(|(i, row)| {
            row.groups().into_iter().filter_map(move |(about, audits)| {
                let (audited, runs) = (audits.len(), runs(i, about));
                (audited < runs).then(|| format!("{}{} ({audited} of {runs})", row.label, bracketed(about)))
            })
        });
        let partly: Vec<String> = partly.collect();
        if !partly.is_empty() {
            remarks.push(format!("Not all runs were audited: {}.", partly.join(", ")));
        }
        let alone = self.rows.iter().filter_map(|row| {
            let alone = row.audits.iter().filter(|audited| audited.audit.lacks_transfer()).count();
            (alone > 0).then(|| format!("{} ({alone} of {})", row.label, row.audits.len()))
        });
        let alone: Vec<String> = alone.collect();
        if !alone.is_empty() {
            remarks.push(format!("Audits without images made for another network: {}.", alone.join(", ")));
        }
        for (verdict, title) in [(Verdict::Warn, "Audit warnings"), (Verdict::Skipped, "Audit checks not made")] {
            let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for row in &self.rows {
                for check in checks(&row.audits, verdict) {
                    found.entry(check).or_default().push(&row.label);
                }
            }
            if !found.is_empty() {
                let checks: Vec<String> =
                    found.iter().map(|(check, rows)| format!("{check} ({})", rows.join(", "))).collect();
                remarks.push(format!("{title}: {}.", checks.join("; ")));
            }
        }
        remarks.extend(self.looked_at());
        remarks
    }

    /// Which of `rows` fail, for a picture: the rest is in the table's text.
    pub(super) fn failures(&self, rows: &[usize]) -> Option<String> {
        let failing = self.failing().into_iter().filter(|(row, ..)| rows.contains(row));
        let each = failing.map(|(row, column, audits)| {
            let failed = audits.iter().filter(|audited| audited.fails()).count();
            format!("{}{column} ({failed} of {} runs)", self.rows[row].label, audits.len())
        });
        let each: Vec<String> = each.collect();
        let mark = Verdict::Fail.mark();
        (!each.is_empty())
            .then(|| format!("{mark} fails its audit, so its accuracy is no evidence: {}.", each.join(", ")))
    }

    /// The rows that fail, in which column if that is all they fail in, and the audits that say so among others.
    fn failing(&self) -> Vec<(usize, String, Vec<&Audited>)> {
        let mut failing = Vec::new();
        for (row, named) in self.rows.iter().enumerate() {
            for (about, audits) in named.groups() {
                if audits.iter().any(|audited| audited.fails()) {
                    failing.push((row, bracketed(about), audits));
                }
            }
        }
        failing
    }

    /// How many images audits looked at.
    fn looked_at(&self) -> Option<String> {
        let audits = self.rows.iter().flat_map(|row| &row.audits);
        let counts: BTreeSet<usize> = audits.filter_map(|audited| audited.audit.examples()).collect();
        let counts: Vec<String> = counts.into_iter().map(grouped).collect();
        (!counts.is_empty()).then(|| format!("Audits looked at the first {} test images.", counts.join(" or ")))
    }

    /// Every check of every run.
    pub(super) fn audit_csv(&self) -> Result<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            for Audited { run, seed, checkpoint, audit, .. } in &row.audits {
                for check in &audit.checks {
                    lines.push(Line {
                        table: &self.name,
                        framework: &row.framework,
                        regularizer: &row.regularizer,
                        checkpoint,
                        seed: *seed,
                        run,
                        images: audit.examples(),
                        check: check.name,
                        verdict: check.verdict,
                        detail: &check.detail,
                    });
                }
            }
        }
        files::csv(&lines)
    }
}

/// What audits are about, behind the name of a row.
fn bracketed(about: Option<&str>) -> String {
    about.map(|column| format!(" ({column})")).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests;
