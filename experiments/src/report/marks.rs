//! What audits say of a table's rows.

use super::{Row, Table, caption::grouped};
use crate::audit::{Audit, Verdict};
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

impl Row {
    /// The checks that came out as `verdict` in some run.
    fn checks(&self, verdict: Verdict) -> Vec<&'static str> {
        let checks = self.audits.iter().flat_map(|audited| &audited.audit.checks);
        let mut names: Vec<&str> = Vec::new();
        for check in checks.filter(|check| check.verdict == verdict && check.name != PRINTED) {
            if !names.contains(&check.name) {
                names.push(check.name);
            }
        }
        names
    }

    /// Whether its robust accuracy is no evidence.
    pub(super) fn fails(&self) -> bool {
        self.audits.iter().any(Audited::fails)
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
            () if !self.checks(Verdict::Warn).is_empty() => "warn",
            () if !self.checks(Verdict::Skipped).is_empty() => "partly",
            () => "pass",
        }
    }
}

impl Table {
    /// Whether any row was audited.
    pub(super) fn is_audited(&self) -> bool {
        self.rows.iter().any(|row| !row.audits.is_empty())
    }

    /// What the marks and words mean, with the names of the checks.
    pub(super) fn marks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for row in self.rows.iter().filter(|row| row.fails()) {
            let failed: Vec<&Audited> = row.audits.iter().filter(|audited| audited.fails()).collect();
            let reports: Vec<String> =
                failed.iter().map(|a| format!("{}/{}/audit-{}.md", a.runs.display(), a.run, a.checkpoint)).collect();
            let share = match row.audits.len() {
                1 => String::new(),
                all => format!(" in {} of {all} audited runs", failed.len()),
            };
            remarks.push(format!(
                "{} {} fails its audit{share} ({}): its robust accuracy is no evidence until that is explained, see `{}`.",
                Verdict::Fail.mark(),
                row.label,
                row.checks(Verdict::Fail).join(", "),
                reports.join("`, `")
            ));
        }
        let runs = |row: usize| (0..self.columns.len()).map(|column| self.counted(row, column).len()).max();
        let partly = self.rows.iter().enumerate().filter_map(|(i, row)| {
            let (audited, runs) = (row.audits.len(), runs(i).unwrap_or(0));
            (0 < audited && audited < runs).then(|| format!("{} ({audited} of {runs})", row.label))
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
                for check in row.checks(verdict) {
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
        let failing = rows.iter().map(|&row| &self.rows[row]).filter(|row| row.fails());
        let each = failing.map(|row| {
            let failed = row.audits.iter().filter(|audited| audited.fails()).count();
            format!("{} ({failed} of {} runs)", row.label, row.audits.len())
        });
        let each: Vec<String> = each.collect();
        let mark = Verdict::Fail.mark();
        (!each.is_empty())
            .then(|| format!("{mark} fails its audit, so its accuracy is no evidence: {}.", each.join(", ")))
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
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            for Audited { run, seed, checkpoint, audit, .. } in &row.audits {
                for check in &audit.checks {
                    writer.serialize(Line {
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
                    })?;
                }
            }
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }
}

#[cfg(test)]
mod tests;
