//! How much training a recipe is.

use super::resolve;
use crate::{cli::TrainingArgs, report::caption::grouped};
use clap::Parser;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    training: TrainingArgs,
}

/// `7 epochs on 3,600 images`, of a recipe as results name it ([`super::recipe`]), on a data set; `None` of one that this
/// version cannot read.
pub fn budget(recipe: &str, dataset: &str) -> Option<String> {
    let (trained, epochs) = spent(recipe, dataset)?;
    let plural = if epochs == 1 { "epoch" } else { "epochs" };
    Some(format!("{epochs} {plural} on {} images", grouped(trained)))
}

/// The same as `3,600 × 7`.
pub fn size(recipe: &str, dataset: &str) -> Option<String> {
    spent(recipe, dataset).map(|(trained, epochs)| format!("{} × {epochs}", grouped(trained)))
}

/// Images that weights follow, and epochs.
fn spent(recipe: &str, dataset: &str) -> Option<(usize, usize)> {
    let line = format!("train --profile {recipe} --dataset {dataset}");
    let config = resolve(&Line::try_parse_from(line.split_whitespace()).ok()?.training);
    let there = config.dataset.parse::<data::Name>().ok()?.train_len();
    Some((config.trained_on(there).ok()?, config.epochs))
}

#[cfg(test)]
mod tests {
    use super::{budget, size};

    #[test]
    fn a_budget_counts_what_is_trained_on() {
        let of = |recipe: &str, dataset: &str| budget(recipe, dataset).unwrap();
        assert_eq!(of("mnist --train-examples 12000 --epochs 5", "mnist"), "5 epochs on 11,000 images");
        assert_eq!(of("quick --epochs 1 --beta 2", "synthetic"), "1 epoch on 3,600 images");
        assert_eq!(size("mnist", "mnist").unwrap(), "59,000 × 10");
        assert_eq!(budget("cpu --fewer-colours", "cifar10"), None);
        assert_eq!(budget("test", "nowhere"), None);
    }
}
