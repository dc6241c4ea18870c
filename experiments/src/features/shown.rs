//! Writing a figure of features: its text, its points, its picture.

use super::{
    figure::{MEASURES, Panel, SUBJECTS},
    plot::Picture,
    tsne::Tsne,
};
use crate::{
    drawing, files,
    grid::{
        Grid, TableArgs,
        trained::{Measured, Number},
    },
    pictures::ATTACK,
    report::{
        Measure, Row, Summary,
        caption::{conditions, headline, picture, title},
    },
};
use anyhow::Result;
use data::Name;
use serde::Serialize;

/// A line of `points.csv`.
#[derive(Serialize)]
struct Line<'a> {
    framework: &'a str,
    regularizer: &'a str,
    seed: u64,
    run: String,
    index: u64,
    label: u32,
    class: &'a str,
    subject: &'a str,
    predicted: u32,
    tsne_x: f64,
    tsne_y: f64,
    pca_x: f64,
    pca_y: f64,
}

/// What there is to show.
pub(super) struct Figure<'a> {
    pub(super) grid: &'a Grid,
    pub(super) measured: &'a [Measured<Panel>],
    pub(super) lines: &'a [Measure],
    pub(super) dataset: Name,
}

impl Figure<'_> {
    pub(super) fn write(&self, args: &TableArgs) -> Result<()> {
        let (out, name) = (&args.training.out, self.grid.name);
        let picture = Picture(self);
        for (path, bytes) in [
            (out.join(name).join("points.csv"), self.points()?.into_bytes()),
            (out.join(format!("{name}.md")), self.markdown().into_bytes()),
            (out.join(format!("{name}.svg")), drawing::svg(&picture)?.into_bytes()),
            (out.join(format!("{name}.png")), drawing::png(&picture)?),
        ] {
            files::write(&path, &bytes)?;
            tracing::info!("wrote {}", path.display());
        }
        Ok(())
    }

    /// What is drawn, point by point; `measured-figure1-best.json` of each run has the others.
    fn points(&self) -> Result<String> {
        let (classes, drawn) = (self.dataset.class_names(), self.drawn());
        let lines = drawn.iter().flat_map(|Measured { row, run, answer, .. }| {
            answer.more.points.iter().map(|point| Line {
                framework: &row.framework,
                regularizer: &row.regularizer,
                seed: run.config().seed,
                run: run.config().id(),
                index: point.index,
                label: point.label,
                class: classes[point.label as usize],
                subject: &point.subject,
                predicted: point.predicted,
                tsne_x: point.tsne[0],
                tsne_y: point.tsne[1],
                pca_x: point.pca[0],
                pca_y: point.pca[1],
            })
        });
        files::csv(&lines.collect::<Vec<_>>())
    }

    /// What is drawn: of each row, the first seed there is.
    pub(super) fn drawn(&self) -> Vec<&Measured<Panel>> {
        let mut drawn: Vec<&Measured<Panel>> = self.measured.iter().collect();
        drawn.dedup_by(|a, b| a.row.label == b.row.label);
        drawn
    }

    /// `Figure 1, MNIST: ...`
    pub(super) fn title(&self) -> String {
        let of = self.lines.iter().map(|line| (line.dataset.as_str(), line.profile.as_str()));
        headline(self.grid.name, self.grid.caption, of)
    }

    /// What is shown, and how it was made.
    pub(super) fn caption(&self) -> Vec<String> {
        let Tsne { perplexity, iterations, .. } = Tsne::default();
        let drawn = self.drawn();
        let of = |text: &dyn Fn(&Measured<Panel>) -> String| -> String {
            let each = drawn.iter().map(|one| format!("{} ({})", text(one), one.row.label));
            each.collect::<Vec<_>>().join(", ")
        };
        vec![
            format!(
                "{}; adversarial: {ATTACK}. Of several seeds, the first is drawn.",
                conditions(self.lines.iter().map(Into::into))
            ),
            format!(
                "Clean and adversarial features, divided by their norms, placed together for each network. t-SNE \
                 (perplexity {perplexity}, {iterations} steps from the principal components; divergence in nats: {}) keeps \
                 neighbourhoods: sizes of clusters and distances between them mean nothing. Principal components keep {} of the variance. \
                 Statistics are of the features, not of the plane.",
                of(&|one| format!("{:.2}", one.answer.more.divergence)),
                of(&|one| format!("{:.0} %", 100. * one.answer.more.share)),
            ),
        ]
    }

    /// The statistic `measure` of `subject` in what was found of one run.
    pub(super) fn number(one: &Measured<Panel>, subject: &str, measure: &str) -> Option<f64> {
        let named = |number: &&Number| number.subject == subject && number.measure == measure;
        one.answer.numbers.iter().find(named).map(|number| number.value)
    }

    pub(super) fn markdown(&self) -> String {
        let picture = picture(&format!("{}.svg", self.grid.name), &self.title());
        let mut lines = vec![format!("**{}.** {}.", title(self.grid.name), self.grid.caption), String::new(), picture];
        for text in self.caption() {
            lines.extend([String::new(), text]);
        }
        lines.extend([
            String::new(),
            "| | features | Fisher ratio | Silhouette | Intra-class distance | Inter-class distance | Neighbour, % |"
                .into(),
            "|---|---|---:|---:|---:|---:|---:|".into(),
        ]);
        let mut seeds: Vec<(&str, usize)> = Vec::new();
        for Measured { row: Row { label, .. }, .. } in self.drawn() {
            let of_row = || self.measured.iter().filter(|one| one.row.label == *label);
            seeds.push((label, of_row().count()));
            for subject in SUBJECTS {
                let numbers = MEASURES.map(|(name, _)| {
                    let digits = if name.ends_with("percent") { 1 } else { 3 };
                    let values: Vec<f64> = of_row().filter_map(|one| Self::number(one, subject, name)).collect();
                    Summary::of(&values).map_or("—".into(), |summary| summary.text(digits))
                });
                lines.push(format!("| {label} | {subject} | {} |", numbers.join(" | ")));
            }
        }
        if seeds.iter().any(|(_, seeds)| *seeds > 1) {
            let mut over = "seeds (Student)".to_owned();
            if seeds.iter().any(|(_, count)| *count != seeds[0].1) {
                let each: Vec<String> = seeds.iter().map(|(label, count)| format!("{label} {count}")).collect();
                over = format!("the row's seeds (Student): {}", each.join(", "));
            }
            let each = format!("each seed's are in `{}/measures.csv`", self.grid.name);
            lines.extend([String::new(), format!("± is half the 95 % interval of the mean over {over}; {each}.")]);
        }
        lines.extend([String::new(), DEFINITIONS.into()]);
        lines.join("\n") + "\n"
    }
}

const DEFINITIONS: &str = "- *Fisher ratio*: trace of the scatter between classes, `sum_k n_k |m_k - m|^2`, over that within \
    classes, `sum_k sum_i |z_i - m_k|^2`.\n\
    - *Silhouette*: mean over points of `(b - a) / max(a, b)`, where `a` is the mean distance to the own class and `b` the \
    smallest mean distance to another (Rousseeuw 1987).\n\
    - *Intra-* and *inter-class distance*: mean Euclidean distance over all pairs of one class, and of two.\n\
    - *Neighbour*: features whose nearest other is of their class (Cover and Hart 1967). Unlike the others it does not change \
    with distances within a class, which I2FR makes small in training.\n\
    - Classes are the true ones, also of adversarial features.";
