//! The table for a README.

use super::{Table, caption::picture, differences::Printed, plot};

/// The table with the pictures that [`Table::write`] leaves beside it.
pub(super) fn page(table: &Table) -> String {
    let mut pictures = vec![picture(&format!("{}.svg", table.name), &table.headline(&table.caption))];
    if plot::Gains::of(table).is_some() {
        let file = format!("{}{}.svg", table.name, plot::GAINS);
        pictures.push(picture(&file, &table.headline(plot::GAINED)));
    }
    with(table, pictures)
}

pub(super) fn render(table: &Table) -> String {
    with(table, Vec::new())
}

fn with(table: &Table, pictures: Vec<String>) -> String {
    let mut lines = vec![format!("**{}.** {}", table.title(), table.sentence())];
    lines.extend(pictures.into_iter().flat_map(|picture| [String::new(), picture]));
    lines.extend([String::new(), table.settings(), String::new()]);
    let labels: Vec<String> = table.columns.iter().map(|column| escape(&column.label)).collect();
    let audited = table.is_audited();
    let cell = |text: &str| if audited { format!(" {text} |") } else { String::new() };
    lines.push(format!("| | {} |{}", labels.join(" | "), cell("Audit")));
    lines.push(format!("|---|{}{}", "---:|".repeat(labels.len()), if audited { "---|" } else { "" }));
    let best: Vec<Vec<usize>> = (0..labels.len()).map(|column| table.best(column)).collect();
    for (row, named) in table.rows.iter().enumerate() {
        let values: Vec<String> = (0..labels.len())
            .map(|column| match table.value(row, column) {
                None => "—".to_owned(),
                Some(summary) => {
                    let mut text = table.print(summary.mean);
                    if let Some(half_width) = summary.half_width {
                        text.push_str(&format!(" ± {}", table.print(half_width)));
                    }
                    text += &named.mark_under(&table.columns[column].attack);
                    if best[column].contains(&row) { format!("**{text}**") } else { text }
                }
            })
            .collect();
        lines.push(format!("| {} | {} |{}", escape(&named.marked()), values.join(" | "), cell(named.found())));
    }
    for remark in table.bold().into_iter().chain(table.remarks(table.marks())) {
        lines.extend([String::new(), remark]);
    }
    if let Some(Printed { intro, rows, limits }) = table.printed_differences() {
        lines.extend([String::new(), format!("**Differences** {intro}"), String::new()]);
        lines.extend([format!("| | {} |", labels.join(" | ")), format!("|---|{}", "---:|".repeat(labels.len()))]);
        lines.extend(rows.iter().map(|(label, cells)| format!("| {} | {} |", escape(label), cells.join(" | "))));
        lines.extend([String::new(), limits]);
    }
    lines.join("\n") + "\n"
}

/// A bar would end the cell, a star or underscore would start emphasis.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '|' | '*' | '_' | '\\' | '`' | '<') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
