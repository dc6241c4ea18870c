//! The embedded data set: ten drawn shapes and textures on cluttered backgrounds.
//!
//! Every image carries its class twice. The *figure* is large and, in most images, of more contrast
//! than an adversary may add; it is what a robust model has to use. The *grain* is a faint periodic
//! texture over the whole image, easy to learn and smaller than the usual budget of 8/255, so that
//! a model which relies on it is accurate and not robust. The constants below set the difficulty.

mod figure;

use kernels::{Key, fill_normal};
use rand::{Rng, RngExt};
use rayon::prelude::*;

use crate::{Dataset, Name, Splits};

/// Examples in the training split.
pub(crate) const TRAIN: usize = 4_000;
/// Examples in the test split.
pub(crate) const TEST: usize = 2_000;

/// Difference between figure and background in the channel where it is largest, drawn
/// log-uniformly; 1 is the full range. An adversary with budget eps can hide up to 2 eps of it.
const CONTRAST: [f32; 2] = [0.2, 0.8];
/// How often a figure has its class's typical hue (else a random colour), and how far that hue strays
/// either way, in radians; the ten hues are 0.63 apart, so colour helps and does not decide.
const HUE: (f64, f32) = (0.85, 0.4);
/// Largest amplitude of the grain; below 8/255 = 0.031 it can be erased, and another class's drawn.
const GRAIN: f32 = 0.014;
/// Standard deviation of the noise of each pixel and channel.
const NOISE: f32 = 0.02;
/// Radius of the figure in pixels.
const RADIUS: [f32; 2] = [7.0, 12.0];
/// Largest rotation of the figure, in radians, either way.
const ROTATION: f32 = 0.2;
/// The background's colour, each channel.
const BACKGROUND: [f32; 2] = [0.3, 0.7];
/// Largest rise of the background's brightness from one side to the other.
const GRADIENT: f32 = 0.2;
/// Soft blobs of clutter, and their largest amplitude.
const BLOBS: (usize, f32) = (2, 0.08);
/// Thin lines of clutter, and their largest amplitude.
const LINES: (usize, f32) = (1, 0.15);
/// How often a rectangle hides part of the figure, and its sides in pixels.
const OCCLUSION: (f64, [f32; 2]) = (0.15, [4.0, 8.0]);
/// The whole image is scaled by a factor from this range.
const BRIGHTNESS: [f32; 2] = [0.8, 1.2];

/// The classes, in label order.
pub(crate) const CLASS_NAMES: [&str; 10] = [
    "disc",
    "ring",
    "square",
    "triangle",
    "cross",
    "horizontal stripes",
    "vertical stripes",
    "checkerboard",
    "dots",
    "diagonal bars",
];

/// Width and height of an image.
const SIDE: usize = 32;
/// Values in an image.
const SIZE: usize = 3 * SIDE * SIDE;

/// Draws the data set that belongs to `seed`: labels are 0, 1, .., 9, 0, 1, ... in both splits.
pub(crate) fn splits(seed: u64) -> Splits {
    Splits { train: split(seed, "synthetic train", TRAIN), test: split(seed, "synthetic test", TEST) }
}

fn split(seed: u64, part: &str, n: usize) -> Dataset {
    let labels: Vec<u8> = (0..CLASS_NAMES.len() as u8).cycle().take(n).collect();
    let mut pixels = vec![0; n * SIZE];
    pixels.par_chunks_exact_mut(SIZE).zip(&labels).enumerate().for_each(|(i, (out, &class))| {
        let key = Key { seed, epoch: 0, example: i as u64, restart: 0 }.domain(part);
        draw(key, usize::from(class), out);
    });
    Dataset::new(Name::Synthetic, pixels, labels).expect("n images of the declared shape, labels below ten")
}

/// Draws one image of `class` into `out`, `(3, SIDE, SIDE)`.
fn draw(key: Key, class: usize, out: &mut [u8]) {
    let mut rng = key.rng();
    let mut image = vec![0.0; SIZE];
    fill_normal(key.domain("noise"), NOISE, &mut image);

    let base = [0; 3].map(|_| uniform(&mut rng, BACKGROUND));
    let mut background = shade(&mut rng);
    for _ in 0..BLOBS.0 {
        blob(&mut rng, &mut background);
    }
    for _ in 0..LINES.0 {
        line(&mut rng, &mut background);
    }

    let radius = uniform(&mut rng, RADIUS);
    let reach = SIDE as f32 / 2.0 - 0.9 * radius;
    let centre = [0; 2].map(|_| SIDE as f32 / 2.0 + uniform(&mut rng, [-reach, reach]));
    let placed = figure::Placed { class, centre, radius, angle: uniform(&mut rng, [-ROTATION, ROTATION]) };
    let contrast = (uniform(&mut rng, CONTRAST.map(f32::ln))).exp();
    let tint = colour(&mut rng, class).map(|t| t * contrast);
    let occluder = occluder(&mut rng, centre, radius);
    let grain = figure::Grain::draw(&mut rng, class, GRAIN);
    let brightness = uniform(&mut rng, BRIGHTNESS);

    for y in 0..SIDE {
        for x in 0..SIDE {
            let hidden = occluder.as_ref().filter(|o| o.covers(x as f32, y as f32));
            let cover = if hidden.is_some() { 0.0 } else { placed.cover(x as f32, y as f32) };
            for channel in 0..3 {
                let i = (channel * SIDE + y) * SIDE + x;
                let value = base[channel]
                    + background[y * SIDE + x]
                    + cover * tint[channel]
                    + hidden.map_or(0.0, |o| o.tint[channel])
                    + grain.at(x as f32, y as f32);
                out[i] = ((value * brightness + image[i]) * 255.0).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

fn uniform(rng: &mut impl Rng, [low, high]: [f32; 2]) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// A random colour change whose largest channel is 1 or -1.
fn direction(rng: &mut impl Rng) -> [f32; 3] {
    let raw = [0; 3].map(|_| uniform(rng, [-1.0, 1.0]));
    let largest = raw.iter().fold(1e-3, |m: f32, v| m.max(v.abs()));
    raw.map(|v| v / largest)
}

/// The colour change of a figure of `class`, its largest channel 1 or -1.
fn colour(rng: &mut impl Rng, class: usize) -> [f32; 3] {
    let (typical, spread) = HUE;
    if !rng.random_bool(typical) {
        return direction(rng);
    }
    let turn = std::f32::consts::TAU;
    let hue = class as f32 * turn / CLASS_NAMES.len() as f32 + uniform(rng, [-spread, spread]);
    let raw = [0.0, turn / 3.0, -turn / 3.0].map(|channel| (hue - channel).cos());
    let largest = raw.iter().fold(1e-3, |m: f32, v| m.max(v.abs()));
    raw.map(|v| v / largest)
}

/// A linear gradient.
fn shade(rng: &mut impl Rng) -> Vec<f32> {
    let (sin, cos) = uniform(rng, [0.0, std::f32::consts::TAU]).sin_cos();
    let rise = uniform(rng, [0.0, GRADIENT]) / SIDE as f32;
    let middle = (SIDE as f32 - 1.0) / 2.0;
    (0..SIDE * SIDE).map(|i| rise * (((i % SIDE) as f32 - middle) * cos + ((i / SIDE) as f32 - middle) * sin)).collect()
}

fn blob(rng: &mut impl Rng, background: &mut [f32]) {
    let [cx, cy] = [0; 2].map(|_| uniform(rng, [0.0, SIDE as f32]));
    let width = uniform(rng, [2.0, 5.0]);
    let height = uniform(rng, [-BLOBS.1, BLOBS.1]);
    for (i, value) in background.iter_mut().enumerate() {
        let (dx, dy) = ((i % SIDE) as f32 - cx, (i / SIDE) as f32 - cy);
        *value += height * (-(dx * dx + dy * dy) / (2.0 * width * width)).exp();
    }
}

fn line(rng: &mut impl Rng, background: &mut [f32]) {
    let [cx, cy] = [0; 2].map(|_| uniform(rng, [0.0, SIDE as f32]));
    let (sin, cos) = uniform(rng, [0.0, std::f32::consts::PI]).sin_cos();
    let half = uniform(rng, [4.0, 12.0]);
    let height = uniform(rng, [-LINES.1, LINES.1]);
    for (i, value) in background.iter_mut().enumerate() {
        let (dx, dy) = ((i % SIDE) as f32 - cx, (i / SIDE) as f32 - cy);
        let (along, across) = (dx * cos + dy * sin, dy * cos - dx * sin);
        if along.abs() < half {
            *value += height * (1.0 - across.abs()).max(0.0);
        }
    }
}

/// A rectangle over part of the figure.
struct Occluder {
    x: [f32; 2],
    y: [f32; 2],
    tint: [f32; 3],
}

impl Occluder {
    fn covers(&self, x: f32, y: f32) -> bool {
        (self.x[0]..self.x[1]).contains(&x) && (self.y[0]..self.y[1]).contains(&y)
    }
}

fn occluder(rng: &mut impl Rng, centre: [f32; 2], radius: f32) -> Option<Occluder> {
    let (probability, sides) = OCCLUSION;
    rng.random_bool(probability).then(|| {
        let [x, y] = centre.map(|c| {
            let middle = c + uniform(rng, [-radius, radius]);
            let half = uniform(rng, sides) / 2.0;
            [middle - half, middle + half]
        });
        Occluder { x, y, tint: direction(rng).map(|t| t * 0.2) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_images_and_another_seed_others() {
        let hash = |seed| split(seed, "test", 20).sha256();
        assert_eq!(hash(3), hash(3));
        assert_ne!(hash(3), hash(4));
    }

    #[test]
    fn an_image_does_not_depend_on_how_many_are_drawn() {
        let (few, many) = (split(1, "test", 7), split(1, "test", 30));
        assert_eq!(few.sha256(), many.first(7).sha256());
    }

    #[test]
    fn labels_are_balanced_and_the_splits_share_no_image() {
        let Splits { train, test } = splits(0);
        for (part, n) in [(&train, TRAIN), (&test, TEST)] {
            assert_eq!(part.len(), n);
            for class in 0..10 {
                assert_eq!(part.labels().iter().filter(|&&l| l == class).count(), n / 10);
            }
        }
        let seen: std::collections::HashSet<&[u8]> = (0..train.len()).map(|i| train.pixels(i)).collect();
        assert_eq!(seen.len(), TRAIN);
        assert!((0..test.len()).all(|i| !seen.contains(test.pixels(i))));
    }
}
