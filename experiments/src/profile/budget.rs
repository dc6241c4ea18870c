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
    let line = format!("train --profile {recipe} --dataset {dataset}");
    let config = resolve(&Line::try_parse_from(line.split_whitespace()).ok()?.training);
    let there = config.dataset.parse::<data::Name>().ok()?.train_len();
    let trained = config.taken(there).ok()? - config.held_out;
    let plural = if config.epochs == 1 { "epoch" } else { "epochs" };
    Some(format!("{} {plural} on {} images", config.epochs, grouped(trained)))
}

#[cfg(test)]
mod tests {
    use super::budget;

    #[test]
    fn a_budget_counts_what_is_trained_on() {
        let of = |recipe: &str, dataset: &str| budget(recipe, dataset).unwrap();
        assert_eq!(of("mnist --train-examples 12000 --epochs 5", "mnist"), "5 epochs on 11,000 images");
        assert_eq!(of("quick --epochs 1 --beta 2", "synthetic"), "1 epoch on 3,600 images");
        assert_eq!(budget("cpu --fewer-colours", "cifar10"), None);
        assert_eq!(budget("test", "nowhere"), None);
    }
}
