//! The conditions a number was measured under, without which it means nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Measure, Table, wilson};
use crate::{
    profile,
    run::{HELD_OUT, Split},
};
use models::Arch;

impl Table {
    /// Threat model, data set, network, images, seeds, profile and selection rule in one line.
    pub(super) fn settings(&self) -> String {
        if self.cells.is_empty() {
            return "Nothing measured yet.".to_owned();
        }
        let all: Vec<Condition<'_>> = self.cells.iter().map(Condition::from).collect();
        format!("Accuracy in %; {}.", under(&all, &self.images()))
    }

    /// The caption as a sentence of its own.
    pub(super) fn sentence(&self) -> String {
        format!("{}.", self.caption.trim_end_matches('.'))
    }

    /// `Table 1, MNIST: what it shows`.
    pub(super) fn headline(&self, shows: &str) -> String {
        headline(&self.name, shows, self.cells.iter().map(|cell| (cell.dataset.as_str(), cell.profile.as_str())))
    }

    /// What follows from the settings, the table's own notes, what audits found, and how to fill gaps.
    pub(super) fn remarks(&self, audits: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut remarks = Vec::new();
        remarks.extend(self.seeds());
        for examples in self.by_examples().into_keys().rev() {
            let (low, high) = wilson(50.0, examples);
            remarks.push(format!(
                "One {} of {} images: ±{:.1} points at 50 % (95 %, Wilson).",
                match self.split {
                    Split::Test => "test set",
                    Split::HeldOut => "held-out set",
                },
                grouped(examples),
                (high - low) / 2.0
            ));
        }
        if self.by_examples().len() > 1 {
            remarks.push("Columns of different numbers of images cannot be compared with one another.".to_owned());
        }
        remarks.extend(self.on_fewer_images());
        remarks.extend(audits);
        let all = self.rows.len() * self.columns.len();
        let missing = all - self.summaries().count();
        if missing > 0 {
            remarks.push(format!(
                "— not measured yet ({missing} of {all}); what measures it, run without --render-only, fills the gaps and keeps \
                 what is there."
            ));
        }
        remarks.retain(|remark| !remark.is_empty());
        remarks
    }

    /// How many seeds are behind the figures: of all, or, where they differ, row by row.
    pub(super) fn seeds(&self) -> Option<String> {
        let counts: BTreeSet<usize> = self.summaries().map(|summary| summary.seeds).collect();
        let (first, last) = (*counts.first()?, *counts.last()?);
        let interval = "± is half the 95 % interval of the mean over";
        Some(match (first, last) {
            (_, 1) => "One seed: no interval over runs.".to_owned(),
            (first, last) if first == last => format!("{interval} {last} seeds (Student)."),
            _ => format!("{interval} the row's seeds (Student): {}.", self.seeds_by_row().join(", ")),
        })
    }

    /// `PGD-AT 3`, or `PGD-AT 1–3` where columns differ.
    fn seeds_by_row(&self) -> Vec<String> {
        let rows = self.rows.iter().enumerate().filter_map(|(row, named)| {
            let counts = (0..self.columns.len()).filter_map(|column| Some(self.value(row, column)?.seeds));
            let counts: BTreeSet<usize> = counts.collect();
            let (first, last) = (counts.first()?, counts.last()?);
            let range = if first == last { last.to_string() } else { format!("{first}–{last}") };
            Some(format!("{} {range}", named.label))
        });
        rows.collect()
    }

    pub(super) fn summaries(&self) -> impl Iterator<Item = super::Summary> {
        let columns = self.columns.len();
        (0..self.rows.len() * columns).filter_map(move |i| self.value(i / columns, i % columns))
    }

    /// The attacks' labels by the number of images they were run on.
    fn by_examples(&self) -> BTreeMap<usize, Vec<&str>> {
        let mut by_examples = BTreeMap::<usize, Vec<&str>>::new();
        for column in &self.columns {
            for cell in self.cells.iter().filter(|cell| cell.attack == column.attack) {
                let labels = by_examples.entry(cell.examples).or_default();
                if labels.last() != Some(&column.label.as_str()) {
                    labels.push(&column.label);
                }
            }
        }
        by_examples
    }

    /// Cells that cannot be compared with others of their column.
    fn on_fewer_images(&self) -> Option<String> {
        let cells = (0..self.columns.len()).flat_map(|column| (0..self.rows.len()).map(move |row| (row, column)));
        let fewer = cells.filter_map(|(row, column)| {
            let most = self.most_evidence(column)?.0;
            let examples = self.examples(row, column).filter(|&examples| examples < most)?;
            let (label, attack) = (&self.rows[row].label, &self.columns[column].label);
            Some(format!("{label}, {attack} ({})", grouped(examples)))
        });
        let fewer: Vec<String> = fewer.collect();
        let said = "On fewer images than others of their column, and not compared with them";
        (!fewer.is_empty()).then(|| format!("{said}: {}.", fewer.join("; ")))
    }

    fn images(&self) -> String {
        let by_examples = self.by_examples();
        let (several, images) = (by_examples.len() > 1, self.split.images());
        let counts = by_examples.iter().rev().map(|(&examples, labels)| match several {
            true => format!("{} {images} ({})", grouped(examples), labels.join(", ")),
            false => format!("{} {images}", grouped(examples)),
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// What a number was measured under.
pub(crate) struct Condition<'a> {
    pub(crate) norm: &'a str,
    pub(crate) epsilon: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) arch: &'a str,
    pub(crate) examples: usize,
    /// What the examples are of.
    pub(crate) split: Split,
    pub(crate) seed: u64,
    pub(crate) profile: &'a str,
    pub(crate) checkpoint: &'a str,
}

impl<'a> From<&'a Measure> for Condition<'a> {
    fn from(measure: &'a Measure) -> Self {
        let Measure { norm, epsilon, dataset, arch, examples, seed, profile, checkpoint, .. } = measure;
        Self { norm, epsilon, dataset, arch, examples: *examples, split: Split::Test, seed: *seed, profile, checkpoint }
    }
}

impl<'a> From<&'a Cell> for Condition<'a> {
    fn from(cell: &'a Cell) -> Self {
        let Cell { norm, epsilon, dataset, arch, examples, split, seed, profile, checkpoint, .. } = cell;
        Self { norm, epsilon, dataset, arch, examples: *examples, split: *split, seed: *seed, profile, checkpoint }
    }
}

/// Threat model, data set, network, images, seeds, profile and selection rule in one line.
pub(crate) fn conditions<'a>(all: impl Iterator<Item = Condition<'a>>) -> String {
    let all: Vec<Condition<'_>> = all.collect();
    let counts: BTreeSet<usize> = all.iter().map(|condition| condition.examples).collect();
    let counts: Vec<String> = counts.into_iter().rev().map(grouped).collect();
    let kinds: BTreeSet<&str> = all.iter().map(|condition| condition.split.images()).collect();
    let kinds: Vec<&str> = kinds.into_iter().collect();
    under(&all, &format!("{} {}", counts.join(" or "), kinds.join(", ")))
}

/// The same, of so many `images`.
fn under(all: &[Condition<'_>], images: &str) -> String {
    let distinct = |text: &dyn Fn(&Condition<'_>) -> String| {
        all.iter().map(text).collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>()
    };
    let seeds: BTreeSet<u64> = all.iter().map(|condition| condition.seed).collect();
    let plural = if seeds.len() == 1 { "seed" } else { "seeds" };
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    [
        distinct(&|condition| threat(condition.norm, condition.epsilon)).join(" and "),
        distinct(&|condition| dataset(condition.dataset)).join(", "),
        distinct(&|condition| arch(condition.arch)).join(", "),
        images.to_owned(),
        format!("{plural} {}", seeds.join(", ")),
        recipes(all.iter().map(|condition| (condition.profile, condition.dataset))),
        distinct(&|condition| selection(condition.checkpoint)).join(", "),
    ]
    .join("; ")
}

/// `Table 1, MNIST, --epochs 10: what it shows`: what stands above a picture, which leaves its folder when it is reused.
/// `of` is the data set and the recipe of each value; those of several are left out.
pub(crate) fn headline<'a>(name: &str, shows: &str, of: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let settings: BTreeSet<(&str, &str)> = of.collect();
    let mut parts = vec![title(name)];
    // Of several settings, each has its place in what is shown.
    if let [(set, recipe)] = settings.into_iter().collect::<Vec<_>>()[..] {
        parts.push(dataset(set));
        parts.extend(recipe.split_once(' ').map(|(_, options)| options.to_owned()));
    }
    format!("{}: {}", parts.join(", "), shows.trim_end_matches('.'))
}

/// A picture beside a text about it, in Markdown.
pub(crate) fn picture(file: &str, alt: &str) -> String {
    format!("![{}]({file})", alt.trim_end_matches('.'))
}

/// `Table 1` for `table1`, `Figure 2` for `figure2`; other names as they are.
pub(crate) fn title(name: &str) -> String {
    if let Some(table) = name.strip_suffix(HELD_OUT) {
        return format!("{}, held-out images", title(table));
    }
    let numbered = |kind: &str, shown: &str| {
        let number = name.strip_prefix(kind).filter(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))?;
        Some(format!("{shown} {number}"))
    };
    numbered("table", "Table").or_else(|| numbered("figure", "Figure")).unwrap_or_else(|| name.to_owned())
}

/// `+1.2`, `−1.2`, `0.0`: a difference with `digits` behind the point.
pub(crate) fn signed(value: f64, digits: usize) -> String {
    match format!("{:.digits$}", value.abs()) {
        size if size.parse() == Ok(0.) => size,
        size if value < 0. => format!("−{size}"),
        size => format!("+{size}"),
    }
}

/// `10,000` for 10000.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn threat(norm: &str, epsilon: &str) -> String {
    let norm = match norm {
        "linf" => "L∞",
        "l2" => "L2",
        other => other,
    };
    format!("{norm}, ε = {epsilon}")
}

/// `profile mnist --epochs 5 (5 epochs on 59,000 images)`, of each recipe and data set there is.
fn recipes<'a>(all: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let each = all.collect::<BTreeSet<_>>().into_iter().map(|(recipe, dataset)| {
        let budget = profile::budget(recipe, dataset).map(|budget| format!(" ({budget})")).unwrap_or_default();
        format!("{recipe}{budget}")
    });
    format!("profile {}", each.collect::<Vec<_>>().join(", "))
}

fn selection(checkpoint: &str) -> String {
    match checkpoint {
        "best" => "checkpoint selected on held-out training images".to_owned(),
        "last" => "last checkpoint".to_owned(),
        other => format!("{other} checkpoint"),
    }
}

/// A data set as it is printed: `CIFAR-10`.
pub(crate) fn dataset(name: &str) -> String {
    let printed = match name {
        "cifar10" => "CIFAR-10",
        "cifar100" => "CIFAR-100",
        "svhn" => "SVHN",
        "mnist" => "MNIST",
        "fashion-mnist" => "Fashion-MNIST",
        "tiny-imagenet" => "Tiny-ImageNet",
        "synthetic" => "synthetic images",
        other => other,
    };
    printed.to_owned()
}

fn arch(name: &str) -> String {
    match name.parse() {
        Ok(Arch::CifarResNet(depth)) => format!("ResNet-{depth}"),
        Ok(Arch::ResNet18) => "ResNet-18".into(),
        Ok(Arch::PreActResNet18) => "PreActResNet-18".into(),
        Ok(Arch::FastPreActResNet18) => "PreActResNet-18 of Fast-AT".into(),
        Ok(Arch::WideResNet(depth, widen)) => format!("WRN-{depth}-{widen}"),
        Ok(Arch::LeNet5) => "LeNet-5".into(),
        _ => name.to_owned(),
    }
}
