//! The report for LaTeX: the verdicts, and the tables by the files that their own programs wrote.

use super::shown::Shown;
use crate::{
    claims::{Claim, Finding, Judged, Setting, short},
    report::latex::escape,
};

/// `report.tex`: a document of its own, to be compiled in the results folder.
pub(super) fn render(judged: &Judged, shown: &[Shown]) -> String {
    let mut lines = vec![
        "% Compile in this folder: pdflatex report.tex".to_owned(),
        "\\documentclass{article}".into(),
        "\\usepackage[T1]{fontenc}".into(),
        "\\usepackage[a4paper,landscape,margin=15mm]{geometry}".into(),
        "\\usepackage{booktabs,graphicx,longtable}".into(),
        "\\begin{document}".into(),
        "\\section*{I2FR, measured}".into(),
        "\\subsection*{Verdicts}".into(),
    ];
    for (setting, findings) in &judged.settings {
        let name = setting.as_ref().map_or_else(|| "nothing measured".to_owned(), Setting::to_string);
        lines.push(format!("\\noindent {}\n", escape(&name)));
        lines.push(
            "\\begin{longtable}{p{0.06\\linewidth}p{0.2\\linewidth}lp{0.3\\linewidth}rp{0.18\\linewidth}}".into(),
        );
        lines.push("  \\toprule\n  & claim & verdict & difference & p & why \\\\\n  \\midrule".into());
        lines.extend(judged.verdicts(findings).map(|(claim, finding)| row(claim, finding)));
        lines.push("  \\bottomrule\n\\end{longtable}\n".into());
    }
    lines.push(
        "\\noindent A difference is mean [95 \\% interval, Student] (seeds, images); p is corrected over frameworks and claims."
            .into(),
    );
    for table in shown.iter().filter(|shown| shown.latex) {
        lines.push(format!("\\clearpage\n\\input{{{}.tex}}", table.name));
    }
    lines.push("\\end{document}".into());
    lines.join("\n") + "\n"
}

fn row(claim: &Claim, finding: &Finding) -> String {
    let [effects, seeds, images] = finding.columns(claim);
    let counted = effects.iter().zip(seeds.iter().zip(&images));
    let effects: Vec<String> = counted.map(|(effect, (n, images))| format!("{effect} ({n}, {images})")).collect();
    let cells = [
        claim.id.as_str(),
        &claim.statement,
        finding.verdict.name(),
        &effects.join("; "),
        &short(finding.adjusted_p),
        &finding.remarks.join("; "),
    ];
    format!("  {} \\\\", cells.map(escape).join(" & "))
}
