//! The table for the paper; needs the `booktabs` package.

use super::Table;

pub(super) fn render(table: &Table) -> String {
    let audited = table.is_audited();
    let mut lines = vec![
        "\\begin{table}".to_owned(),
        "  \\centering".to_owned(),
        format!("  \\caption{{{} {}}}", escape(&table.sentence()), escape(&table.settings())),
        format!("  \\label{{tab:{}}}", table.name),
        format!("  \\begin{{tabular}}{{l{}{}}}", "r".repeat(table.columns.len()), if audited { "l" } else { "" }),
        "    \\toprule".to_owned(),
    ];
    let header: String = table.columns.iter().map(|column| format!(" & {}", escape(&column.label))).collect();
    lines.push(format!("   {header}{} \\\\", if audited { " & Audit" } else { "" }));
    lines.push("    \\midrule".to_owned());
    let best: Vec<Vec<usize>> = (0..table.columns.len()).map(|column| table.best(column)).collect();
    for (row, named) in table.rows.iter().enumerate() {
        if row > 0 && named.framework != table.rows[row - 1].framework {
            lines.push("    \\addlinespace".to_owned());
        }
        let mut line = format!("    {}", escape(&named.marked()));
        for (column, best) in best.iter().enumerate() {
            line.push_str(" & ");
            let Some(summary) = table.value(row, column) else {
                line.push_str("---");
                continue;
            };
            let mean = table.print(summary.mean);
            let bold = best.contains(&row);
            line.push_str(&if bold { format!("\\textbf{{{mean}}}") } else { mean });
            if let Some(half_width) = summary.half_width {
                line.push_str(&format!(" $\\pm$ {}", table.print(half_width)));
            }
        }
        if audited {
            line.push_str(&format!(" & {}", escape(named.found())));
        }
        lines.push(line + " \\\\");
    }
    lines.extend(["    \\bottomrule".to_owned(), "  \\end{tabular}".to_owned()]);
    for remark in table.bold().into_iter().chain(table.remarks()) {
        lines.push(format!("\n  \\footnotesize {}", with_code(&remark)));
    }
    lines.push("\\end{table}".to_owned());
    lines.join("\n") + "\n"
}

/// Escapes a text in which backticks mark commands.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(i, part)| match i % 2 {
        0 => escape(part),
        _ => format!("\\texttt{{{}}}", escape(part)),
    });
    parts.collect()
}

/// `text` so that it means itself.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    let mut previous = ' ';
    for c in text.chars() {
        match c {
            // Two hyphens would become a dash, which breaks a command line in the text.
            '-' if previous == '-' => escaped.push_str("{}-"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' | '>' => escaped.push_str(&format!("${c}$")),
            '±' => escaped.push_str("$\\pm$"),
            'ε' => escaped.push_str("$\\varepsilon$"),
            '∞' => escaped.push_str("$_\\infty$"),
            '‡' => escaped.push_str("$\\ddagger$"),
            '—' => escaped.push_str("---"),
            '–' => escaped.push_str("--"),
            '−' => escaped.push_str("$-$"),
            other => escaped.push(other),
        }
        previous = c;
    }
    escaped
}
