//! Measuring what a figure of features shows.

use super::{
    Separation, normalized,
    pca::pca,
    shown::Figure,
    tsne::{Embedding, Tsne},
};
use crate::{
    arsenal,
    grid::{
        self, Grid, TableArgs,
        trained::{Answer, Measurement, Number, Subject},
    },
    pictures::{ATTACK, Scene},
    process::Usage,
    profile::{self, examples_at_most},
    run::Run,
};
use anyhow::Result;
use attacks::Probe;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// At most so many images: their clean and adversarial features are told apart in a picture, and t-SNE takes seconds.
const IMAGES: usize = 300;

/// As many classes as there are colours; of a data set with more, images of the others are left out.
const CLASSES: u32 = 10;

/// The statistics by name, and short for a picture.
pub(super) const MEASURES: [(&str, &str); 5] = [
    ("fisher-ratio", "Fisher"),
    ("silhouette", "silhouette"),
    ("intra-distance", "intra"),
    ("inter-distance", "inter"),
    ("neighbor-percent", "neighbour"),
];

/// The subjects by name.
pub(super) const SUBJECTS: [&str; 2] = ["clean", "adv"];

/// A feature in both planes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The test image, by its position in the data set.
    pub index: u64,
    /// Its class.
    pub label: u32,
    /// `clean` or `adv`.
    pub subject: String,
    /// The class that the network takes it for.
    pub predicted: u32,
    /// Its place by t-SNE.
    pub tsne: [f64; 2],
    /// Its place by principal components.
    pub pca: [f64; 2],
}

/// The features of one network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// Clean ones, then adversarial ones.
    pub points: Vec<Point>,
    /// The divergence that t-SNE ended with, in nats.
    pub divergence: f64,
    /// The share of the variance that the plane of principal components has.
    pub share: f64,
}

/// A figure of features; of its grid, rows count. It shows one framework: the first, unless `--only` picks another.
pub struct Distribution(pub Grid);

impl Distribution {
    /// The whole binary.
    pub fn main(self) -> ExitCode {
        grid::main(self.0.name, self.0.caption, |args| self.work(args))
    }

    fn work(mut self, args: &TableArgs) -> Result<()> {
        if args.only.is_empty() {
            let first = self.0.rows.first().map(|row| row.framework());
            self.0.rows.retain(|row| Some(row.framework()) == first);
        }
        let frameworks = self.0.frameworks(args)?;
        if frameworks.len() > 1 {
            let (name, all) = (self.0.name, frameworks.join(", "));
            return Err(Usage(format!("{name} shows one framework: choose one with --only ({all})")).into());
        }
        self.0.study(&self, args, |measured, lines| {
            let dataset = profile::resolve(&args.training).dataset.parse()?;
            let figure = Figure { grid: &self.0, measured, lines, dataset };
            figure.write(args)?;
            Ok(figure.markdown())
        })
    }
}

impl Measurement for Distribution {
    type More = Panel;

    fn settings(&self, run: &Run, args: &TableArgs) -> Result<String> {
        let names = MEASURES.map(|(name, _)| name).join(", ");
        Ok(format!(
            "first {} test images of {CLASSES} classes; {}; {:?}; {names}",
            examples_at_most(&args.training, IMAGES),
            arsenal::revised(ATTACK, run.config().ball()?.norm),
            Tsne::default()
        ))
    }

    fn measure(&self, subject: &Subject<'_>) -> Result<Answer<Panel>> {
        let test = &subject.data.test;
        let of_few = (0..test.len()).filter(|&i| test.label(i) < CLASSES);
        let positions: Vec<usize> = of_few.take(examples_at_most(&subject.args.training, IMAGES)).collect();
        let config = subject.run.config();
        let probe = Probe::named(ATTACK, config.ball()?)?;
        let scene = Scene::of(subject.model, &probe, test, &positions, config.seed, subject.device)?;
        let labels = &scene.labels;
        let seen = [&scene.clean, &scene.adversarial];
        let features: Vec<Vec<f32>> = seen.iter().flat_map(|seen| normalized(&seen.features)).collect();
        let plane = pca(&features, 2);
        let Embedding { places, divergence } = Tsne::default().embed(&features)?;
        let mut numbers = Vec::new();
        for (name, features) in SUBJECTS.iter().zip(features.chunks(labels.len().max(1))) {
            for (measure, value) in Separation::of(features, labels).named() {
                let number = |value| Number { subject: (*name).into(), measure: measure.into(), value };
                numbers.extend(value.map(number));
            }
        }
        let point = |i: usize| {
            let (subject, image) = (i / positions.len(), i % positions.len());
            Point {
                index: test.index(positions[image]),
                label: labels[image],
                subject: SUBJECTS[subject].into(),
                predicted: seen[subject].predicted[image],
                tsne: places[i],
                pca: [plane.places[i][0], plane.places[i][1]],
            }
        };
        let points = (0..features.len()).map(point).collect();
        let more = Panel { points, divergence, share: plane.shares.iter().sum() };
        Ok(Answer { examples: positions.len(), numbers, more })
    }
}
