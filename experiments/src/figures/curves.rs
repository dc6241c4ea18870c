//! Accuracy over the effort and the radius of an attack.

use super::{
    conditions, heading, interval, line,
    lines::{COLORS, Key, Lines, Panel, Point},
    of_several, rule, title, write_pictures,
};
use crate::{
    cli::Epsilon,
    files,
    grid::{self, Grid, Question, Survey, TableArgs},
    report::{Cell, Row, Summary, markdown::escape, wilson},
    run::{Checkpoint, Run},
    verdicts::CLEAN,
};
use anyhow::Result;
use std::process::ExitCode;

/// What grows along a panel.
#[derive(Clone, Copy)]
pub enum Along {
    /// PGD-20 at these multiples of the radius, in quarters.
    Radius(&'static [u32]),
    /// PGD of so many steps at the radius.
    Steps(&'static [u32]),
    /// PGD-20 from so many starts at the radius.
    Restarts(&'static [u32]),
}

impl Along {
    fn values(self) -> &'static [u32] {
        match self {
            Self::Radius(values) | Self::Steps(values) | Self::Restarts(values) => values,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Radius(_) => "Radius (PGD-20)",
            Self::Steps(_) => "Steps (PGD)",
            Self::Restarts(_) => "Restarts (PGD-20)",
        }
    }

    fn axis(self) -> &'static str {
        match self {
            Self::Radius(_) => "multiples of the radius ε",
            Self::Steps(_) => "gradient steps (not to scale)",
            Self::Restarts(_) => "independent starts (not to scale)",
        }
    }

    /// As it stands at the axis.
    fn label(self, value: u32) -> String {
        match self {
            Self::Radius(_) => format!("{}", f64::from(value) / 4.),
            Self::Steps(_) | Self::Restarts(_) => value.to_string(),
        }
    }

    /// Where each value stands, as a share of the axis. Steps and restarts are spread evenly, since each is about twice
    /// the one before.
    fn places(self) -> Vec<f64> {
        let values = self.values();
        let most = f64::from(*values.last().unwrap_or(&1)).max(1.);
        let even = (values.len() - 1).max(1) as f64;
        let place = |(i, value): (usize, &u32)| match self {
            Self::Radius(_) => f64::from(*value) / most,
            Self::Steps(_) | Self::Restarts(_) => i as f64 / even,
        };
        values.iter().enumerate().map(place).collect()
    }

    fn question(self, value: u32, epsilon: &str, checkpoint: Checkpoint) -> Result<Question> {
        let (attack, epsilon) = match self {
            Self::Radius(_) if value == 0 => (CLEAN.to_owned(), epsilon.to_owned()),
            Self::Radius(_) => ("pgd-20".to_owned(), quarters(epsilon, value)?),
            Self::Steps(_) => (format!("pgd-{value}"), epsilon.to_owned()),
            Self::Restarts(_) if value == 1 => ("pgd-20".to_owned(), epsilon.to_owned()),
            Self::Restarts(_) => (format!("pgd-20x{value}"), epsilon.to_owned()),
        };
        Ok(Question { of_a_curve: true, ..Question::new(attack, &epsilon, checkpoint) })
    }
}

/// `value / 4` times a radius, written as the radius is.
fn quarters(epsilon: &str, value: u32) -> Result<String> {
    let times = |number: f64| number * f64::from(value) / 4.;
    Ok(match epsilon.split_once('/') {
        Some((above, below)) => format!("{}/{below}", times(above.trim().parse()?)),
        None => times(epsilon.parse::<Epsilon>().map_err(anyhow::Error::msg)?.value()).to_string(),
    })
}

/// A panel for each thing that grows, a curve for each row.
pub struct Curves {
    /// Whose rows are drawn.
    pub grid: Grid,
    /// Left to right.
    pub panels: &'static [Along],
}

impl Curves {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        grid::main(self.grid.name, self.grid.caption, |args| {
            self.grid.survey(
                args,
                |run: &Run, _: &[&Run]| self.questions(&run.config().epsilon, args.checkpoint),
                |survey| self.show(survey, args),
            )
        })
    }

    fn questions(&self, epsilon: &str, checkpoint: Checkpoint) -> Result<Vec<Question>> {
        let mut asked: Vec<Question> = Vec::new();
        for (along, value) in self.panels.iter().flat_map(|along| along.values().iter().map(move |v| (along, *v))) {
            let question = along.question(value, epsilon, checkpoint)?;
            if !asked.iter().any(|q| (&q.attack, &q.epsilon) == (&question.attack, &question.epsilon)) {
                asked.push(question);
            }
        }
        Ok(asked)
    }

    fn show(&self, survey: &Survey, args: &TableArgs) -> Result<String> {
        let epsilon = crate::profile::resolve(&args.training).epsilon;
        let images = survey.cells.iter().map(|cell| cell.examples).min().unwrap_or(0);
        let (low, high) = wilson(50., images);
        let footer = format!(
            "{}; so many images leave ±{:.1} points at 50 % (95 %, Wilson).{}",
            conditions(survey, &epsilon),
            (high - low) / 2.,
            of_several(survey, "the mean and its 95 % interval (Student)")
        );
        let mut text = format!("{}\n\nAccuracy in %; {footer}\n", heading(survey, "svg"));
        let mut panels = Vec::new();
        for along in self.panels {
            let mut curves = Vec::new();
            let labels: Vec<String> = along.values().iter().map(|value| along.label(*value)).collect();
            text += &format!("\n{}: {}\n\n", along.title(), along.axis());
            text += &(line("", &labels) + &rule(labels.len()));
            for row in &survey.rows {
                let at = |value: &u32| -> Result<Vec<f64>> {
                    let Question { attack, epsilon, .. } = along.question(*value, &epsilon, args.checkpoint)?;
                    Ok(survey.values(row, |cell: &Cell| cell.attack == attack && cell.epsilon == epsilon))
                };
                let values = along.values().iter().map(at).collect::<Result<Vec<_>>>()?;
                text += &line(&escape(&row.label), &values.iter().map(|seeds| interval(seeds)).collect::<Vec<_>>());
                let point = |s: Summary| Point { percent: s.mean, half_width: s.half_width };
                curves.push(values.iter().map(|seeds| Summary::of(seeds).map(point)).collect());
            }
            panels.push(Panel {
                title: along.title().into(),
                axis: along.axis(),
                ticks: along.places().into_iter().zip(labels).collect(),
                curves,
            });
        }
        let out = &args.training.out;
        files::write(&out.join(format!("{}.md", survey.name)), text.as_bytes())?;
        let abreast = panels.len();
        write_pictures(
            survey.name,
            &Lines { title: title(survey), keys: keys(&survey.rows), panels, abreast, footer },
            out,
        )?;
        Ok(text)
    }
}

/// Rows of one framework share a colour.
fn keys(rows: &[Row]) -> Vec<Key> {
    let mut frameworks: Vec<&str> = rows.iter().map(|row| row.framework.as_str()).collect();
    frameworks.dedup();
    let key = |row: &Row| {
        let place = frameworks.iter().position(|framework| *framework == row.framework).unwrap_or(0);
        Key { label: row.label.clone(), color: COLORS[place % COLORS.len()], heavy: row.is_regularized() }
    };
    rows.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_are_written_as_the_radius_is() {
        let radius = |value| Along::Radius(&[]).question(value, "8/255", Checkpoint::Best).unwrap();
        assert_eq!(radius(2).epsilon, "4/255");
        assert_eq!(radius(1).epsilon, "2/255");
        assert_eq!((radius(0).attack.as_str(), radius(0).epsilon.as_str()), ("clean", "8/255"));
        assert_eq!(quarters("0.5", 6).unwrap(), "0.75");
        assert_eq!(quarters("1/255", 1).unwrap(), "0.25/255");
        // What every row is asked anyway is asked once, and under one name.
        assert_eq!((radius(4).attack, radius(4).epsilon), ("pgd-20".into(), "8/255".into()));
        assert_eq!(Along::Restarts(&[]).question(1, "8/255", Checkpoint::Best).unwrap().attack, "pgd-20");
    }
}
