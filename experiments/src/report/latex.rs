//! The table for the paper; needs the packages `booktabs` and `graphicx`.

use super::{Table, differences::Printed};

pub(super) fn render(table: &Table) -> String {
    let audited = table.is_audited();
    let mut lines = vec![
        "\\begin{table}".to_owned(),
        "  \\centering".to_owned(),
        format!("  \\caption{{{} {}}}", escape(&table.sentence()), escape(&table.settings())),
        format!("  \\label{{{}}}", label(&table.headline(&table.caption))),
        format!(
            "  {NARROWED}%\n  \\begin{{tabular}}{{l{}{}}}",
            "r".repeat(table.columns.len()),
            if audited { "l" } else { "" }
        ),
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
            line.push_str(&escape(&named.mark_under(&table.columns[column].attack)));
        }
        if audited {
            line.push_str(&format!(" & {}", escape(named.found())));
        }
        lines.push(line + " \\\\");
    }
    lines.extend(["    \\bottomrule".to_owned(), "  \\end{tabular}}".to_owned()]);
    for remark in table.bold().into_iter().chain(table.remarks(table.marks())) {
        lines.push(format!("\n  \\footnotesize {}", with_code(&remark)));
    }
    lines.push("\\end{table}".to_owned());
    // A float of its own: one page may not hold both.
    if let Some(Printed { intro, rows, limits }) = table.printed_differences() {
        lines.extend(["\\begin{table}".to_owned(), "  \\centering".to_owned()]);
        lines.push(format!("  \\caption{{{} Differences {}}}", escape(&table.sentence()), escape(&intro)));
        lines.push(format!("  \\label{{{}-differences}}", label(&table.headline(&table.caption))));
        lines.push(format!("  {NARROWED}%"));
        lines.push(format!("  \\begin{{tabular}}{{l{}}}", "r".repeat(table.columns.len())));
        lines.extend(["    \\toprule".to_owned(), format!("   {header} \\\\"), "    \\midrule".to_owned()]);
        let cells = |cells: &[String]| cells.iter().map(|cell| format!(" & {}", escape(cell))).collect::<String>();
        lines.extend(rows.iter().map(|(label, row)| format!("    {}{} \\\\", escape(label), cells(row))));
        lines.extend(["    \\bottomrule".to_owned(), "  \\end{tabular}}".to_owned()]);
        lines.push(format!("\n  \\footnotesize {}", escape(&limits)));
        lines.push("\\end{table}".to_owned());
    }
    lines.join("\n") + "\n"
}

/// Begins what is set as wide as the page at most; `}` ends it.
pub(crate) const NARROWED: &str = "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{";

/// `tab:table-1-mnist-epochs-10` for `Table 1, MNIST, --epochs 10: ...`: tables of several folders go into one document.
pub(crate) fn label(headline: &str) -> String {
    let words = headline.split(':').next().unwrap_or_default();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_lowercase).collect();
    format!("tab:{}", words.join("-"))
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
