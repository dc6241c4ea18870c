//! A command line's training in words, by which measurements are told apart.

use super::resolve;
use crate::cli::TrainingArgs;
use clap::ValueEnum;
use kernels::Precision;

/// The profile with what the command line changes of its training, as one types it: `mnist --epochs 5`. Data set,
/// network, threat model and what results name as a part of the framework are left out.
pub fn recipe(args: &TrainingArgs) -> String {
    let TrainingArgs {
        epochs,
        train_examples,
        batch,
        lr,
        schedule,
        weight_decay,
        attack_steps,
        attack_step,
        eps_warm_up,
        awp,
        beta,
        device,
        ..
    } = args;
    let said = |option: &str, value: Option<String>, silence: fn(&mut TrainingArgs)| {
        let mut silent = args.clone();
        silence(&mut silent);
        let changes = resolve(&silent) != resolve(args);
        value.filter(|_| changes).map(|value| format!(" --{option} {value}"))
    };
    let optimizer = args.optimizer.as_ref().and_then(ValueEnum::to_possible_value);
    let training = [
        said("train-examples", train_examples.map(|n| n.to_string()), |args| args.train_examples = None),
        said("epochs", epochs.map(|n| n.to_string()), |args| args.epochs = None),
        said("batch", batch.map(|n| n.to_string()), |args| args.batch = None),
        said("lr", lr.map(|lr| lr.to_string()), |args| args.lr = None),
        said("schedule", schedule.map(|schedule| schedule.to_string()), |args| args.schedule = None),
        said("optimizer", optimizer.map(|optimizer| optimizer.get_name().to_owned()), |args| args.optimizer = None),
        said("weight-decay", weight_decay.map(|decay| decay.to_string()), |args| args.weight_decay = None),
        said("attack-steps", attack_steps.map(|n| n.to_string()), |args| args.attack_steps = None),
        said("attack-step", attack_step.as_ref().map(ToString::to_string), |args| args.attack_step = None),
        said("eps-warm-up", eps_warm_up.map(|n| n.to_string()), |args| args.eps_warm_up = None),
        said("beta", beta.map(|beta| beta.to_string()), |args| args.beta = None),
        said("awp", awp.map(|gamma| gamma.to_string()), |args| args.awp = None),
        said("precision", Some(device.precision.to_string()), |args| args.device.precision = Precision::F32),
    ];
    let mut training: String = training.into_iter().flatten().collect();
    // Bits, and with them images near a boundary, differ from a processor's.
    if device.kind() == "cuda" {
        training.insert_str(0, " --device cuda");
    }
    format!("{}{training}{}", args.profile, args.i2fr.said())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        training: TrainingArgs,
    }

    fn parsed(options: &str) -> TrainingArgs {
        Line::try_parse_from(format!("train {options}").split_whitespace()).unwrap().training
    }

    #[test]
    fn a_recipe_is_what_one_types_to_get_it() {
        for said in [
            "quick",
            "mnist --train-examples 12000 --epochs 5",
            "cpu --batch 32 --lr 0.05 --schedule cosine --optimizer adam --weight-decay 0.001 --attack-steps 3 --attack-step 0.007 --eps-warm-up 1 --beta 1 --awp 0.01",
            "mnist --optimizer sgd",
            "quick --i2fr-place training --i2fr-intra-clean 2 --i2fr-margin 0.5 --i2fr-features raw",
            "quick --i2fr-intra-class 0 --i2fr-inter 3 --i2fr-reference running-means --i2fr-decay 0.5 --i2fr-clean-constant",
            "quick --i2fr-reference batch-means",
            "quick --device cuda --beta 2 --precision tf32",
        ] {
            assert_eq!(recipe(&parsed(&format!("--profile {said}"))), said);
        }
    }

    #[test]
    fn a_recipe_leaves_out_what_changes_no_training_and_what_results_name_by_themselves() {
        let usual = "--profile mnist --epochs 10 --batch 100 --optimizer adam --attack-step 0.05 --eps-warm-up 2 --i2fr-inter 1";
        let named =
            "--dataset fashion-mnist --arch lenet5 --eps 0.2 --norm l2 --average ema-0.99 --label-smoothing 0.1";
        let measured = "--eval-examples 7 --autoattack-examples 5 --device cpu --out elsewhere";
        assert_eq!(recipe(&parsed(&format!("{usual} {named} {measured}"))), "mnist");
    }
}
