//! The verdicts: an overview of all settings, then each with its numbers.

use crate::{
    claims::{Claim, Finding, Judged, Setting, Tested, Verdict, short},
    page::html::{escape, scroll},
};

/// Half the width of a strip, in its own units.
const HALF: f64 = 76.0;

pub(super) fn html(judged: &Judged) -> String {
    let name = |setting: &Option<Setting>| setting.as_ref().map_or("nothing measured".into(), Setting::to_string);
    let heads: String = judged
        .settings
        .iter()
        .map(|(setting, _)| format!("<th scope=\"col\">{}</th>", escape(&name(setting))))
        .collect();
    let rows: String = judged.claims.claims.iter().enumerate().map(|(i, claim)| overview(judged, i, claim)).collect();
    let overview = format!(
        "<table>\n<thead><tr><th scope=\"col\">claim, in our words</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    let mut page = format!(
        "<p>Each verdict holds for one setting. The tests were fixed before any verdict in <code>paper/claims.toml</code>, \
         which says what was changed later: differences are paired by seed, tested by exact sign flips, and corrected (Holm) so that any false verdict in a \
         setting comes up with a chance of at most {} %. A difference has its 95 % interval (Student), and zero is the \
         vertical line; a p is corrected over frameworks, 1 where seeds are too few or the difference is too small to \
         matter, and none for the parts of a mean that was tested.</p>\n",
        100. * judged.claims.level
    );
    page.push_str(&scroll("Verdicts by setting", &overview));
    for (setting, findings) in &judged.settings {
        page.push_str(&format!("<h3>{}</h3>\n", escape(&name(setting))));
        page.extend(judged.verdicts(findings).map(|(claim, finding)| article(judged, claim, finding)));
    }
    page
}

fn overview(judged: &Judged, position: usize, claim: &Claim) -> String {
    let cells: String =
        judged.settings.iter().map(|(_, findings)| format!("<td>{}</td>", badge(findings[position].verdict))).collect();
    format!(
        "<tr><th scope=\"row\">{} <span class=\"muted\">({})</span></th>{cells}</tr>\n",
        escape(&claim.statement),
        escape(&claim.id)
    )
}

fn badge(verdict: Verdict) -> String {
    let (class, sign) = match verdict {
        Verdict::Supported => ("pass", "✓ "),
        Verdict::Contradicted => ("fail", "✗ "),
        Verdict::Undecided => ("", "? "),
        Verdict::NotMeasured => ("skipped", "– "),
    };
    format!("<span class=\"verdict {class}\">{sign}{}</span>", verdict.name())
}

fn article(judged: &Judged, claim: &Claim, finding: &Finding) -> String {
    let class = verdict_class(finding.verdict);
    let remarks = if finding.remarks.is_empty() { String::new() } else { format!(": {}", finding.remarks.join("; ")) };
    format!(
        "<article class=\"claim {class}\">\n<h4>{}</h4>\n<p>{}{}.</p>\n{}\
         <details>\n<summary>Evidence and rule of {}</summary>\n<p>{} in <code>{}</code>. {}</p>\n</details>\n</article>\n",
        escape(&claim.statement),
        badge(finding.verdict),
        escape(&remarks),
        differences(claim, finding),
        escape(&claim.id),
        escape(&pair(claim)),
        escape(&claim.file),
        escape(&claim.rule_in_words(&judged.claims)),
    )
}

fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Supported => "supported",
        Verdict::Contradicted => "contradicted",
        Verdict::Undecided | Verdict::NotMeasured => "open",
    }
}

/// What is subtracted from what, in words.
fn pair(claim: &Claim) -> String {
    let part = |selector: &crate::claims::Selector| {
        let framework = selector.framework.as_deref().unwrap_or("the framework");
        let plus = if selector.regularizer == "none" { String::new() } else { format!(" + {}", selector.regularizer) };
        let subject = selector.subject.as_ref().map_or_else(String::new, |subject| format!(" ({subject})"));
        format!("{framework}{plus}{subject}")
    };
    format!("{}: {} minus {}", claim.measure, part(&claim.after), part(&claim.before))
}

fn differences(claim: &Claim, finding: &Finding) -> String {
    let measured: Vec<&Tested> = finding.tested.iter().filter(|tested| tested.paired.is_some()).collect();
    let ends = measured.iter().filter_map(|tested| tested.paired).flat_map(|paired| {
        let (low, high) = paired.interval().unwrap_or((paired.difference.mean, paired.difference.mean));
        [low.abs(), high.abs()]
    });
    let reach = ends.fold(0.0, f64::max);
    if measured.is_empty() {
        return String::new();
    }
    let rows: String = measured.iter().map(|tested| row(claim, tested, reach)).collect();
    let table = format!(
        "<table>\n<caption>{}; p over all claims: {}</caption>\n\
         <thead><tr><th scope=\"col\">of</th><th scope=\"col\">difference</th><td class=\"wide\"></td>\
         <th scope=\"col\" class=\"number\">p</th><th scope=\"col\" class=\"number\">seeds</th>\
         <th scope=\"col\" class=\"number\">images</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        escape(&claim.measure),
        short(finding.adjusted_p)
    );
    scroll(&format!("Differences of {}", claim.id), &table)
}

fn row(claim: &Claim, tested: &Tested, reach: f64) -> String {
    let images: Vec<String> = tested.examples.iter().map(usize::to_string).collect();
    let seeds = tested.paired.map_or(0, |paired| paired.difference.seeds);
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"effect\">{}</td><td class=\"wide\">{}</td><td class=\"number\">{}</td>\
         <td class=\"number\">{seeds}</td><td class=\"number\">{}</td></tr>\n",
        escape(&tested.name),
        escape(&tested.effect(&claim.unit)),
        strip(tested, reach),
        tested.p.map_or("—".into(), short),
        images.join(" or "),
    )
}

/// The interval around its mean, and where zero is.
fn strip(tested: &Tested, reach: f64) -> String {
    let Some(paired) = tested.paired else { return String::new() };
    let x = |value: f64| 80. + if reach > 0. { HALF * value / reach } else { 0. };
    let range = paired.interval().map_or_else(String::new, |(low, high)| {
        format!("<path class=\"range\" d=\"M{:.1} 12H{:.1}\"/>", x(low), x(high))
    });
    format!(
        "<svg class=\"strip\" viewBox=\"0 0 160 24\" aria-hidden=\"true\"><path class=\"rail\" d=\"M80 2V22M4 12H156\"/>\
         {range}<circle class=\"point\" cx=\"{:.1}\" cy=\"12\" r=\"4\"/></svg>",
        x(paired.difference.mean)
    )
}
