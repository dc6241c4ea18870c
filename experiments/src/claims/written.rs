//! Verdicts as files: `claims.csv` for programs, `claims.md` for people.

use super::{Claim, Finding, Judged, Setting, Tested, Verdict};
use crate::{files, report::caption::signed};
use anyhow::Result;
use serde::Serialize;

/// A line of `claims.csv`: one difference behind a verdict, or a verdict without any.
#[derive(Serialize)]
struct Line<'a> {
    claim: &'a str,
    profile: &'a str,
    dataset: &'a str,
    arch: &'a str,
    norm: &'a str,
    epsilon: &'a str,
    verdict: Verdict,
    claim_p: f64,
    claim_p_adjusted: f64,
    file: &'a str,
    measure: &'a str,
    unit: &'a str,
    difference_of: &'a str,
    seeds: usize,
    examples: String,
    mean_difference: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    p_value: Option<f64>,
    p_counted: Option<f64>,
    statement: &'a str,
    remarks: String,
}

impl Judged {
    /// The verdicts of a setting beside their claims.
    pub fn verdicts<'a>(&'a self, findings: &'a [Finding]) -> impl Iterator<Item = (&'a Claim, &'a Finding)> {
        self.claims.claims.iter().zip(findings)
    }

    /// `claims.csv`: one line per setting, claim and difference.
    ///
    /// # Errors
    /// Never for what a judgement holds.
    pub fn csv(&self) -> Result<String> {
        let unknown = Setting::default();
        let mut lines = Vec::new();
        for (setting, findings) in &self.settings {
            let Setting { profile, dataset, arch, norm, epsilon } = setting.as_ref().unwrap_or(&unknown);
            for (claim, finding) in self.verdicts(findings) {
                for Tested { name, paired, p, examples } in &finding.tested {
                    let numbers: Vec<String> = examples.iter().map(usize::to_string).collect();
                    let interval = paired.and_then(|paired| paired.interval());
                    lines.push(Line {
                        claim: &claim.id,
                        profile,
                        dataset,
                        arch,
                        norm,
                        epsilon,
                        verdict: finding.verdict,
                        claim_p: finding.p,
                        claim_p_adjusted: finding.adjusted_p,
                        file: &claim.file,
                        measure: &claim.measure,
                        unit: &claim.unit,
                        difference_of: name,
                        seeds: paired.map_or(0, |paired| paired.difference.seeds),
                        examples: numbers.join(" "),
                        mean_difference: paired.map(|paired| paired.difference.mean),
                        low: interval.map(|(low, _)| low),
                        high: interval.map(|(_, high)| high),
                        p_value: paired.and_then(|paired| paired.p_value),
                        p_counted: *p,
                        statement: &claim.statement,
                        remarks: finding.remarks.join("; "),
                    });
                }
            }
        }
        files::csv(&lines)
    }

    /// `claims.md`.
    pub fn markdown(&self) -> String {
        let mut lines = vec![
            "# Verdicts".to_owned(),
            String::new(),
            "What the abstract claims, as far as it was measured. The rules were fixed before any verdict, in \
             `paper/claims.toml`, which says what was changed later: differences paired by seed, the exact two-sided \
             sign-flip test, Holm's correction over all claims of a setting."
                .to_owned(),
        ];
        for (setting, findings) in &self.settings {
            let name = setting.as_ref().map_or_else(|| "Nothing measured".to_owned(), Setting::to_string);
            lines.extend([String::new(), format!("## {name}"), String::new()]);
            lines.push("| | claim | verdict | difference | seeds | images | p | why |".into());
            lines.push("|---|---|---|---|---|---|---|---|".into());
            for (claim, finding) in self.verdicts(findings) {
                let Claim { id, statement, .. } = claim;
                let [effects, seeds, images] = finding.columns(claim).map(|column| column.join("<br>"));
                let (verdict, p, why) = (finding.verdict.name(), short(finding.adjusted_p), finding.remarks.join("; "));
                let cells =
                    [id, statement, verdict, &effects, &seeds, &images, &p, &why].map(|cell| cell.replace('|', "\\|"));
                lines.push(format!("| {} |", cells.join(" | ")));
            }
        }
        lines.extend([
            String::new(),
            "A difference is mean [95 % interval, Student]; p is corrected over frameworks and claims, and is 1 with too few \
             seeds or an effect too small to matter."
                .to_owned(),
        ]);
        lines.join("\n") + "\n"
    }
}

impl Finding {
    /// Effects, seeds and images of each difference that was measured, as printed.
    pub fn columns(&self, claim: &Claim) -> [Vec<String>; 3] {
        let measured = || self.tested.iter().filter_map(|tested| Some((tested, tested.paired?)));
        let images = |tested: &Tested| tested.examples.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
        [
            measured().map(|(tested, _)| format!("{}: {}", tested.name, tested.effect(&claim.unit))).collect(),
            measured().map(|(_, paired)| paired.difference.seeds.to_string()).collect(),
            measured().map(|(tested, _)| images(tested)).collect(),
        ]
    }
}

impl Tested {
    /// `+1.20 [+0.30, +2.10] points`; without the interval where there is one seed.
    pub fn effect(&self, unit: &str) -> String {
        let Some(paired) = self.paired else { return "—".into() };
        let (mean, interval) = (paired.difference.mean, paired.interval());
        let (low, high) = interval.unwrap_or((mean, mean));
        // Three digits of the largest, of which at most three are behind the point.
        let size = low.abs().max(high.abs()).max(1e-9);
        let digits = (2.0 - size.log10().floor()).clamp(0.0, 3.0) as usize;
        let interval = interval.map(|_| format!(" [{}, {}]", signed(low, digits), signed(high, digits)));
        format!("{}{} {unit}", signed(mean, digits), interval.unwrap_or_default())
    }
}

/// A p with three digits.
pub(crate) fn short(p: f64) -> String {
    let digits = (2.0 - p.max(1e-9).log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{p:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
