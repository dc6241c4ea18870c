//! Pictures of what a survey found: curves, and tables of colours.

pub mod curves;
pub mod heat;
pub mod montage;
pub mod sensitivity;
pub mod transfer;

use crate::{
    files,
    grid::Survey,
    pictures::drawing::{self, Drawing},
    report::caption::grouped,
};
use anyhow::Result;
use std::{collections::BTreeSet, path::Path};

/// Writes `NAME.svg` and `NAME.png` below `out`.
fn write_pictures(name: &str, drawing: &impl Drawing, out: &Path) -> Result<()> {
    files::write(&out.join(format!("{name}.svg")), drawing::svg(drawing)?.as_bytes())?;
    files::write(&out.join(format!("{name}.png")), &drawing::png(drawing)?)?;
    tracing::info!("wrote {0}.svg and {0}.png", out.join(name).display());
    Ok(())
}

/// Network, data set, images, seeds and profile of the answers, in one line.
fn conditions(survey: &Survey) -> String {
    let distinct = |text: &dyn Fn(&crate::report::Cell) -> String| {
        survey.cells.iter().map(text).collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>().join(", ")
    };
    let seeds: BTreeSet<u64> = survey.cells.iter().map(|cell| cell.seed).collect();
    let plural = if seeds.len() == 1 { "seed" } else { "seeds" };
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    format!(
        "{}; {}; {} test images; {plural} {}; profile {}; {} checkpoint",
        distinct(&|cell| cell.dataset.clone()),
        distinct(&|cell| cell.arch.clone()),
        distinct(&|cell| grouped(cell.examples)),
        seeds.join(", "),
        distinct(&|cell| cell.profile.clone()),
        distinct(&|cell| cell.checkpoint.clone()),
    )
}

/// The mean, if there is anything to average.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
