//! How a training went, epoch by epoch.

use crate::{
    drawing::pen::{self, ACCENT, Anchor, Color, INK, LOSS, MUTED, Pen, RAIL},
    findings::EpochLine,
};
use anyhow::Result;
use plotters::{backend::SVGBackend, drawing::IntoDrawingArea};

const SIZE: (f64, f64) = (470.0, 276.0);
const LEFT: f64 = 44.0;
const RIGHT: f64 = 100.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 40.0;
/// Names of lines are at least so far apart.
const APART: f64 = 15.0;

/// A line of a chart, named at its end.
struct Line {
    name: String,
    color: Color,
    values: Vec<f64>,
}

/// The training loss.
pub(super) fn loss(epochs: &[EpochLine]) -> Result<String> {
    let values: Vec<f64> = epochs.iter().map(|line| line.loss).collect();
    let name = values.last().map_or_else(String::new, |last| format!("loss {last:.3}"));
    let lines = [Line { name, color: INK, values }];
    chart("Training loss", epochs, &lines, None)
}

/// Accuracy on held-out images, clean and under the attack that chooses the epoch.
pub(super) fn accuracy(epochs: &[EpochLine]) -> Result<String> {
    let line = |name: &str, color, of: fn(&EpochLine) -> f64| {
        let values: Vec<f64> = epochs.iter().map(of).collect();
        let name = values.last().map_or_else(String::new, |last| format!("{name} {last:.1} %"));
        Line { name, color, values }
    };
    let mut lines = vec![line("clean", ACCENT, |line| line.held_out_clean_percent)];
    let attacked = line("robust", LOSS, |line| line.held_out_robust_percent);
    // The undefended control is not attacked; its epochs say the same twice.
    if attacked.values != lines[0].values {
        lines.push(attacked);
    }
    chart("Held-out accuracy", epochs, &lines, Some(100.0))
}

/// The SVG of `lines` over `epochs`, from 0 to `most` or what the lines reach.
fn chart(title: &str, epochs: &[EpochLine], lines: &[Line], most: Option<f64>) -> Result<String> {
    pen::load_font()?;
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (SIZE.0 as u32, SIZE.1 as u32)).into_drawing_area();
        draw(&Pen::new(&root, 1.0, false), title, epochs, lines, most)?;
        root.present()?;
    }
    // Inside of HTML the name space goes without saying.
    let text = text.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", "", 1);
    Ok(text.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{title} by epoch\" "), 1))
}

fn draw(
    pen: &Pen<'_, SVGBackend<'_>>,
    title: &str,
    epochs: &[EpochLine],
    lines: &[Line],
    most: Option<f64>,
) -> Result<()> {
    let (width, height) = (SIZE.0 - LEFT - RIGHT, SIZE.1 - TOP - BOTTOM);
    let reached = lines.iter().flat_map(|line| &line.values).copied().fold(0.0, f64::max);
    let step = step(most.unwrap_or(reached), 4.0);
    let most = most.unwrap_or_else(|| (reached / step).ceil().max(1.0) * step);
    let last = epochs.last().map_or(1, |line| line.epoch);
    let x = |epoch: usize| match last {
        1 => LEFT + width / 2.0,
        _ => LEFT + width * (epoch - 1) as f64 / (last - 1) as f64,
    };
    let y = |value: f64| TOP + height * (1.0 - value.clamp(0.0, most) / most);

    pen.strong(title, (0.0, 12.0), 13.0, INK)?;
    for tick in 0..=(most / step).round() as usize {
        let value = tick as f64 * step;
        pen.line((LEFT, y(value)), (LEFT + width, y(value)), RAIL, 1.0)?;
        let digits = (-step.log10().floor()).max(0.0) as usize;
        pen.text(&format!("{value:.digits$}"), (LEFT - 20.0, y(value)), 11.0, MUTED, Anchor::Center)?;
    }
    let every = self::step(last as f64, 6.0).max(1.0) as usize;
    for epoch in (1..=last).filter(|epoch| *epoch == 1 || (epoch % every == 0 && *epoch > every / 2)) {
        pen.text(&epoch.to_string(), (x(epoch), TOP + height + 13.0), 11.0, MUTED, Anchor::Center)?;
    }
    pen.text("epoch", (LEFT + width / 2.0, TOP + height + 30.0), 11.0, MUTED, Anchor::Center)?;
    if let Some(selected) = epochs.iter().rfind(|line| line.best) {
        let x = x(selected.epoch);
        pen.line((x, TOP - 2.0), (x, TOP + height), MUTED, 1.0)?;
        let name = format!("selected: {}", selected.epoch);
        let room = pen::width(&name, 11.0) / 2.0;
        pen.text(&name, (x.min(SIZE.0 - room), TOP - 10.0), 11.0, MUTED, Anchor::Center)?;
    }
    let mut ends: Vec<(f64, &Line)> = Vec::new();
    for line in lines {
        let points: Vec<(f64, f64)> =
            epochs.iter().zip(&line.values).map(|(e, &value)| (x(e.epoch), y(value))).collect();
        pen.path(&points, line.color, 2.0)?;
        // Few epochs are points that a line joins; many are a line.
        for &point in points.iter().filter(|_| points.len() <= 40) {
            pen.disc(point, 3.0, line.color)?;
        }
        ends.extend(points.last().map(|&(_, y)| (y, line)));
    }
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut above = f64::NEG_INFINITY;
    for (y, line) in ends {
        above = y.max(above + APART);
        pen.text(&line.name, (x(last) + 9.0, above), 12.0, line.color, Anchor::Left)?;
    }
    Ok(())
}

/// The round number (1, 2, 2.5 or 5, times a power of ten) nearest above a `parts`-th of `range`.
fn step(range: f64, parts: f64) -> f64 {
    let least = (range / parts).max(1e-9);
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .map(|round| round * power)
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    #[test]
    fn steps_are_round() {
        for (range, parts, expected) in [(100., 4., 25.), (3.1, 4., 1.), (0.7, 4., 0.2), (7., 6., 2.), (40., 4., 10.)] {
            let step = super::step(range, parts);
            assert!((step - expected).abs() < 1e-9, "{range} / {parts}: {step}");
        }
    }
}
