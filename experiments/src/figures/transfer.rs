//! Adversarial examples of every network tried on every other, and attacks that need no gradient.

use super::{
    conditions, heading,
    heat::{Heat, Panel, range_of_defended},
    interval, line, mean, of_several, rule, title, write_pictures,
};
use crate::{
    files,
    grid::{self, Grid, Question, Survey, TableArgs, column_label},
    report::{Cell, Row, Summary, markdown::escape},
    run::{Checkpoint, Run},
};
use anyhow::Result;
use std::{collections::BTreeMap, process::ExitCode};

/// A row is a network under attack; its columns are attacks of its own, and images made for each of the others.
pub struct Matrix(pub Grid);

/// Whose images are tried: the attack on a network, whatever network they were made for.
const TRANSFER: &str = "transfer";

impl Matrix {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        grid::main(self.0.name, self.0.caption, |args| {
            let own = self.0.columns(args)?;
            let questions = |run: &Run, others: &[&Run]| Ok(questions(&own, run, others, args.checkpoint));
            self.0.survey(args, questions, |survey| show(survey, &own, args))
        })
    }
}

fn questions(own: &[&str], run: &Run, of_seed: &[&Run], checkpoint: Checkpoint) -> Vec<Question> {
    let question = |attack: &str, source: Option<&Run>| Question {
        source: source.cloned(),
        ..Question::new(attack, &run.config().epsilon, checkpoint)
    };
    let own = own.iter().map(|attack| question(attack, None));
    let others = of_seed.iter().filter(|other| other.config() != run.config());
    own.chain(others.map(|other| question(TRANSFER, Some(other)))).collect()
}

fn show(survey: &Survey, own: &[&str], args: &TableArgs) -> Result<String> {
    // Which row made the images a cell was attacked with.
    let sources: BTreeMap<&str, usize> = survey
        .cells
        .iter()
        .filter_map(|cell| Some((cell.run.as_str(), survey.rows.iter().position(|row| cell.is_of(row))?)))
        .collect();
    let source = |cell: &Cell| sources.get(cell.attack.strip_prefix("transfer@")?).copied();
    let seeds = |row: &Row, column: usize| match own.get(column) {
        Some(attack) => survey.values(row, |cell| cell.attack == *attack),
        None => survey.values(row, |cell| source(cell) == Some(column - own.len())),
    };
    let columns = own.len() + survey.rows.len();
    let values: Vec<Vec<Vec<f64>>> =
        survey.rows.iter().map(|row| (0..columns).map(|column| seeds(row, column)).collect()).collect();
    let means: Vec<Vec<Option<f64>>> = values.iter().map(|row| row.iter().map(|seeds| mean(seeds)).collect()).collect();
    let own = own.iter().map(|attack| column_label(attack));
    let labels: Vec<String> = own.chain((1..=survey.rows.len()).map(|i| format!("from {i}"))).collect();
    let rows: Vec<String> = survey.rows.iter().enumerate().map(|(i, row)| format!("{} {}", i + 1, row.label)).collect();
    let queries = if labels.iter().any(|label| label.starts_with("Square")) {
        " Square has so many queries an image as stand in brackets."
    } else {
        ""
    };
    let footer = format!(
        "Accuracy in %: of each network (row) on test images, under attacks on itself, and on images that momentum \
         PGD of 20 steps made for the network of the column (transfer). A network that others' images break more \
         than its own attacks hides its gradients.{queries} {}.",
        conditions(survey, &survey.cells[0].epsilon)
    );
    let several = of_several(survey, "the mean ± half its 95 % interval (Student)");
    let mut text = format!("{}\n\n{footer}{several}\n\n{}{}", heading(survey, "svg"), line("", &labels), rule(columns));
    let mut csv = csv::Writer::from_writer(Vec::new());
    let halves = labels.iter().map(|label| format!("{label}_half_width"));
    csv.write_record(std::iter::once("label".to_owned()).chain(labels.iter().cloned()).chain(halves))?;
    for (row, values) in rows.iter().zip(&values) {
        text += &line(&escape(row), &values.iter().map(|seeds| interval(seeds)).collect::<Vec<_>>());
        let of_each = |number: fn(Summary) -> Option<f64>| {
            let numbers = values.iter().map(move |seeds| Summary::of(seeds).and_then(number));
            numbers.map(|number| number.map_or_else(String::new, |number| format!("{number:.3}")))
        };
        let numbers = of_each(|s| Some(s.mean)).chain(of_each(|s| s.half_width));
        csv.write_record(std::iter::once(row.clone()).chain(numbers))?;
    }
    let (out, name) = (&args.training.out, survey.name);
    files::write(&out.join(format!("{name}.md")), text.as_bytes())?;
    files::write(&out.join(format!("{name}.csv")), &csv.into_inner()?)?;
    let scale = range_of_defended(&survey.rows, &means);
    let heat = Heat {
        title: title(survey),
        rows: ("network under attack".into(), rows),
        columns: ("attack; from n: images made for network n".into(), labels),
        panels: vec![Panel { title: String::new(), scale, values: means, surpassed: None, framed: None }],
        footer: format!(
            "{footer}{} Dark is high, between the least and the greatest of defended networks.",
            of_several(survey, "the mean")
        ),
    };
    write_pictures(name, &heat, out)?;
    Ok(text)
}
