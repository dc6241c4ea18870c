//! What audits found, the failed checks first.

use super::gathered::{AuditLine, Gathered};
use crate::{
    audit::Verdict,
    page::html::{escape, scroll},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn html(gathered: &Gathered) -> String {
    let lines = &gathered.audits;
    if lines.is_empty() {
        return String::new();
    }
    let runs: BTreeSet<(&str, &str)> = lines.iter().map(|line| (line.run.as_str(), line.checkpoint.as_str())).collect();
    let failing: BTreeSet<&str> =
        lines.iter().filter(|line| line.verdict == Verdict::Fail).map(|line| line.run.as_str()).collect();
    let audited = if runs.len() == 1 { "1 network was".to_owned() } else { format!("{} networks were", runs.len()) };
    let mut page = format!("<p>{audited} audited; {} failed a check.</p>\n", failing.len());
    page.push_str(&found(lines, Verdict::Fail, "Failed checks: robust accuracy of these networks is no evidence"));
    page.push_str(&found(lines, Verdict::Warn, "Warnings: somebody should look at them"));
    page.push_str(&checks(lines));
    page
}

/// The lines of one verdict; nothing where there are none.
fn found(lines: &[AuditLine], verdict: Verdict, title: &str) -> String {
    // The size of the sample is printed with every figure.
    let told = lines.iter().filter(|line| line.verdict == verdict && line.check != "sample");
    let row = |line: &AuditLine| {
        let plus = if line.regularizer == "none" { String::new() } else { format!(" + {}", line.regularizer) };
        format!(
            "<tr><th scope=\"row\">{}{}, seed {} <span class=\"muted\">({})</span></th><td>{}</td><td>{}</td></tr>\n",
            escape(&line.framework),
            escape(&plus),
            line.seed,
            escape(&line.table),
            escape(&line.check),
            escape(&line.detail)
        )
    };
    let rows: String = told.map(row).collect();
    if rows.is_empty() {
        return rows;
    }
    let table = format!(
        "<table>\n<caption>{title}</caption>\n<thead><tr><th scope=\"col\">network</th><th scope=\"col\">check</th>\
         <th scope=\"col\">what was found</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    scroll(title, &table)
}

/// How often each check came out how.
fn checks(lines: &[AuditLine]) -> String {
    let mut counts: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for line in lines {
        let count = counts.entry(&line.check).or_default();
        let column = match line.verdict {
            Verdict::Pass => 0,
            Verdict::Warn => 1,
            Verdict::Fail => 2,
            Verdict::Skipped => 3,
        };
        count[column] += 1;
        if !order.contains(&line.check.as_str()) {
            order.push(&line.check);
        }
    }
    let row = |check: &str| {
        let cells = counts[check].map(|count| format!("<td class=\"number\">{count}</td>")).concat();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>\n", escape(check))
    };
    let rows: String = order.into_iter().map(row).collect();
    let heads = ["passed", "warned", "failed", "not checked"]
        .map(|head| format!("<th scope=\"col\" class=\"number\">{head}</th>"))
        .concat();
    let table = format!(
        "<table>\n<caption>Checks over all audited networks</caption>\n<thead><tr><th scope=\"col\">check</th>{heads}</tr>\
         </thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    scroll("Checks over all audited networks", &table)
}
