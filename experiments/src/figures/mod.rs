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
    report::{Cell, Row, Summary, caption},
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
    caption::conditions(all) + &fewer_seeds(survey) + &fewer_images(survey)
}

/// The attack, and on how many images if any number is on more: `AutoAttack, 500 images`.
fn panel_title(survey: &Survey, attack: &str) -> String {
    let of_attack = survey.cells.iter().filter(|cell| cell.attack == attack);
    let images: BTreeSet<usize> = of_attack.map(|cell| cell.examples).collect();
    let most = survey.cells.iter().map(|cell| cell.examples).max();
    if images.first() == most.as_ref() {
        return column_label(attack);
    }
    let images: Vec<String> = images.into_iter().rev().map(caption::grouped).collect();
    format!("{}, {} images", column_label(attack), images.join(" or "))
}

/// Which rows have fewer seeds than others, if any do, at any of their points: `; fewer seeds: TRADES (1)`.
fn fewer_seeds(survey: &Survey) -> String {
    let seeds = |row: &Row| {
        let mut points: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
        for cell in survey.cells.iter().filter(|cell| cell.is_of(row)) {
            points.entry((attack(cell), &cell.epsilon, &cell.checkpoint)).or_default().insert(cell.seed);
        }
        let counts: BTreeSet<usize> = points.values().map(BTreeSet::len).collect();
        Some((*counts.first()?, *counts.last()?))
    };
    let most = survey.rows.iter().filter_map(seeds).map(|(_, most)| most).max().unwrap_or(0);
    let fewer = survey.rows.iter().filter_map(|row| Some((row, seeds(row)?))).filter(|(_, (least, _))| *least < most);
    let told = fewer.map(|(row, (least, most))| match least == most {
        true => format!("{} ({most})", row.label),
        false => format!("{} ({least} to {most})", row.label),
    });
    listed("fewer seeds", told.collect())
}

/// Which rows have fewer images than others under the same attack: `; on fewer images: TRADES, PGD-20 (1,000)`.
fn fewer_images(survey: &Survey) -> String {
    let mut fewer = Vec::new();
    for row in &survey.rows {
        for cell in survey.cells.iter().filter(|cell| cell.is_of(row)) {
            let of_attack = survey.cells.iter().filter(|other| attack(other) == attack(cell));
            if of_attack.map(|other| other.examples).max() > Some(cell.examples) {
                let told =
                    format!("{}, {} ({})", row.label, column_label(attack(cell)), caption::grouped(cell.examples));
                if !fewer.contains(&told) {
                    fewer.push(told);
                }
            }
        }
    }
    listed("on fewer images", fewer)
}

/// The attack, whatever network its images were made for.
fn attack(cell: &Cell) -> &str {
    cell.attack.split_once('@').map_or(&cell.attack, |(attack, _)| attack)
}

fn listed(what: &str, rows: Vec<String>) -> String {
    if rows.is_empty() { String::new() } else { format!("; {what}: {}", rows.join(", ")) }
}

/// What stands above the pictures of a survey.
fn title(survey: &Survey) -> String {
    headline(survey, survey.caption)
}

/// The same of a picture that `shows` something else.
fn headline(survey: &Survey, shows: &str) -> String {
    let of = survey.cells.iter().map(|cell| (cell.dataset.as_str(), cell.profile.as_str()));
    caption::headline(survey.name, shows, of)
}

/// What its Markdown begins with: the name, and the picture, which is a file of the `kind` (`svg`).
fn heading(survey: &Survey, kind: &str) -> String {
    format!("{}\n\n{}", named(survey), caption::picture(&format!("{}.{kind}", survey.name), &title(survey)))
}

/// The same without a picture.
fn named(survey: &Survey) -> String {
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

/// `50.1 ± 2.0`: the mean over seeds and, of several, half its interval.
fn interval(values: &[f64]) -> String {
    told(values, |mean| format!("{mean:.1}"))
}

/// The same of differences: `+1.2 ± 0.4`.
fn signed(differences: &[f64]) -> String {
    told(differences, |mean| caption::signed(mean, 1))
}

fn told(values: &[f64], mean: impl Fn(f64) -> String) -> String {
    let half = |half: f64| format!(" ± {half:.1}");
    let told = |s: Summary| mean(s.mean) + &s.half_width.map(half).unwrap_or_default();
    Summary::of(values).map_or_else(|| "—".into(), told)
}

/// What `shown` of several seeds; nothing of one.
fn of_several(survey: &Survey, shown: &str) -> String {
    let seeds: BTreeSet<u64> = survey.cells.iter().map(|cell| cell.seed).collect();
    if seeds.len() > 1 { format!(" Of several seeds {shown}.") } else { String::new() }
}

/// The mean, if there is anything to average.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
