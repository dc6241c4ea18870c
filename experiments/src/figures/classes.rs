//! Accuracy class by class: means hide that one class may pay for another.

use super::{
    alone, conditions, heading,
    heat::{Heat, Panel, range_of_defended},
    line, mean, paired, panel_title, rule, shown, title, write_pictures,
};
use crate::{
    arsenal, files,
    grid::{self, Goal, Grid, Survey, TableArgs, column_label},
    process::Usage,
    report::{Paired, Row, Summary, Table, caption::signed, differences::significant, markdown::escape},
    run::{Run, Split},
};
use anyhow::{Result, ensure};
use data::Name;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, process::ExitCode};

/// More classes than this are not drawn one by one.
const DRAWN: usize = 10;

/// Letters that a column of the picture has room for.
const LONG: usize = 8;

/// A panel an attack: a row is a network; its columns are the classes, the worst of them, and all images.
pub struct Classes(pub Grid);

/// A line of `classes.csv`: a class of a network under an attack.
#[derive(Serialize)]
struct Line {
    framework: String,
    regularizer: String,
    attack: String,
    seed: u64,
    run: String,
    class: usize,
    name: &'static str,
    images: usize,
    value_percent: f64,
}

/// What is read of a line of a run's `examples.csv`.
#[derive(Deserialize)]
struct Example {
    label: usize,
}

impl Classes {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        grid::main(self.0.name, self.0.caption, |args| {
            if args.split != Split::Test {
                return Err(Usage(format!("--split: {} shows test images", self.0.name)).into());
            }
            self.0.regenerate(args, Goal::Numbers, |Table { rows, cells, .. }| {
                let Grid { name, caption, .. } = self.0;
                let survey = Survey { name, caption, rows: rows.clone(), cells: cells.clone() };
                survey.write_cells(&args.training.out)?;
                show(&survey, &self.0.columns(args)?, args)
            })
        })
    }
}

fn show(survey: &Survey, attacks: &[&str], args: &TableArgs) -> Result<String> {
    let lines = lines(survey, args)?;
    let dataset: Name = survey.cells[0].dataset.parse()?;
    let classes = if dataset.classes() > DRAWN { 0..0 } else { 0..dataset.classes() };
    let names: Vec<String> = classes.clone().map(|class| dataset.class_names()[class].to_owned()).collect();
    let labels: Vec<String> = names.iter().cloned().chain(["worst".into(), "all".into()]).collect();
    let values = |row: &Row, attack: &str| -> Vec<Option<f64>> {
        let of_class = |class: usize| {
            let own = of(&lines, row, attack).filter(|line| line.class == class);
            mean(&own.map(|line| line.value_percent).collect::<Vec<_>>())
        };
        let worst: Vec<f64> = worst(&lines, row, attack).into_values().collect();
        let all = mean(&survey.values(row, |cell| cell.attack == attack));
        classes.clone().map(of_class).chain([mean(&worst), all]).collect()
    };
    let footer = format!(
        "Accuracy in %, class by class; worst: the class that does worst, seed by seed; means over seeds. The worst of \
         several classes of few images is low by chance, too, in every row alike. {}.",
        conditions(survey, &survey.cells[0].epsilon)
    );
    let mut text = format!("{}\n\n{footer}\n", heading(survey, "svg"));
    let mut panels = Vec::new();
    for attack in attacks {
        let panel: Vec<Vec<Option<f64>>> = survey.rows.iter().map(|row| values(row, attack)).collect();
        text += &format!("\n{}{}", line(&panel_title(survey, attack), &labels), rule(labels.len()));
        for (row, values) in survey.rows.iter().zip(&panel) {
            text += &line(&escape(&row.label), &values.iter().copied().map(shown).collect::<Vec<_>>());
        }
        let scale = range_of_defended(&survey.rows, &panel);
        panels.push(Panel { title: panel_title(survey, attack), values: panel, scale, surpassed: None, framed: None });
    }
    text += &differences(survey, attacks, &lines);
    let (out, name) = (&args.training.out, survey.name);
    files::write(&out.join(name).join("classes.csv"), files::csv(&lines)?.as_bytes())?;
    files::write(&out.join(format!("{name}.md")), text.as_bytes())?;
    let rows = survey.rows.iter().map(|row| row.label.clone()).collect();
    let legend = " Dark is high, within each panel, between the least and the greatest of defended networks.";
    let (columns, footer) = fitted(labels, &names, footer + legend);
    let heat = Heat {
        title: title(survey),
        rows: ("network".into(), rows),
        columns: ("class".into(), columns),
        panels,
        footer,
    };
    write_pictures(name, &heat, out)?;
    Ok(text)
}

/// Labels and footer of a picture: where the names of classes are too long for a column, their numbers stand there.
fn fitted(mut labels: Vec<String>, names: &[String], footer: String) -> (Vec<String>, String) {
    if names.iter().all(|name| name.len() <= LONG) {
        return (labels, footer);
    }
    let numbered: Vec<String> = names.iter().enumerate().map(|(class, name)| format!("{class} {name}")).collect();
    labels.iter_mut().take(names.len()).enumerate().for_each(|(class, label)| *label = class.to_string());
    (labels, format!("{footer} Classes: {}.", numbered.join(", ")))
}

/// Every class of every run under every attack.
fn lines(survey: &Survey, args: &TableArgs) -> Result<Vec<Line>> {
    let (mut lines, mut read) = (Vec::new(), BTreeMap::new());
    for cell in &survey.cells {
        let folder = args.training.out.join("runs").join(&cell.run);
        if !read.contains_key(&cell.run) {
            let run = Run::open(&folder)?;
            let path = run.examples(args.checkpoint);
            let labels: Vec<Example> = files::read_csv(&path)?;
            read.insert(&cell.run, (run.place(args.checkpoint), run.verdicts()?, path, labels));
        }
        let (place, verdicts, path, labels) = &read[&cell.run];
        ensure!(labels.len() >= cell.examples, "{}: too few lines; delete it to write it again", path.display());
        let stages = arsenal::stages(&cell.attack, None)?;
        let Some(outcome) = verdicts.outcome(place, &cell.attack, &stages, cell.examples) else { continue };
        let mut found = BTreeMap::<usize, (usize, usize)>::new();
        for (Example { label }, correct) in labels.iter().zip(outcome.correct) {
            let (right, images) = found.entry(*label).or_default();
            *right += usize::from(correct);
            *images += 1;
        }
        let names = cell.dataset.parse::<Name>()?.class_names();
        for (class, (right, images)) in found {
            ensure!(class < names.len(), "{}: there is no class {class}; delete it to write it again", path.display());
            lines.push(Line {
                framework: cell.framework.clone(),
                regularizer: cell.regularizer.clone(),
                attack: cell.attack.clone(),
                seed: cell.seed,
                run: cell.run.clone(),
                class,
                name: names[class],
                images,
                value_percent: 100. * right as f64 / images as f64,
            });
        }
    }
    Ok(lines)
}

fn of<'a>(lines: &'a [Line], row: &'a Row, attack: &'a str) -> impl Iterator<Item = &'a Line> {
    let is_of = move |line: &&Line| {
        line.framework == row.framework && line.regularizer == row.regularizer && line.attack == attack
    };
    lines.iter().filter(is_of)
}

/// The accuracy on the class that does worst, by seed and number of images: only what both agree in is compared.
fn worst(lines: &[Line], row: &Row, attack: &str) -> BTreeMap<(u64, usize), f64> {
    let mut classes: BTreeMap<u64, Vec<&Line>> = BTreeMap::new();
    for line in of(lines, row, attack) {
        classes.entry(line.seed).or_default().push(line);
    }
    let least = |(seed, classes): (u64, Vec<&Line>)| {
        let images = classes.iter().map(|line| line.images).sum();
        ((seed, images), classes.iter().map(|line| line.value_percent).fold(f64::INFINITY, f64::min))
    };
    classes.into_iter().map(least).collect()
}

/// What a regulariser does to the worst class.
fn differences(survey: &Survey, attacks: &[&str], lines: &[Line]) -> String {
    let mut text = String::new();
    for row in &survey.rows {
        let Some(alone) = alone(survey, row) else { continue };
        let cells = attacks.iter().map(|attack| {
            let [without, with] = [alone, row].map(|row| worst(lines, row, attack));
            Paired::of(&paired(&without, &with)).map_or_else(|| "—".into(), |paired| told(&paired))
        });
        text += &line(&escape(&row.label), &cells.collect::<Vec<_>>());
    }
    if text.is_empty() {
        return text;
    }
    let labels: Vec<String> = attacks.iter().map(|attack| column_label(attack)).collect();
    format!(
        "\n**Worst class**, difference to the same framework alone in points, paired over n seeds: mean ± half the 95 % \
         interval (Student), and p of the two-sided sign-flip test, not corrected for there being several.\n\n{}{}{text}",
        line("", &labels),
        rule(labels.len())
    )
}

/// A paired difference in points: `+1.2 ± 0.4 (n = 11, p = 0.002)`.
fn told(paired: &Paired) -> String {
    let Summary { mean, half_width, seeds, .. } = paired.difference;
    let half = half_width.map_or_else(String::new, |half| format!(" ± {half:.1}"));
    let p = paired.p_value.map_or_else(String::new, |p| format!(", p = {}", significant(p)));
    format!("{}{half} (n = {seeds}{p})", signed(mean, 1))
}
