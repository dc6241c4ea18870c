//! What each network sees: test images, what an attack makes of them, and where the features of both lie.

use super::{heading, named, title};
use crate::{
    drawing::{
        bitmap, encoded,
        pen::{self, Anchor, INK, MUTED},
    },
    files,
    grid::{self, Grid, Question, Survey, TableArgs},
    interrupt::{self, Interrupted},
    pictures::{self, Picture},
    process::Usage,
    report::{caption, markdown::escape},
    run::{Checkpoint, Run},
    verdicts::CLEAN,
};
use anyhow::{Context, Result};
use data::Splits;
use image::{RgbImage, imageops};
use std::{io::Cursor, path::Path, process::ExitCode};

/// Space around pictures, in pixels.
const GAP: u32 = 36;
/// Height of a title, of the page and of a row.
const TITLE: u32 = 64;
/// Height of a line below all.
const FOOTER_LINE: u32 = 30;

/// A row of pictures for each row of a grid, of its first seed.
pub struct Montage(pub Grid);

impl Montage {
    /// The whole binary.
    pub fn main(&self) -> ExitCode {
        grid::main(self.0.name, self.0.caption, |args| {
            if args.checkpoint == Checkpoint::Last {
                let what = format!("--checkpoint last: {} shows the selected weights", self.0.name);
                return Err(Usage(what).into());
            }
            let clean = |run: &Run, _: &[&Run]| Ok(vec![Question::new(CLEAN, &run.config().epsilon, args.checkpoint)]);
            self.0.survey(args, clean, |survey| show(survey, args))
        })
    }
}

/// The pictures in the folder of a run, drawn first where they are not there but its weights are: those are kept longer.
fn pictures_of(folder: &Path, args: &TableArgs, data: &mut Option<Splits>) -> Result<Vec<Picture>> {
    let run = Run::open(folder)?;
    if !args.render_only && !pictures::drawn(&run) && run.trained() {
        // They would be missed by a page that is made without them.
        if interrupt::check().is_break() {
            return Err(Interrupted.into());
        }
        let data = match data {
            Some(data) => data,
            none => none.insert(grid::load(args)?),
        };
        pictures::draw(&run, data, &args.training.device.open()?)?;
    }
    pictures::read(folder)
}

/// Writes the page, and a text about it.
fn show(survey: &Survey, args: &TableArgs) -> Result<String> {
    let (mut strips, mut missing, mut data) = (Vec::new(), Vec::new(), None);
    for row in &survey.rows {
        let Some(cell) = survey.cells.iter().find(|cell| cell.is_of(row)) else { continue };
        let drawn = pictures_of(&args.training.out.join("runs").join(&cell.run), args, &mut data)?;
        match drawn.is_empty() {
            true => missing.push(row.label.clone()),
            false => strips.push((format!("{}, seed {}", row.label, cell.seed), decoded(&drawn)?)),
        }
    }
    let out = &args.training.out;
    let absent = match missing.is_empty() {
        true => String::new(),
        false => format!("\nWithout pictures, since none were kept: {}.\n", escape(&missing.join(", "))),
    };
    let cell = &survey.cells[0];
    let examples = pictures::OF_EACH * pictures::CLASSES as usize;
    let footer = format!(
        "Left: the first test image of each of the first {} classes, its adversarial example ({}), what the network says of \
         both, and the change, stretched to the whole range. Right: the features of the first {} of each class, clean and adversarial, in \
         the plane of their first two principal components. {}{}.",
        pictures::CLASSES,
        pictures::ATTACK.to_uppercase(),
        pictures::OF_EACH,
        classes(&cell.dataset)?,
        caption::conditions(survey.cells.iter().map(|cell| caption::Condition { examples, ..cell.into() }))
    );
    let text = format!(
        "{}\n\n{footer} Accuracy on {} test images is in {}/cells.csv.\n{absent}",
        if strips.is_empty() { named(survey) } else { heading(survey, "png") },
        caption::grouped(cell.examples),
        survey.name
    );
    let picture = out.join(format!("{}.png", survey.name));
    match strips.is_empty() {
        true => files::remove(&picture)?,
        false => files::write(&picture, &encoded(&stacked(&title(survey), &strips, &footer)?)?)?,
    }
    files::write(&out.join(format!("{}.md", survey.name)), text.as_bytes())?;
    Ok(text)
}

/// What the digits of the pictures stand for, unless for themselves.
fn classes(dataset: &str) -> Result<String> {
    let names = dataset.parse::<data::Name>().map_err(anyhow::Error::msg)?.class_names();
    if names.iter().any(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        return Ok(String::new());
    }
    let listed: Vec<String> =
        names.iter().take(pictures::CLASSES as usize).enumerate().map(|(i, name)| format!("{i} {name}")).collect();
    Ok(format!("Classes: {}. ", listed.join(", ")))
}

fn decoded(pictures: &[Picture]) -> Result<Vec<RgbImage>> {
    let decode = |picture: &Picture| {
        let image = image::ImageReader::with_format(Cursor::new(&picture.png), image::ImageFormat::Png).decode();
        Ok(image.with_context(|| format!("{} is no picture", picture.name))?.to_rgb8())
    };
    pictures.iter().map(decode).collect()
}

/// Strips below one another, each under its title, below that of the page and above its `footer`.
fn stacked(title: &str, strips: &[(String, Vec<RgbImage>)], footer: &str) -> Result<RgbImage> {
    let width = |strip: &[RgbImage]| strip.iter().map(|image| image.width() + GAP).sum::<u32>() + GAP;
    let height = |strip: &[RgbImage]| strip.iter().map(RgbImage::height).max().unwrap_or(0) + TITLE + GAP;
    let wide = strips.iter().map(|(_, strip)| width(strip)).max().unwrap_or(0);
    let footer = pen::wrap(footer, 10.5, f64::from(wide - 2 * GAP) / 2.);
    let below = strips.iter().map(|(_, strip)| height(strip)).sum::<u32>() + TITLE + GAP;
    let high = below + FOOTER_LINE * footer.len() as u32 + GAP;
    // Titles are drawn in units of two pixels.
    let mut page = bitmap((f64::from(wide) / 2., f64::from(high) / 2.), |pen| {
        let heading = |text: &str, y: u32, size| {
            pen.strong(text, (f64::from(GAP) / 2., f64::from(y + TITLE / 2) / 2.), size, INK)
        };
        heading(title, GAP / 2, 17.)?;
        let mut y = GAP + TITLE;
        for (i, (row, strip)) in strips.iter().enumerate() {
            if i > 0 {
                let at = f64::from(y) / 2.;
                pen.line((f64::from(GAP) / 2., at), (f64::from(wide - GAP) / 2., at), MUTED, 0.5)?;
            }
            heading(row, y, 15.)?;
            y += height(strip);
        }
        for (i, line) in footer.iter().enumerate() {
            let at = f64::from(below + FOOTER_LINE * i as u32 + GAP / 2) / 2.;
            pen.text(line, (f64::from(GAP) / 2., at), 10.5, MUTED, Anchor::Left)?;
        }
        Ok(())
    })?;
    let mut y = GAP + TITLE;
    for (_, strip) in strips {
        let mut x = GAP;
        for image in strip {
            imageops::replace(&mut page, image, i64::from(x), i64::from(y + TITLE));
            x += image.width() + GAP;
        }
        y += height(strip);
    }
    Ok(page)
}
