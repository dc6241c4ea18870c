//! Training epoch by epoch, and what it leaves: its best weights and its last.

use super::{
    alone, fewer_seeds, heading, headline, interval, line,
    lines::{COLORS, Key, Lines, Panel, Point},
    paired, rule, signed, write_pictures,
};
use crate::{
    files,
    findings::EpochLine,
    grid::{self, Grid, Question, Survey, TableArgs, column_label},
    process::Usage,
    report::{
        Cell, Row, Summary,
        caption::{self, Condition},
        markdown::escape,
    },
    run::{Checkpoint, Run, SELECTION, Split},
};
use anyhow::Result;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

/// Epochs that Markdown has columns for, and panels that the picture has in a row.
const COLUMNS: usize = 10;
const ABREAST: usize = 3;

/// A panel a framework: accuracy on held-out images after each epoch, without and with what is added to it. Columns are
/// the attacks under which its best and its last weights are compared on test images.
pub struct Epochs(pub Grid);

/// A line of `epochs.csv`.
#[derive(Serialize)]
struct Line {
    framework: String,
    regularizer: String,
    seed: u64,
    run: String,
    epoch: usize,
    held_out: usize,
    held_out_clean_percent: f64,
    held_out_robust_percent: f64,
    /// Whether its weights are the ones that were selected.
    selected: bool,
}

/// What is measured after each epoch.
type Measured = fn(&Line) -> f64;

impl Epochs {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        grid::main(self.0.name, self.0.caption, |args| {
            if args.checkpoint == Checkpoint::Last {
                return Err(Usage(format!("--checkpoint last: {} shows both", self.0.name)).into());
            }
            let attacks = self.0.columns(args)?;
            let questions = |run: &Run, _: &[&Run]| {
                let question = |attack: &&str, checkpoint| Question::new(*attack, &run.config().epsilon, checkpoint);
                let asked = |checkpoint| attacks.iter().map(move |attack| question(attack, checkpoint));
                Ok(Checkpoint::ALL.into_iter().flat_map(asked).collect())
            };
            self.0.survey(args, questions, |survey| show(survey, &attacks, args))
        })
    }
}

fn show(survey: &Survey, attacks: &[&str], args: &TableArgs) -> Result<String> {
    let lines = lines(survey, args)?;
    let attack = SELECTION.to_uppercase();
    let footer = format!(
        "Accuracy in % after each epoch, on clean images and under {attack}; of several seeds the mean and its 95 % interval \
         (Student), cut at 0 and 100 %. {}.",
        conditions(survey, |cell| {
            let of_run = lines.iter().find(|line| line.run == cell.run);
            let (examples, split) = (of_run.map_or(0, |line| line.held_out), Split::HeldOut);
            let of_each = Condition { examples, split, checkpoint: "every epoch's", ..cell.into() };
            (cell.checkpoint == Checkpoint::Best.name()).then_some(of_each)
        })
    );
    let text = [
        format!("{}\n\n{footer}\n", heading(survey, "svg")),
        by_epoch(survey, &lines, &attack),
        best_and_last(survey, &lines, attacks),
    ]
    .concat();
    let (out, name) = (&args.training.out, survey.name);
    files::write_csv(&out.join(name).join("epochs.csv"), &lines)?;
    files::write(&out.join(format!("{name}.md")), text.as_bytes())?;
    write_pictures(name, &picture(survey, &lines, &attack, footer), out)?;
    Ok(text)
}

fn conditions<'a>(survey: &'a Survey, of: impl Fn(&'a Cell) -> Option<Condition<'a>>) -> String {
    caption::conditions(survey.cells.iter().filter_map(of)) + &fewer_seeds(survey)
}

/// Every epoch of every run.
fn lines(survey: &Survey, args: &TableArgs) -> Result<Vec<Line>> {
    let (mut lines, mut read) = (Vec::new(), BTreeSet::new());
    for cell in survey.cells.iter().filter(|cell| read.insert(&cell.run)) {
        let folder = args.training.out.join("runs").join(&cell.run);
        let held_out = Run::open(&folder)?.config().held_out;
        let epochs: Vec<EpochLine> = files::read_csv(&folder.join("epochs.csv"))?;
        let selected = epochs.iter().rfind(|line| line.best).map(|line| line.epoch);
        lines.extend(epochs.into_iter().map(|epoch| Line {
            framework: cell.framework.clone(),
            regularizer: cell.regularizer.clone(),
            seed: cell.seed,
            run: cell.run.clone(),
            epoch: epoch.epoch,
            held_out,
            held_out_clean_percent: epoch.held_out_clean_percent,
            held_out_robust_percent: epoch.held_out_robust_percent,
            selected: Some(epoch.epoch) == selected,
        }));
    }
    Ok(lines)
}

fn of<'a>(lines: &'a [Line], row: &'a Row) -> impl Iterator<Item = &'a Line> {
    lines.iter().filter(|line| line.framework == row.framework && line.regularizer == row.regularizer)
}

/// Accuracies after `epoch` by seed.
fn after(lines: &[Line], row: &Row, epoch: usize, measured: Measured) -> BTreeMap<u64, f64> {
    of(lines, row).filter(|line| line.epoch == epoch).map(|line| (line.seed, measured(line))).collect()
}

fn last_epoch(lines: &[Line]) -> usize {
    lines.iter().map(|line| line.epoch).max().unwrap_or(0)
}

fn robust(line: &Line) -> f64 {
    line.held_out_robust_percent
}

fn clean(line: &Line) -> f64 {
    line.held_out_clean_percent
}

/// Accuracies and differences as training goes on.
fn by_epoch(survey: &Survey, lines: &[Line], attack: &str) -> String {
    let last = last_epoch(lines);
    let count = last.min(COLUMNS);
    let epochs: Vec<usize> = (1..=count).map(|i| (i * last).div_ceil(count)).collect();
    let labels: Vec<String> = epochs.iter().map(usize::to_string).collect();
    let head = format!("{}{}", line("", &labels), rule(labels.len()));
    let mut text = format!("\n**Under {attack}, after epoch**\n\n{head}");
    let mut differences = String::new();
    for row in &survey.rows {
        let of_row = |epoch: &usize| after(lines, row, *epoch, robust);
        let cells = epochs.iter().map(|epoch| interval(&of_row(epoch).into_values().collect::<Vec<_>>()));
        text += &line(&escape(&row.label), &cells.collect::<Vec<_>>());
        let Some(alone) = alone(survey, row) else { continue };
        let cells = epochs.iter().map(|epoch| signed(&paired(&after(lines, alone, *epoch, robust), &of_row(epoch))));
        differences += &line(&escape(&row.label), &cells.collect::<Vec<_>>());
    }
    if !differences.is_empty() {
        text += &format!(
            "\n**Differences** to the same framework alone in points, paired over seeds: of several the mean ± half its \
             95 % interval (Student).\n\n{head}{differences}"
        );
    }
    text
}

/// The selected weights against those of the last epoch.
fn best_and_last(survey: &Survey, lines: &[Line], attacks: &[&str]) -> String {
    let labels =
        attacks.iter().flat_map(|attack| Checkpoint::ALL.map(|c| format!("{}, {}", column_label(attack), c.name())));
    let labels: Vec<String> = labels.collect();
    let mut text = format!(
        "\n**Best and last weights**, accuracy in % on test images. {}.\n\n{}{}",
        conditions(survey, |cell| Some(cell.into())),
        line("", &labels),
        rule(labels.len())
    );
    let labels: Vec<String> =
        attacks.iter().map(|attack| column_label(attack)).chain(["last epoch is best".into()]).collect();
    let mut differences = format!(
        "\n**Last minus best** in points, paired over seeds: of several the mean ± half its 95 % interval (Student). \
         Below 0 is robust overfitting. Where the last epoch is the best, both have the same weights, and the difference is 0.\n\n{}{}",
        line("", &labels),
        rule(labels.len())
    );
    for row in &survey.rows {
        let of_weights = |attack: &str, checkpoint: Checkpoint| -> BTreeMap<(u64, usize), f64> {
            let asked = |cell: &&Cell| cell.attack == attack && cell.checkpoint == checkpoint.name();
            let cells = survey.cells.iter().filter(|cell| cell.is_of(row)).filter(asked);
            cells.map(|cell| ((cell.seed, cell.examples), cell.value_percent)).collect()
        };
        let (mut shown, mut changes) = (Vec::new(), Vec::new());
        for attack in attacks {
            // Of seeds whose weights were both asked.
            let [mut best, mut last] = Checkpoint::ALL.map(|checkpoint| of_weights(attack, checkpoint));
            best.retain(|key, _| last.contains_key(key));
            last.retain(|key, _| best.contains_key(key));
            changes.push(signed(&paired(&best, &last)));
            shown.extend([best, last].map(|of_seeds| interval(&of_seeds.into_values().collect::<Vec<_>>())));
        }
        text += &line(&escape(&row.label), &shown);
        let selected: Vec<usize> = of(lines, row).filter(|line| line.selected).map(|line| line.epoch).collect();
        let last = of(lines, row).map(|line| line.epoch).max();
        let ended = selected.iter().filter(|epoch| Some(**epoch) == last).count();
        let ended = format!("{ended} of {}", selected.len());
        changes.push(ended);
        differences += &line(&escape(&row.label), &changes);
    }
    text + &differences
}

fn picture(survey: &Survey, lines: &[Line], attack: &str, footer: String) -> Lines {
    let last = last_epoch(lines);
    let measured: [(&str, Measured); 2] = [("clean", clean), (attack, robust)];
    // Frameworks alone first, then with what is added.
    let drawn = [false, true].map(|with| measured.map(|(name, measured)| (with, name, measured))).concat();
    let keys = drawn.iter().zip(COLORS.iter().take(measured.len()).cycle()).map(|(&(heavy, name, _), &color)| {
        let label = format!("{name}, {}", if heavy { "with I2FR" } else { "without" });
        Key { label, color, heavy }
    });
    // A panel for each row with something added, beside its framework alone, and for each framework that has none.
    let added =
        |framework: &str| survey.rows.iter().filter(|row| row.framework == framework && row.is_regularized()).count();
    let shown: Vec<&Row> =
        survey.rows.iter().filter(|row| row.is_regularized() || added(&row.framework) == 0).collect();
    let panel = |shown: &&Row| {
        let beside = |row: &&Row| row.framework == shown.framework && !row.is_regularized();
        let alone = survey.rows.iter().find(beside);
        let curve = |&(with, _, measured): &(bool, &str, Measured)| {
            let row = if with { Some(*shown).filter(|row| row.is_regularized()) } else { alone };
            let point = |epoch| {
                let values: Vec<f64> = after(lines, row?, epoch, measured).into_values().collect();
                Summary::of(&values).map(|s| Point { percent: s.mean, half_width: s.half_width })
            };
            (1..=last).map(point).collect()
        };
        let place = |epoch: usize| (epoch - 1) as f64 / (last - 1).max(1) as f64;
        Panel {
            title: alone.filter(|_| added(&shown.framework) < 2).unwrap_or(shown).label.clone(),
            axis: "epochs",
            ticks: (1..=last).map(|epoch| (place(epoch), epoch.to_string())).collect(),
            curves: drawn.iter().map(curve).collect(),
        }
    };
    let panels: Vec<Panel> = shown.iter().map(panel).collect();
    let abreast = panels.len().min(ABREAST);
    Lines {
        title: headline(survey, "accuracy after each epoch of training"),
        keys: keys.collect(),
        panels,
        abreast,
        footer,
    }
}
