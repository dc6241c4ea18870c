//! Pictures of a trained network at work, drawn once: test images, their adversarial examples and what
//! changed (`examples.png`); and where the features of both lie (`features.png`).

pub(crate) mod scatter;
pub(crate) mod sheet;

use crate::{
    drawing::encoded,
    files,
    interrupt::{self, Interrupted},
    run::{Checkpoint, Run},
};
use anyhow::{Context, Result};
use attacks::{Keys, Probe, Victim};
use candle::{D, Device, Tensor};
use data::{Batch, Dataset, Splits};
use image::ImageFormat;
use models::{Mode, Model};
use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

/// What makes the adversarial examples.
pub const ATTACK: &str = "pgd-20";

/// Classes shown, and test images of each: few enough to be told apart, and to be attacked in seconds.
pub(crate) const CLASSES: u32 = 10;
pub(crate) const OF_EACH: usize = 20;

/// Images attacked at once, between two looks at whether the user has had enough.
const BATCH: usize = 50;

/// The pictures by name; each is a PNG file of that name.
const NAMES: [&str; 2] = ["examples", "features"];

/// A picture of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// `examples` or `features`.
    pub name: &'static str,
    /// The file.
    pub png: Vec<u8>,
    /// Its width and height in pixels.
    pub size: (u32, u32),
}

/// Test images and what an attack made of them.
pub(crate) struct Scene {
    shape: [usize; 3],
    pub(crate) labels: Vec<u32>,
    pub(crate) clean: Seen,
    pub(crate) adversarial: Seen,
}

/// Images as a network sees them, one entry an image.
#[derive(Default)]
pub(crate) struct Seen {
    pixels: Vec<Vec<f32>>,
    pub(crate) features: Vec<Vec<f32>>,
    pub(crate) predicted: Vec<u32>,
}

/// Whether all pictures of `run` are there.
pub(crate) fn drawn(run: &Run) -> bool {
    NAMES.iter().all(|name| path(run.folder(), name).is_file())
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension("png")
}

/// Draws the selected weights of `run` at work, unless that is done or its weights are gone.
///
/// # Errors
/// When the network fails, a file cannot be written, or the user interrupts.
pub fn draw(run: &Run, data: &Splits, device: &Device) -> Result<()> {
    if drawn(run) || !run.trained() {
        return Ok(());
    }
    let path = |name: &str| path(run.folder(), name);
    let net = run.net(Checkpoint::Best, data, device)?;
    let probe = Probe::named(ATTACK, run.config().ball()?)?;
    let of_class = |class| (0..data.test.len()).filter(move |&i| data.test.label(i) == class).take(OF_EACH);
    let positions: Vec<usize> = (0..CLASSES).flat_map(of_class).collect();
    let scene = Scene::of(&net.frozen(), &probe, &data.test, &positions, run.config().seed, device)?;
    files::write(&path("examples"), &encoded(&sheet::draw(&scene)?)?)?;
    files::write(&path("features"), &encoded(&scatter::draw(&scene)?)?)
}

/// The pictures in `folder`.
///
/// # Errors
/// When one is no picture.
pub fn read(folder: &Path) -> Result<Vec<Picture>> {
    let there = NAMES.iter().map(|name| (*name, path(folder, name)));
    let picture = |(name, path): (&'static str, PathBuf)| {
        let broken = || format!("{}: not a picture; delete it to draw it again", path.display());
        let png = std::fs::read(&path).with_context(broken)?;
        let size = image::ImageReader::with_format(Cursor::new(&png), ImageFormat::Png).into_dimensions();
        Ok(Picture { name, size: size.with_context(broken)?, png })
    };
    there.filter(|(_, path)| path.is_file()).map(picture).collect()
}

/// Removes the pictures in `folder`.
///
/// # Errors
/// When one cannot be removed.
pub fn remove(folder: &Path) -> Result<()> {
    NAMES.iter().try_for_each(|name| files::remove(&path(folder, name)))
}

impl Scene {
    /// The images at `positions`, attacked by `probe`.
    ///
    /// # Errors
    /// When the network fails, or the user interrupts.
    pub(crate) fn of(
        model: &dyn Model,
        probe: &Probe,
        test: &Dataset,
        positions: &[usize],
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let labels = positions.iter().map(|&i| test.label(i)).collect();
        let mut scene = Self { shape: test.shape(), labels, clean: Seen::default(), adversarial: Seen::default() };
        let victim = Victim { model, mode: Mode::Eval, objective: &probe.objective };
        for chunk in positions.chunks(BATCH) {
            if interrupt::check().is_break() {
                return Err(Interrupted.into());
            }
            let Batch { images, labels, examples } = test.batch(chunk, device)?;
            let keys = Keys { seed, epoch: 0, examples: &examples };
            let adversarial = probe.attack.perturb(victim, &images, &labels, &keys)?;
            scene.clean.see(model, &images)?;
            scene.adversarial.see(model, &adversarial)?;
        }
        Ok(scene)
    }
}

impl Seen {
    fn see(&mut self, model: &dyn Model, images: &Tensor) -> Result<()> {
        let output = model.forward(images, Mode::Eval)?;
        self.pixels.extend(images.flatten_from(1)?.to_vec2::<f32>()?);
        self.features.extend(output.features.to_vec2::<f32>()?);
        self.predicted.extend(output.logits.argmax(D::Minus1)?.to_vec1::<u32>()?);
        Ok(())
    }
}
