//! The figure as a picture: a column a network, a row a kind of plane.

use super::{
    figure::{MEASURES, Panel, Point, SUBJECTS},
    shown::Figure,
};
use crate::{
    drawing::{
        Drawing,
        pen::{self, Anchor, Color, INK, MUTED, Pen},
    },
    grid::trained::Measured,
    pictures::scatter::{COLORS, Frame},
};
use anyhow::Result;
use plotters::backend::DrawingBackend;

const MARGIN: f64 = 26.0;
const SIDE: f64 = 400.0;
const GAP: f64 = 28.0;
/// Above a panel, for its title.
const HEAD: f64 = 26.0;
/// Lines of the legend, statistics and footer.
const LINE: f64 = 17.0;
const SMALL: f64 = 10.5;
/// Radius of the badge that names a class.
const BADGE: f64 = 8.5;

/// Where a plane has a point.
type Place = fn(&Point) -> [f64; 2];

const PLANES: [(&str, Place); 2] = [("t-SNE", |point| point.tsne), ("Principal components", |point| point.pca)];

pub(super) struct Picture<'a>(pub(super) &'a Figure<'a>);

impl Picture<'_> {
    fn columns(&self) -> f64 {
        // One panel would be too narrow for legend and footer.
        self.0.drawn().len().max(2) as f64
    }

    fn width(&self) -> f64 {
        2.0 * MARGIN + self.columns() * SIDE + (self.columns() - 1.0) * GAP
    }

    fn title(&self) -> Vec<String> {
        pen::wrap(&self.0.title(), 17.0, 0.9 * (self.width() - 2.0 * MARGIN))
    }

    fn footer(&self) -> Vec<String> {
        let mut lines = self.0.caption();
        lines.push("Panels beside one another have one scale.".into());
        lines.iter().flat_map(|line| pen::wrap(line, SMALL, self.width() - 2.0 * MARGIN)).collect()
    }

    fn classes(&self) -> &'static [&'static str] {
        let names = self.0.dataset.class_names();
        &names[..names.len().min(COLORS.len())]
    }

    fn top(&self) -> f64 {
        MARGIN + 24.0 * self.title().len() as f64 + 4.0 * LINE
    }

    fn bottom(&self) -> f64 {
        self.top() + PLANES.len() as f64 * (HEAD + SIDE + 8.0)
    }

    /// Shapes, then classes with their numbers, each class in a column of its own.
    fn legend<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        let mut x = MARGIN + 5.0;
        let top = self.top() - 3.0 * LINE - 6.0;
        for (subject, text) in SUBJECTS.iter().zip(["clean image", "its adversarial example"]) {
            mark(pen, (x, top), subject, INK)?;
            pen.text(text, (x + 11.0, top), 12.0, INK, Anchor::Left)?;
            x += 11.0 + pen::width(text, 12.0) + 24.0;
        }
        pen.text("badge: middle of a class, clean images", (x, top), 12.0, MUTED, Anchor::Left)?;
        let half = self.classes().len().div_ceil(2).max(1);
        let step = (self.width() - 2.0 * MARGIN) / half as f64;
        for (i, name) in self.classes().iter().enumerate() {
            let at = (MARGIN + 5.0 + step * (i % half) as f64, top + LINE * (1 + i / half) as f64);
            pen.disc(at, 4.0, COLORS[i])?;
            // A digit is its own name.
            let number = i.to_string();
            let text = if number == *name { number } else { format!("{i} {name}") };
            pen.text(&text, (at.0 + 11.0, at.1), 12.0, INK, Anchor::Left)?;
        }
        Ok(())
    }
}

impl Drawing for Picture<'_> {
    fn size(&self) -> (f64, f64) {
        let footer = 15.0 * self.footer().len() as f64;
        (self.width(), self.bottom() + 3.0 * LINE + 16.0 + footer + MARGIN - 6.0)
    }

    fn draw<B: DrawingBackend>(&self, pen: &Pen<'_, B>) -> Result<()> {
        for (i, line) in self.title().iter().enumerate() {
            pen.strong(line, (MARGIN, MARGIN + 4.0 + 24.0 * i as f64), 17.0, INK)?;
        }
        self.legend(pen)?;
        let (drawn, left) = (self.0.drawn(), |column: usize| MARGIN + column as f64 * (SIDE + GAP));
        for (row, (name, place)) in PLANES.into_iter().enumerate() {
            let top = self.top() + row as f64 * (HEAD + SIDE + 8.0);
            let places = |one: &&Measured<Panel>| one.answer.more.points.iter().map(place).collect::<Vec<_>>();
            let mut frames: Vec<Frame> = drawn.iter().map(|one| Frame::of(&places(one), SIDE)).collect();
            Frame::one_scale(&mut frames);
            for (column, (one, frame)) in drawn.iter().zip(&frames).enumerate() {
                let left = left(column);
                pen.strong(&format!("{}: {name}", one.row.label), (left, top + HEAD / 2.0), 13.0, INK)?;
                panel(pen, &one.answer.more.points, place, frame, (left, top + HEAD))?;
            }
        }
        for (column, one) in drawn.iter().enumerate() {
            let seeds = self.0.measured.iter().filter(|other| other.row.label == one.row.label).count();
            statistics(pen, one, seeds, (left(column), self.bottom() + 10.0))?;
        }
        let top = self.bottom() + 3.0 * LINE + 20.0;
        for (i, line) in self.footer().iter().enumerate() {
            pen.text(line, (MARGIN, top + 15.0 * i as f64), SMALL, MUTED, Anchor::Left)?;
        }
        Ok(())
    }
}

fn panel<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    points: &[Point],
    place: Place,
    frame: &Frame,
    corner: (f64, f64),
) -> Result<()> {
    frame.draw(pen, corner)?;
    for point in points {
        let color = COLORS[point.label as usize % COLORS.len()];
        mark(pen, frame.at(corner, place(point)), &point.subject, color)?;
    }
    let middles = (0..COLORS.len() as u32).filter_map(|class| {
        let of_class = points.iter().filter(|point| point.label == class && point.subject == SUBJECTS[0]);
        Some((class, frame.at(corner, middle(&of_class.map(place).collect::<Vec<_>>())?)))
    });
    let mut badges: Vec<(u32, (f64, f64))> = middles.collect();
    spread(&mut badges);
    for (class, at) in badges {
        pen.disc(at, BADGE, COLORS[class as usize])?;
        pen.disc(at, BADGE - 1.5, pen::CARD)?;
        pen.text(&class.to_string(), at, 12.0, INK, Anchor::Center)?;
    }
    Ok(())
}

fn statistics<B: DrawingBackend>(
    pen: &Pen<'_, B>,
    one: &Measured<Panel>,
    seeds: usize,
    (left, top): (f64, f64),
) -> Result<()> {
    for (i, (subject, name)) in SUBJECTS.iter().zip(["clean", "adv."]).enumerate() {
        let number = |(measure, short): (&str, &str)| {
            let value = Figure::number(one, subject, measure);
            format!("{short} {}", value.map_or("—".into(), |value| digits(measure, value)))
        };
        let text = format!("{name}: {}", MEASURES.map(number).join(", "));
        pen.text(&text, (left, top + LINE * i as f64), 11.0, INK, Anchor::Left)?;
    }
    let of = if seeds > 1 { format!(", one of {seeds}: the text has their means") } else { String::new() };
    let text = format!("{} test images, seed {}{of}", one.answer.examples, one.run.config().seed);
    pen.text(&text, (left, top + 2.0 * LINE), 11.0, MUTED, Anchor::Left)
}

/// A statistic as a panel has room for it.
fn digits(measure: &str, value: f64) -> String {
    if measure.ends_with("percent") { format!("{value:.1} %") } else { format!("{value:.2}") }
}

/// A disc for a clean image, a cross for an adversarial one.
fn mark<B: DrawingBackend>(pen: &Pen<'_, B>, (x, y): (f64, f64), subject: &str, color: Color) -> Result<()> {
    if subject == SUBJECTS[0] {
        return pen.disc((x, y), 2.5, color);
    }
    let arm = 2.5;
    pen.line((x - arm, y - arm), (x + arm, y + arm), color, 1.0)?;
    pen.line((x - arm, y + arm), (x + arm, y - arm), color, 1.0)
}

/// The median of each coordinate: few stray points do not move it.
fn middle(places: &[[f64; 2]]) -> Option<[f64; 2]> {
    let median = |axis: usize| {
        let mut values: Vec<f64> = places.iter().map(|place| place[axis]).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Some([median(0)?, median(1)?])
}

/// Moves badges apart that would cover each other.
fn spread(badges: &mut [(u32, (f64, f64))]) {
    for _ in 0..100 {
        for i in 0..badges.len() {
            for j in 0..i {
                let ((_, a), (_, b)) = (badges[i], badges[j]);
                let (dx, dy) = (a.0 - b.0, a.1 - b.1);
                let apart = dx.hypot(dy);
                // In one place they have no direction to part in.
                let (x, y) = if apart > 0.0 { (dx / apart, dy / apart) } else { (1.0, 0.0) };
                let push = (2.0 * BADGE - apart).max(0.0) / 2.0;
                badges[i].1 = (a.0 + push * x, a.1 + push * y);
                badges[j].1 = (b.0 - push * x, b.1 - push * y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BADGE, spread};

    #[test]
    fn badges_cover_no_other() {
        let far = (9, (200.0, 200.0));
        let mut badges = vec![(0, (50.0, 50.0)), (1, (50.0, 50.0)), (2, (53.0, 50.0)), (3, (50.0, 58.0)), far];
        spread(&mut badges);
        for (i, (_, a)) in badges.iter().enumerate() {
            for (_, b) in &badges[..i] {
                assert!((a.0 - b.0).hypot(a.1 - b.1) > 1.9 * BADGE, "{badges:?}");
            }
        }
        assert_eq!(badges[4], far, "who is in nobody's way stays");
    }
}
