//! Accuracy over the effort and the radius of an attack.

use super::{conditions, heading, line, mean, rule, shown, title, write_pictures};
use crate::{
    cli::Epsilon,
    files,
    grid::{Grid, Question, Survey, TableArgs},
    pictures::drawing::Drawing,
    report::{
        Cell, Row,
        markdown::escape,
        plot::pen::{self, ACCENT, Anchor, CARD, Color, INK, LOSS, MUTED, Pen, RAIL},
    },
    run::{Run, Split},
    verdicts::CLEAN,
};
use anyhow::Result;
use plotters::{backend::DrawingBackend, style::RGBColor};
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
            Self::Radius(_) => "multiples of the radius",
            Self::Steps(_) => "gradient steps",
            Self::Restarts(_) => "independent starts",
        }
    }

    /// As it stands at the axis.
    fn label(self, value: u32) -> String {
        match self {
            Self::Radius(_) => format!("{}", f64::from(value) / 4.),
            Self::Steps(_) | Self::Restarts(_) => value.to_string(),
        }
    }

    fn question(self, value: u32, epsilon: &str) -> Result<Question> {
        let (attack, epsilon) = match self {
            Self::Radius(_) if value == 0 => (CLEAN.to_owned(), epsilon.to_owned()),
            Self::Radius(_) => ("pgd-20".to_owned(), quarters(epsilon, value)?),
            Self::Steps(_) => (format!("pgd-{value}"), epsilon.to_owned()),
            Self::Restarts(_) if value == 1 => ("pgd-20".to_owned(), epsilon.to_owned()),
            Self::Restarts(_) => (format!("pgd-20x{value}"), epsilon.to_owned()),
        };
        Ok(Question { attack, epsilon, split: Split::Test, source: None })
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
        crate::main(
            |args: &TableArgs| Some(args.training.out.as_path()),
            |args| {
                self.grid.survey(
                    args,
                    |run: &Run, _: &[&Run]| self.questions(&run.config().epsilon),
                    |survey| self.show(survey, args),
                )
            },
        )
    }

    fn questions(&self, epsilon: &str) -> Result<Vec<Question>> {
        let mut asked: Vec<Question> = Vec::new();
        for (along, value) in self.panels.iter().flat_map(|along| along.values().iter().map(move |v| (along, *v))) {
            let question = along.question(value, epsilon)?;
            if !asked.iter().any(|q| (&q.attack, &q.epsilon) == (&question.attack, &question.epsilon)) {
                asked.push(question);
            }
        }
        Ok(asked)
    }

    fn show(&self, survey: &Survey, args: &TableArgs) -> Result<String> {
        let epsilon = crate::profile::resolve(&args.training).epsilon;
        let footer = format!("{}.", conditions(survey, &epsilon, Split::Test));
        let mut text = format!("{}\n\nAccuracy in %; {footer}\n", heading(survey));
        let mut panels = Vec::new();
        for along in self.panels {
            let mut curves = Vec::new();
            let labels: Vec<String> = along.values().iter().map(|value| along.label(*value)).collect();
            text += &format!("\n{}: {}\n\n", along.title(), along.axis());
            text += &(line("", &labels) + &rule(labels.len()));
            for row in &survey.rows {
                let at = |value: &u32| -> Result<Option<f64>> {
                    let Question { attack, epsilon, .. } = along.question(*value, &epsilon)?;
                    Ok(mean(&survey.values(row, |cell: &Cell| cell.attack == attack && cell.epsilon == epsilon)))
                };
                let values = along.values().iter().map(at).collect::<Result<Vec<_>>>()?;
                text += &line(&escape(&row.label), &values.iter().copied().map(shown).collect::<Vec<_>>());
                curves.push(values);
            }
            panels.push(Panel { along: *along, curves });
        }
        let out = &args.training.out;
        files::write(&out.join(format!("{}.md", survey.name)), text.as_bytes())?;
        write_pictures(survey.name, &Plot { title: title(survey), rows: survey.rows.clone(), panels, footer }, out)?;
        Ok(text)
    }
}

struct Panel {
    along: Along,
    /// By row, then by value.
    curves: Vec<Vec<Option<f64>>>,
}

struct Plot {
    title: String,
    rows: Vec<Row>,
    panels: Vec<Panel>,
    footer: String,
}

const MARGIN: f64 = 26.;
const PANEL: (f64, f64) = (270., 220.);
const GAP: f64 = 56.;
const LEFT: f64 = 34.;
const LABELS_APART: f64 = 26.;
/// Okabe and Ito's colours that are dark enough on a light ground.
const COLORS: [Color; 6] =
    [INK, ACCENT, LOSS, RGBColor(0x00, 0x9e, 0x73), RGBColor(0xcc, 0x79, 0xa7), RGBColor(0x9a, 0x7d, 0x00)];

impl Plot {
    fn width(&self) -> f64 {
        2. * MARGIN + LEFT + self.panels.len() as f64 * (PANEL.0 + GAP) - GAP + 20.
    }

    fn lines(&self, text: &str, size: f64) -> Vec<String> {
        pen::wrap(text, size, self.width() - 2. * MARGIN)
    }

    /// The rows of the legend: each starts a new line where the one before is full.
    fn legend(&self) -> Vec<(usize, (f64, f64))> {
        let (mut x, mut y) = (MARGIN + 6., MARGIN + 24. * self.lines(&self.title, 17.).len() as f64 + 8.);
        let mut places = Vec::new();
        for (i, row) in self.rows.iter().enumerate() {
            let width = 52. + pen::width(&row.label, 12.);
            if x + width > self.width() - MARGIN && x > MARGIN + 6. {
                (x, y) = (MARGIN + 6., y + 20.);
            }
            places.push((i, (x, y)));
            x += width;
        }
        places
    }

    /// Rows of one framework share a colour; with I2FR the marks are full and the line is heavy. Full marks fit into
    /// the rings of those without, so that curves which coincide both show.
    fn look(&self, row: usize) -> (Color, bool) {
        let mut frameworks: Vec<&str> = self.rows.iter().map(|row| row.framework.as_str()).collect();
        frameworks.dedup();
        let place = frameworks.iter().position(|framework| *framework == self.rows[row].framework).unwrap_or(0);
        (COLORS[place % COLORS.len()], self.rows[row].regularizer != "none")
    }

    fn mark<B: DrawingBackend>(&self, pen: &Pen<'_, B>, row: usize, at: (f64, f64)) -> Result<()> {
        let (color, full) = self.look(row);
        if full {
            return pen.disc(at, 2.6, color);
        }
        pen.disc(at, 4.8, color)?;
        pen.disc(at, 3.6, CARD)
    }

    fn panel<B: DrawingBackend>(&self, pen: &Pen<'_, B>, panel: &Panel, (left, top): (f64, f64)) -> Result<()> {
        let values = panel.along.values();
        pen.strong(panel.along.title(), (left, top - 14.), 13., INK)?;
        let y = |percent: f64| top + PANEL.1 * (1. - percent / 100.);
        // Steps and restarts are spread evenly, since each is about twice the one before.
        let most = f64::from(*values.last().unwrap_or(&1)).max(1.);
        let x = |i: usize| match panel.along {
            Along::Radius(_) => left + PANEL.0 * f64::from(values[i]) / most,
            Along::Steps(_) | Along::Restarts(_) => left + PANEL.0 * i as f64 / (values.len() - 1).max(1) as f64,
        };
        for percent in [0, 25, 50, 75, 100] {
            let at = y(f64::from(percent));
            pen.line((left, at), (left + PANEL.0, at), RAIL, 1.)?;
            let text = if percent == 100 { "100 %".to_owned() } else { percent.to_string() };
            pen.text(&text, (left - 20., at), 10., MUTED, Anchor::Center)?;
        }
        let mut labelled = f64::NEG_INFINITY;
        for (i, value) in values.iter().enumerate() {
            pen.line((x(i), top + PANEL.1), (x(i), top + PANEL.1 + 4.), MUTED, 1.)?;
            if x(i) - labelled < LABELS_APART {
                continue;
            }
            labelled = x(i);
            pen.text(&panel.along.label(*value), (x(i), top + PANEL.1 + 13.), 10., MUTED, Anchor::Center)?;
        }
        pen.text(panel.along.axis(), (left + PANEL.0 / 2., top + PANEL.1 + 30.), 11., MUTED, Anchor::Center)?;
        for (row, curve) in panel.curves.iter().enumerate() {
            let (color, full) = self.look(row);
            let points: Vec<(f64, f64)> =
                curve.iter().enumerate().filter_map(|(i, value)| Some((x(i), y((*value)?)))).collect();
            if points.len() > 1 {
                pen.path(&points, color, if full { 2. } else { 1. })?;
            }
            points.iter().try_for_each(|point| self.mark(pen, row, *point))?;
        }
        Ok(())
    }
}

impl Drawing for Plot {
    fn size(&self) -> (f64, f64) {
        let top = self.legend().last().map_or(MARGIN, |(_, (_, y))| *y) + 50.;
        (self.width(), top + PANEL.1 + 48. + 15. * self.lines(&self.footer, 10.5).len() as f64 + MARGIN - 6.)
    }

    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        for (i, line) in self.lines(&self.title, 17.).iter().enumerate() {
            pen.strong(line, (MARGIN, MARGIN + 6. + 24. * i as f64), 17., INK)?;
        }
        for (row, (x, y)) in self.legend() {
            let (color, full) = self.look(row);
            pen.line((x, y), (x + 20., y), color, if full { 2. } else { 1. })?;
            self.mark(pen, row, (x + 10., y))?;
            pen.text(&self.rows[row].label, (x + 26., y), 12., INK, Anchor::Left)?;
        }
        let top = self.legend().last().map_or(MARGIN, |(_, (_, y))| *y) + 50.;
        for (i, panel) in self.panels.iter().enumerate() {
            self.panel(pen, panel, (MARGIN + LEFT + i as f64 * (PANEL.0 + GAP), top))?;
        }
        for (i, line) in self.lines(&self.footer, 10.5).iter().enumerate() {
            let y = top + PANEL.1 + 56. + 15. * i as f64;
            pen.text(line, (MARGIN, y), 10.5, MUTED, Anchor::Left)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_are_written_as_the_radius_is() {
        let radius = |value| Along::Radius(&[]).question(value, "8/255").unwrap();
        assert_eq!(radius(2).epsilon, "4/255");
        assert_eq!(radius(1).epsilon, "2/255");
        assert_eq!((radius(0).attack.as_str(), radius(0).epsilon.as_str()), ("clean", "8/255"));
        assert_eq!(quarters("0.5", 6).unwrap(), "0.75");
        assert_eq!(quarters("1/255", 1).unwrap(), "0.25/255");
        // What every row is asked anyway is asked once, and under one name.
        assert_eq!((radius(4).attack, radius(4).epsilon), ("pgd-20".into(), "8/255".into()));
        assert_eq!(Along::Restarts(&[]).question(1, "8/255").unwrap().attack, "pgd-20");
    }
}
