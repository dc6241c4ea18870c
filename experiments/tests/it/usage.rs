//! Arguments that cannot be: exit code 2, and the first line says which one and what would do.

use crate::{
    outcome::{fails, refuses},
    program::{run, text},
};

#[test]
fn unknown_names_list_the_known_ones() {
    refuses("table1", &["--dataset", "imagenet"], &["imagenet", "--dataset", "cifar10", "fashion-mnist"]);
    refuses("table1", &["--arch", "vgg16"], &["vgg16", "--arch", "tiny", "resnet18", "wrn-DEPTH-WIDEN"]);
    refuses("table1", &["--profile", "huge"], &["huge", "--profile", "quick", "paper"]);
    refuses("table1", &["--schedule", "step"], &["step", "--schedule", "piecewise", "one-cycle"]);
    refuses("table1", &["--device", "tpu"], &["tpu", "--device", "auto", "cuda:N"]);
    refuses("table1", &["--precision", "f16"], &["f16", "--precision", "f32, tf32, bf16"]);
    refuses("table1", &["--norm", "l1"], &["l1", "--norm", "linf", "l2"]);
    refuses("table1", &["--checkpoint", "first"], &["first", "--checkpoint", "best", "last"]);
    refuses("train", &["--framework", "magic"], &["magic", "--framework", "pgd-at", "trades", "fast-at"]);
    refuses("table1", &["--i2fr-place", "nowhere"], &["nowhere", "--i2fr-place", "generation", "both"]);
    refuses("table1", &["--i2fr-reference", "median"], &["median", "--i2fr-reference", "pairs", "running-means"]);
    refuses("table1", &["--i2fr-features", "l3"], &["l3", "--i2fr-features", "raw"]);
    refuses("throughput", &["--precision", "f8"], &["f8", "--precision", "f32"]);
    refuses("table1", &["--only", "nothing"], &["--only nothing", "table1", "pgd-at, =pgd-at+longer, trades"]);
    refuses("table1", &["--only", "standard,nothing"], &["--only nothing", "table1", "pgd-at, =pgd-at+longer, trades"]);
}

#[test]
fn an_unknown_attack_is_refused_before_anything_is_read() {
    let rest = ["--checkpoint", "nowhere.pt", "--arch", "tiny", "--dataset", "synthetic", "--out", "out"];
    for attack in ["nonsense", "pgd-", "pgd-0", "pgd-+5", "pgd-5x", "fgsm,nonsense", "", "cw--3"] {
        refuses("evaluate", &[&rest[..], &["--attack", attack]].concat(), &["--attack", "unknown attack", "pgd-STEPS"]);
    }
}

#[test]
fn a_radius_is_a_finite_number_of_pixel_units() {
    refuses("table1", &["--eps", "-1"], &["-1", "--eps", "at least 0", "8/255"]);
    refuses("table1", &["--eps", "abc"], &["abc", "--eps", "8/255"]);
    refuses("table1", &["--eps", "8/0"], &["8/0", "--eps", "finite"]);
    refuses("table1", &["--eps", "0/0"], &["0/0", "--eps", "finite"]);
    refuses("table1", &["--eps", "8/255/2"], &["8/255/2", "--eps"]);
    refuses("table1", &["--eps", ""], &["--eps"]);
    refuses("table1", &["--eps", "1e300"], &["1e300", "--eps", "at most 1e6"]);
    refuses("table1", &["--eps", "8"], &["--eps 8", "pixels are in [0, 1]", "8/255"]);
}

#[test]
fn seeds_are_numbers_and_ranges() {
    let planned =
        run("table1", &["--plan", "--only", "=pgd-at", "--seeds", "3,0-2,1"], std::path::Path::new("nowhere"));
    let seeds: Vec<&str> = planned.lines().filter_map(|line| line.split_once(" seed ")?.1.split(' ').next()).collect();
    assert_eq!(seeds, ["3", "0", "1", "2"]);
    refuses("table1", &["--seeds", "2-1"], &["2-1", "--seeds", "ends before it begins"]);
    refuses("table1", &["--seeds", "0-18446744073709551615"], &["--seeds", "more than 10,000"]);
    refuses("table1", &["--seeds", "a-b"], &["a-b", "--seeds", "a whole number"]);
}

#[test]
fn train_measures_any_attack_there_is() {
    let plan = ["--plan", "--framework", "pgd-at", "--columns"];
    run("train", &[&plan[..], &["clean,pgd-7,square-100"]].concat(), std::path::Path::new("nowhere"));
    refuses("train", &[&plan[..], &["pgd20"]].concat(), &["train: unknown attack `pgd20`"]);
}

/// Rows of Figure 3 set weights and margin themselves; Table 3 has rows that set some.
#[test]
fn options_that_change_no_row_are_refused() {
    let changes = "changes nothing: every row that has I2FR sets that itself";
    refuses("figure3", &["--plan", "--i2fr-margin", "3"], &["--i2fr-margin", changes]);
    refuses("table3", &["--plan", "--only", "margin", "--i2fr-margin", "3"], &["--i2fr-margin", changes]);
    let alone = ["--plan", "--only", "=pgd-at", "--i2fr-margin", "3"];
    refuses("figure1", &alone, &["--i2fr-... changes nothing without I2FR"]);
    let kept_off = ["--plan", "--framework", "trades", "--i2fr", "--i2fr-inter", "0", "--i2fr-margin", "3"];
    refuses("train", &kept_off, &["--i2fr-margin", "makes no use of it"]);
    let constant = ["--plan", "--framework", "trades", "--i2fr", "--i2fr-place", "generation", "--i2fr-clean-constant"];
    refuses("train", &constant, &["--i2fr-clean-constant", "makes no use of it"]);
    let none = ["--plan", "--framework", "trades", "--i2fr"];
    let zeros = ["--i2fr-intra-clean", "0", "--i2fr-intra-class", "0", "--i2fr-inter", "0"];
    refuses("train", &[&none[..], &zeros].concat(), &["TRADES + I2FR", "every weight of I2FR is 0"]);
    refuses("train", &[&none[..], &["--i2fr-intra-class=-1"]].concat(), &["--i2fr-intra-class", "intra"]);
}

#[test]
fn a_step_of_the_training_attack_makes_sense() {
    for (value, why) in [("0", "above 0"), ("nan", "above 0"), ("2", "it is 0.0627 across"), ("two", "such as 2/255")] {
        refuses("table1", &["--plan", "--attack-step", value], &["--attack-step", value, why]);
    }
    let own = ["--plan", "--only", "standard,fast-at", "--attack-step", "0.01"];
    refuses("table1", &own, &["--attack-step 0.01", "changes nothing"]);
}

#[test]
fn a_weight_decay_is_at_least_zero() {
    refuses("table1", &["--weight-decay=-1"], &["-1", "--weight-decay", "at least 0"]);
    refuses("table1", &["--weight-decay", "nan"], &["nan", "--weight-decay", "at least 0"]);
}

#[test]
fn counts_are_at_least_one() {
    for option in ["--epochs", "--batch", "--train-examples", "--eval-examples", "--attack-steps"] {
        for value in ["0", "-3", "x", "1.5", ""] {
            refuses("table1", &[&format!("{option}={value}")], &[option, "at least 1"]);
        }
    }
    let rest = ["--checkpoint", "nowhere.pt", "--arch", "tiny", "--out", "out"];
    refuses("evaluate", &[&rest[..], &["--examples", "0"]].concat(), &["--examples", "at least 1"]);
    refuses("throughput", &["--batch", "0"], &["--batch", "at least 1"]);
    refuses("throughput", &["--iters", "0"], &["--iters", "at least 1"]);
    refuses("throughput", &["--warmup", "18446744073709551615"], &["--warmup", "number too large"]);
    refuses("table1", &["--epochs", "18446744073709551615"], &["--epochs", "more than 1000000000"]);
    refuses("throughput", &["--threads", "99999999"], &["--threads", "0..=1024"]);
}

#[test]
fn other_numbers_are_in_their_range() {
    refuses("table1", &["--seeds", "x"], &["'x'", "--seeds"]);
    refuses("table1", &["--seeds", "0,,1"], &["--seeds"]);
    refuses("table1", &["--seeds", "-1"], &["invalid value '-1' for '--seeds"]);
    refuses("evaluate", &["--checkpoint", "w.pt", "--out", "out", "--examples", "-5"], &["'-5'", "at least 1"]);
    refuses("table1", &["--lr=-0.1"], &["--lr", "above 0"]);
    refuses("table1", &["--lr", "nan"], &["--lr", "above 0"]);
    refuses("table1", &["--epochs", "2", "--eps-warm-up", "2"], &["--eps-warm-up 2", "epoch of 2"]);
    for value in ["-1", "nan", "inf", "ten", "1e300"] {
        refuses("table1", &["--save-minutes", value], &[value, "--save-minutes", "minutes, at least 0"]);
    }
    for shard in ["3/2", "0/2", "1/0", "1", "a/b", "-1/2"] {
        refuses("table1", &[&format!("--shard={shard}")], &[shard, "--shard", "I/N"]);
    }
}

#[test]
fn i2fr_is_possible() {
    for option in ["--i2fr-intra-clean", "--i2fr-intra-class", "--i2fr-inter", "--i2fr-margin"] {
        for value in ["-1", "nan", "inf"] {
            refuses("train", &["--framework", "pgd-at", "--i2fr", option, value], &[option, "at least 0"]);
        }
        refuses("train", &["--framework", "pgd-at", "--i2fr", option, "much"], &[option, "not a number"]);
    }
    let decay = ["--framework", "pgd-at", "--i2fr", "--i2fr-reference", "running-means", "--i2fr-decay"];
    for value in ["2", "1", "-0.1", "nan"] {
        refuses("train", &[&decay[..], &[value]].concat(), &["--i2fr-decay", "[0, 1)"]);
    }
    refuses("train", &["--framework", "pgd-at", "--i2fr", "--i2fr-decay", "0.5"], &["--i2fr-decay", "running-means"]);
    refuses("table1", &["--only", "=mart", "--i2fr-inter", "3"], &["--i2fr-", "a row that has it"]);
    let evaluate = ["--checkpoint", "none.safetensors", "--attack", "pgd-20", "--out", "there"];
    refuses("evaluate", &[&evaluate[..], &["--i2fr-inter", "3"]].concat(), &["--attack adaptive", "add one of them"]);
    for option in [["--i2fr-inter", "3"], ["--i2fr-place", "training"], ["--i2fr-features", "raw"]] {
        refuses("train", &[&["--framework", "pgd-at"][..], &option].concat(), &["--i2fr-", "add --i2fr"]);
    }
}

#[test]
fn a_row_has_a_name() {
    for only in ["", "trades,", ",,"] {
        refuses("table2", &["--only", only, "--plan"], &["--only"]);
    }
}

#[test]
fn a_plan_leaves_nothing_and_an_error_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    run("table1", &["--plan"], &out);
    assert!(!out.exists());
    let alone = ["--framework", "standard", "--i2fr"];
    refuses("train", &alone, &["Standard has no adversarial examples", "leave I2FR out"]);
    let arguments = ["--framework", "standard", "--dataset", "cifar10", "--data-dir", "nowhere"];
    let said = fails("train", &arguments, &out, &["nowhere", "no such folder"]);
    let log = text(&out.join("log.txt"));
    assert!(log.trim_end().ends_with(said.trim_start_matches("error: ")), "{log}");
}

#[test]
fn required_and_unknown_arguments_are_named() {
    refuses("train", &[], &["--framework"]);
    refuses("evaluate", &[], &["--checkpoint", "--out"]);
    refuses("export", &[], &["--run", "--out"]);
    refuses("table1", &["--epoch", "1"], &["--epoch"]);
    refuses("table1", &["extra"], &["extra"]);
    let rest = ["--checkpoint", "nowhere.pt", "--arch", "tiny", "--out", "out"];
    refuses("evaluate", &[&rest[..], &["--mean", "0,0,0"]].concat(), &["--std"]);
    refuses("evaluate", &[&rest[..], &["--std", "1,1,1"]].concat(), &["--mean"]);
}
