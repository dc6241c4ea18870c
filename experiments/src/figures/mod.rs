//! Pictures of what a survey found: curves, and tables of colours.

pub mod classes;
pub mod curves;
pub mod epochs;
pub mod heat;
mod lines;
pub mod montage;
pub mod sensitivity;
pub mod transfer;

use crate::{
    drawing::{self, Drawing},
    grid::{Survey, column_label},
    report::{Row, caption},
};
use anyhow::Result;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Writes `NAME.svg` and `NAME.png` below `out`.
fn write_pictures(name: &str, drawing: &impl Drawing, out: &Path) -> Result<()> {
    drawing::write(name, drawing, out)?;
    tracing::info!("wrote {0}.svg and {0}.png", out.join(name).display());
    Ok(())
}

/// What the answers were measured under, in one line; `epsilon` is the radius of the networks' own ball.
fn conditions(survey: &Survey, epsilon: &str) -> String {
    let all = survey.cells.iter().map(|cell| caption::Condition { epsilon, ..cell.into() });
    caption::conditions(all) + &fewer_seeds(survey)
}

/// The attack, and on how many images if others are on more: `AutoAttack, 500 images`.
fn panel_title(survey: &Survey, attack: &str) -> String {
    let images = survey.cells.iter().filter(|cell| cell.attack == attack).map(|cell| cell.examples).max();
    let fewer = images.filter(|images| survey.cells.iter().any(|cell| cell.examples > *images));
    column_label(attack) + &fewer.map_or_else(String::new, |images| format!(", {} images", caption::grouped(images)))
}

/// Which rows have fewer seeds than others, if any do: `; fewer seeds: TRADES (1)`.
fn fewer_seeds(survey: &Survey) -> String {
    let seeds = |row: &Row| {
        let own = survey.cells.iter().filter(|cell| cell.is_of(row));
        own.map(|cell| cell.seed).collect::<BTreeSet<u64>>().len()
    };
    let most = survey.rows.iter().map(seeds).max().unwrap_or(0);
    let fewer = survey.rows.iter().filter(|row| (1..most).contains(&seeds(row)));
    let fewer: Vec<String> = fewer.map(|row| format!("{} ({})", row.label, seeds(row))).collect();
    if fewer.is_empty() { String::new() } else { format!("; fewer seeds: {}", fewer.join(", ")) }
}

/// What stands above the pictures of a survey.
fn title(survey: &Survey) -> String {
    format!("{}: {}", caption::title(survey.name), survey.caption)
}

/// The same as the first line of Markdown.
fn heading(survey: &Survey) -> String {
    format!("**{}.** {}.", caption::title(survey.name), survey.caption)
}

/// The row that one with a regulariser is compared with.
fn alone<'a>(survey: &'a Survey, row: &Row) -> Option<&'a Row> {
    let alone = |other: &&Row| other.framework == row.framework && !other.is_regularized();
    survey.rows.iter().find(alone).filter(|_| row.is_regularized())
}

/// Differences of what two maps both have.
fn paired<K: Ord>(before: &BTreeMap<K, f64>, after: &BTreeMap<K, f64>) -> Vec<f64> {
    after.iter().filter_map(|(key, after)| Some(after - before.get(key)?)).collect()
}

/// A line of a Markdown table.
fn line(label: &str, cells: &[String]) -> String {
    format!("| {label} | {} |\n", cells.join(" | "))
}

/// The line below the head of a Markdown table.
fn rule(columns: usize) -> String {
    format!("|---|{}\n", "---:|".repeat(columns))
}

/// A percentage for a reader, or a dash where there is none.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "—".to_owned(), |value| format!("{value:.1}"))
}

/// The mean, if there is anything to average.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
