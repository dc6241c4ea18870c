//! What a table's rows come to over two settings, on images that settings may be chosen by.

use super::{
    conditions, heading,
    heat::{Heat, Panel, range},
    line, mean, panel_title, rule, shown, title, write_pictures,
};
use crate::{
    files,
    grid::{self, Entry, Grid, Question, Survey, TableArgs, row},
    process::Usage,
    report::{markdown::escape, wilson},
    run::{Run, Split},
};
use anyhow::Result;
use i2fr::I2fr;
use std::process::ExitCode;

/// I2FR on one framework over its weights and its margin.
pub struct Sensitivity {
    /// The name of its files.
    pub name: &'static str,
    /// What it shows.
    pub caption: &'static str,
    /// On which framework.
    pub framework: &'static str,
    /// All three weights are multiplied by these.
    pub weights: &'static [f64],
    /// Margins.
    pub margins: &'static [f64],
    /// `clean` and attacks by name: a panel each.
    pub columns: &'static [&'static str],
}

impl Sensitivity {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        grid::main(self.name, self.caption, |args| {
            let (name, caption, columns) = (self.name, self.caption, self.columns);
            if !args.vary.is_empty() {
                return Err(Usage(format!("--vary: {name} has one grid, of weights and margins")).into());
            }
            let grid = Grid { name, caption, rows: self.rows(), columns, audited: false };
            let columns = grid.columns(args)?;
            let questions = |run: &Run, _: &[&Run]| {
                let question = |attack: &&str| Question {
                    split: Split::HeldOut,
                    ..Question::new(*attack, &run.config().epsilon, args.checkpoint)
                };
                Ok(columns.iter().map(question).collect())
            };
            grid.survey(args, questions, |survey| self.show(survey, &columns, args))
        })
    }

    fn rows(&self) -> Vec<Entry> {
        let variant = |weight: f64, margin: f64| {
            row(self.framework).i2fr_as(name(weight, margin), move |r| {
                for term in [&mut r.intra_clean, &mut r.intra_class, &mut r.inter] {
                    *term *= weight;
                }
                r.margin = margin;
            })
        };
        let pairs = self.weights.iter().flat_map(|weight| self.margins.iter().map(move |margin| (*weight, *margin)));
        [row(self.framework)].into_iter().chain(pairs.map(|(weight, margin)| variant(weight, margin))).collect()
    }

    fn show(&self, survey: &Survey, columns: &[&'static str], args: &TableArgs) -> Result<String> {
        let of = |regularizer: &str, attack: &str| {
            let row = survey.rows.iter().find(|row| row.regularizer == regularizer)?;
            mean(&survey.values(row, |cell| cell.attack == attack))
        };
        let panel = |attack: &str, usual| {
            let values = self.weights.iter().map(|weight| {
                let value = |margin: &f64| of(&format!("i2fr {}", name(*weight, *margin)), attack);
                self.margins.iter().map(value).collect()
            });
            let (alone, values) = (of("none", attack), values.collect::<Vec<Vec<Option<f64>>>>());
            Panel {
                title: format!("{} (alone: {})", panel_title(survey, attack), shown(alone)),
                scale: widened(range(&values), survey, attack),
                values,
                surpassed: alone.map(|alone| left_open(alone, survey, attack).1),
                framed: usual,
            }
        };
        let I2fr { intra_clean, intra_class, inter, .. } = args.training.i2fr.i2fr();
        let place = |all: &[f64], one: f64| all.iter().position(|value| *value == one);
        let usual = place(self.weights, 1.).zip(place(self.margins, I2fr::default().margin));
        let panel = |attack: &&str| panel(attack, usual);
        let panels: Vec<Panel> = columns.iter().map(panel).collect();
        let footer = format!("Accuracy in %; alone: without I2FR. {}.", conditions(survey, &survey.cells[0].epsilon));
        let legend = format!(
            "Weights × 1: {intra_clean} (own clean image), {intra_class} (own class), {inter} (other classes); framed: × 1 \
             and the usual margin. Dark is high, within each panel, whose shades span at least the 95 % interval (Wilson) that its \
             images leave to one value. Bold: above the framework alone by more than half that interval. —: not measured."
        );
        let heat = Heat {
            title: title(survey),
            rows: ("weights".into(), self.weights.iter().map(|weight| format!("× {weight}")).collect()),
            columns: ("margin".into(), self.margins.iter().map(ToString::to_string).collect()),
            panels,
            footer: format!("{footer} {legend}"),
        };
        let out = &args.training.out;
        write_pictures(self.name, &heat, out)?;
        let mut text = format!("{}\n\n{footer}\n", heading(survey, "svg"));
        for Panel { title, values, .. } in &heat.panels {
            let columns = line("", &heat.columns.1);
            text +=
                &format!("\n{}: rows weights, columns margins\n\n{columns}{}", escape(title), rule(self.margins.len()));
            for (label, row) in heat.rows.1.iter().zip(values) {
                text += &line(label, &row.iter().copied().map(shown).collect::<Vec<_>>());
            }
        }
        files::write(&out.join(format!("{}.md", self.name)), text.as_bytes())?;
        Ok(text)
    }
}

/// The range of a panel, at least as wide as the interval that its images leave to a value in its middle: noise shall not
/// look like a landscape.
fn widened((low, high): (f64, f64), survey: &Survey, attack: &str) -> (f64, f64) {
    let (least, most) = left_open((low + high) / 2., survey, attack);
    (low.min(least), high.max(most))
}

/// The interval that the images of `attack` leave to a value of so many percent.
fn left_open(percent: f64, survey: &Survey, attack: &str) -> (f64, f64) {
    let of_attack = survey.cells.iter().filter(|cell| cell.attack == attack);
    wilson(percent, of_attack.map(|cell| cell.examples).min().unwrap_or(0))
}

fn name(weight: f64, margin: f64) -> String {
    format!("weights x{weight} at margin {margin}")
}
