//! What I2FR changes in generated examples, as CSV, Markdown and LaTeX.

use super::{
    RESTARTS, SUBJECTS,
    kind::{KINDS, Kind, parts},
    plot,
};
use crate::{
    drawing, files,
    report::{
        Measure, Paired, Row, Summary,
        caption::{conditions, headline, picture, title},
        differences::{limits, significant, too_few},
        latex, markdown,
    },
};
use anyhow::Result;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Strength and diversity by row.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) name: String,
    pub(super) caption: String,
    pub(super) rows: Vec<Row>,
    measures: Vec<Measure>,
}

/// What I2FR in the attack changes in one measurement of one row, over the seeds for which both are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Without it.
    pub plain: Summary,
    /// With it.
    pub i2fr: Summary,
    /// The difference.
    pub paired: Paired,
    /// The smallest number of images behind any seed.
    pub examples: usize,
}

/// A line of the CSV file.
#[derive(Serialize)]
struct Line<'a> {
    label: &'a str,
    framework: &'a str,
    regularizer: &'a str,
    measure: &'a str,
    unit: &'a str,
    seeds: usize,
    examples: usize,
    plain_mean: f64,
    i2fr_mean: f64,
    difference: f64,
    low: Option<f64>,
    high: Option<f64>,
    p_value: Option<f64>,
}

impl Table {
    /// The table called `name` (`table4`) of `measures`; of equal `rows` one is kept.
    pub fn new(name: &str, caption: &str, mut rows: Vec<Row>, measures: Vec<Measure>) -> Self {
        rows.dedup_by(|a, b| a.label == b.label);
        Self { name: name.into(), caption: caption.into(), rows, measures }
    }

    /// What I2FR changes in `kind` of `row`; `None` where nothing was measured.
    pub fn effect(&self, row: &Row, kind: &Kind) -> Option<Effect> {
        let of = |subject: &str| -> BTreeMap<u64, &Measure> {
            let here = |m: &&Measure| m.framework == row.framework && m.regularizer == row.regularizer;
            let this = |m: &&Measure| m.measure == kind.name && m.subject == subject;
            self.measures.iter().filter(here).filter(this).map(|m| (m.seed, m)).collect()
        };
        let [plain, i2fr] = SUBJECTS.map(of);
        let pairs: Vec<(&Measure, &Measure)> =
            plain.iter().filter_map(|(seed, plain)| Some((*plain, *i2fr.get(seed)?))).collect();
        let values = |of: fn(&(&Measure, &Measure)) -> f64| pairs.iter().map(of).collect::<Vec<f64>>();
        Some(Effect {
            plain: Summary::of(&values(|(plain, _)| plain.value))?,
            i2fr: Summary::of(&values(|(_, i2fr)| i2fr.value))?,
            paired: Paired::of(&values(|(plain, i2fr)| i2fr.value - plain.value))?,
            examples: pairs.iter().map(|(plain, _)| plain.examples).min()?,
        })
    }

    /// Writes `NAME.{csv,md,tex,svg,png}` below `out` and returns their paths.
    ///
    /// # Errors
    /// When a file cannot be written; each is whole or untouched.
    pub fn write(&self, out: &Path) -> Result<Vec<PathBuf>> {
        let picture = plot::Dumbbells(self);
        let files = [
            ("csv", self.csv()?.into_bytes()),
            ("md", self.markdown().into_bytes()),
            ("tex", self.latex().into_bytes()),
            ("svg", drawing::svg(&picture)?.into_bytes()),
            ("png", drawing::png(&picture)?),
        ];
        let write = |(extension, bytes): (&str, Vec<u8>)| {
            let path = out.join(format!("{}.{extension}", self.name));
            files::write(&path, &bytes).map(|()| path)
        };
        files.into_iter().map(write).collect()
    }

    fn csv(&self) -> Result<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            for kind in &KINDS {
                let Some(Effect { plain, i2fr, paired, examples }) = self.effect(row, kind) else { continue };
                lines.push(Line {
                    label: &row.label,
                    framework: &row.framework,
                    regularizer: &row.regularizer,
                    measure: kind.name,
                    unit: kind.unit,
                    seeds: paired.difference.seeds,
                    examples,
                    plain_mean: plain.mean,
                    i2fr_mean: i2fr.mean,
                    difference: paired.difference.mean,
                    low: paired.interval().map(|(low, _)| low),
                    high: paired.interval().map(|(_, high)| high),
                    p_value: paired.p_value,
                });
            }
        }
        files::csv(&lines)
    }

    /// The table as Markdown, as in `NAME.md`.
    pub fn markdown(&self) -> String {
        let mut lines = vec![format!("**{}.** {}.", title(&self.name), self.caption)];
        lines.extend([String::new(), picture(&format!("{}.svg", self.name), &self.headline())]);
        lines.extend([String::new(), self.conditions()]);
        for (title, kinds) in parts() {
            let labels: Vec<String> = kinds.iter().map(|kind| markdown::escape(&kind.head())).collect();
            lines.extend([String::new(), format!("| {title} | {} |", labels.join(" | "))]);
            lines.push(format!("|---|{}", "---:|".repeat(kinds.len())));
            for row in &self.rows {
                let cells: Vec<String> = kinds.iter().map(|kind| self.cell(row, kind)).collect();
                lines.push(format!("| {} | {} |", markdown::escape(&row.label), cells.join(" | ")));
            }
        }
        for remark in [self.cells(), self.remarks()] {
            lines.extend([String::new(), remark]);
        }
        lines.push(String::new());
        lines.extend(KINDS.iter().map(|kind| format!("- *{}* (`{}`): {}.", kind.label, kind.name, kind.meaning)));
        lines.join("\n") + "\n"
    }

    fn latex(&self) -> String {
        let caption = latex::escape(&format!("{}. {}", self.caption, self.conditions()));
        let mut lines = vec!["\\begin{table*}".to_owned(), "  \\centering".into(), format!("  \\caption{{{caption}}}")];
        lines.push(format!("  \\label{{{}}}", latex::label(&self.headline())));
        for (title, kinds) in parts() {
            lines.push(format!("  {}%", latex::NARROWED));
            lines.push(format!("  \\begin{{tabular}}{{l{}}}", "r".repeat(kinds.len())));
            let head: String = kinds.iter().map(|kind| format!(" & {}", latex::escape(&kind.head()))).collect();
            lines.extend(["    \\toprule".into(), format!("    {title}{head} \\\\"), "    \\midrule".into()]);
            for row in &self.rows {
                let cell = |kind: &Kind| format!(" & {}", latex::escape(&self.cell(row, kind)));
                let cells: String = kinds.iter().map(cell).collect();
                lines.push(format!("    {}{cells} \\\\", latex::escape(&row.label)));
            }
            lines.extend(["    \\bottomrule".into(), "  \\end{tabular}}\n".into()]);
        }
        for remark in [self.cells(), self.remarks()] {
            lines.push(format!("  \\footnotesize {}\n", latex::escape(&remark)));
        }
        lines.push("\\end{table*}".into());
        // The escapes of this project's tables know no arrow.
        (lines.join("\n") + "\n").replace('→', "$\\to$")
    }

    /// Without → with I2FR, and the difference.
    fn cell(&self, row: &Row, kind: &Kind) -> String {
        let Some(Effect { plain, i2fr, paired, .. }) = self.effect(row, kind) else { return "—".into() };
        let difference = kind.signed(paired.difference.mean);
        let found = match (paired.difference.half_width, paired.p_value) {
            (Some(half), Some(p)) => format!("{difference} ± {}, p = {}", kind.number(half), significant(p)),
            _ => difference,
        };
        format!("{} → {} ({found})", kind.number(plain.mean), kind.number(i2fr.mean))
    }

    /// `Table 4, MNIST: what it shows`.
    pub(super) fn headline(&self) -> String {
        let of = self.measures.iter().map(|measure| (measure.dataset.as_str(), measure.profile.as_str()));
        headline(&self.name, &self.caption, of)
    }

    pub(super) fn conditions(&self) -> String {
        format!("{}; {RESTARTS} examples of each image.", conditions(self.measures.iter().map(Into::into)))
    }

    /// What the numbers mean, in sentences.
    pub(super) fn remarks(&self) -> String {
        let certainty =
            if self.several() { "" } else { " One seed: no interval, and nothing is known of a difference's sign." };
        format!(
            "Same weights, starts and number of steps. More is stronger or more diverse.{certainty}{}",
            self.seeds()
        )
    }

    /// How many seeds each row has, where they differ.
    fn seeds(&self) -> String {
        let seeds = |row| self.effects(row).map(|effect| effect.paired.difference.seeds).max();
        let counts: Vec<(&str, usize)> =
            self.rows.iter().filter_map(|row| Some((row.label.as_str(), seeds(row)?))).collect();
        if counts.iter().all(|(_, seeds)| *seeds == counts[0].1) {
            return String::new();
        }
        let each: Vec<String> = counts.iter().map(|(label, seeds)| format!("{label} {seeds}")).collect();
        format!(" Seeds: {}.", each.join(", "))
    }

    /// What stands in a cell of Markdown and LaTeX.
    fn cells(&self) -> String {
        let spread = if self.several() {
            format!(
                " ± is half the 95 % interval of the difference, paired over seeds (Student); p is that of the two-sided \
                 sign-flip test, not corrected for there being many. {}",
                limits(&self.smallest()).join(" ")
            )
        } else {
            String::new()
        };
        format!(
            "Each cell: the framework's own training attack, in evaluation mode → the same with I2FR in what it ascends \
             (difference).{spread}"
        )
    }

    /// The smallest p there can be, by the number of seeds.
    fn smallest(&self) -> BTreeMap<usize, f64> {
        let paired = self.rows.iter().flat_map(|row| self.effects(row)).map(|effect| effect.paired);
        let of_several = paired.filter(|paired| paired.p_value.is_some());
        of_several.map(|paired| (paired.difference.seeds, paired.smallest_p)).collect()
    }

    /// That the seeds are too few for a test, where they are.
    pub(super) fn too_few(&self) -> Option<String> {
        too_few(&self.smallest())
    }

    /// Whether any difference is one over several seeds.
    fn several(&self) -> bool {
        let mut effects = self.rows.iter().flat_map(|row| self.effects(row));
        effects.any(|effect| effect.paired.difference.seeds > 1)
    }

    fn effects(&self, row: &Row) -> impl Iterator<Item = Effect> {
        KINDS.iter().filter_map(|kind| self.effect(row, kind))
    }
}
