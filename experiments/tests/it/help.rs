//! The help is complete and is no error.

use crate::program::{ALL, command};

const TRAINING: [&str; 37] = [
    "--attack-steps",
    "--attack-step",
    "--weight-decay",
    "--profile",
    "--dataset",
    "--data-dir",
    "--offline",
    "--arch",
    "--device",
    "--precision",
    "--seeds",
    "--epochs",
    "--train-examples",
    "--eval-examples",
    "--save-minutes",
    "--only",
    "--vary",
    "--out",
    "--plan",
    "--render-only",
    "--shard",
    "--norm",
    "--eps",
    "--i2fr-place",
    "--i2fr-intra-clean",
    "--i2fr-intra-class",
    "--i2fr-inter",
    "--i2fr-margin",
    "--i2fr-features",
    "--i2fr-reference",
    "--i2fr-decay",
    "--i2fr-clean-constant",
    "--beta",
    "--awp",
    "--average",
    "--label-smoothing",
    "[default: results]",
];

#[track_caller]
fn help(name: &str) -> String {
    let output = command(name).arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{name}");
    assert!(output.stderr.is_empty(), "{name}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn mentions(name: &str, words: &[&str]) {
    let help = help(name);
    let said: Vec<&str> = help.split([' ', '\n', ',', '=', ']']).collect();
    for word in words {
        assert!(said.contains(word) || (word.contains(' ') && help.contains(word)), "{name} --help: no {word}\n{help}");
    }
}

#[test]
fn every_flag_of_the_contract_is_explained() {
    mentions("table1", &TRAINING);
    mentions("train", &[&TRAINING[..], &["--framework", "--i2fr", "--audit"]].concat());
    mentions(
        "evaluate",
        &[
            "--checkpoint",
            "--arch",
            "--dataset",
            "--data-dir",
            "--offline",
            "--norm",
            "--eps",
            "--attack",
            "--examples",
            "--seed",
            "--out",
            "--mean",
            "--std",
            "--device",
            "--precision",
        ],
    );
    let options =
        ["--arch", "--batch", "--attack-steps", "--iters", "--warmup", "--threads", "--device", "--precision"];
    mentions("throughput", &options);
    mentions("report", &["--out", "--claims"]);
    mentions("export", &["--run", "--checkpoint", "--license", "--out"]);
}

#[test]
fn names_are_listed() {
    let sets = ["synthetic", "cifar10", "cifar100", "svhn", "mnist", "fashion-mnist", "tiny-imagenet"];
    mentions("table1", &sets);
    mentions("table1", &["quick", "cpu", "gpu", "paper"]);
    mentions(
        "train",
        &["standard", "pgd-at", "trades", "friendly-at", "adr", "tla", "pcl", "he", "feature-scattering"],
    );
    mentions("train", &["generation", "training", "both", "pairs", "batch-means", "running-means"]);
}

/// The first line says what a program does.
#[test]
fn every_program_has_a_help_of_its_own() {
    let first = |name: &&str| help(name).lines().next().unwrap().to_owned();
    let lines: std::collections::BTreeSet<String> = ALL.iter().map(first).collect();
    assert_eq!(lines.len(), ALL.len(), "{lines:?}");
    assert!(help("table1").starts_with("Table 1: Adversarial-training frameworks without and with I2FR"));
    assert!(help("train").starts_with("Trains one framework"), "{}", help("train"));
}

#[test]
fn version_and_short_help_are_no_errors() {
    for name in ALL {
        let version = format!("{name} {}\n", env!("I2FR_VERSION"));
        command(name).arg("--version").assert().code(0).stdout(version);
        command(name).arg("-h").assert().code(0).stderr("");
    }
}
