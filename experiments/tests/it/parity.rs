//! The published ResNet-20 through the binary, from a PyTorch file, on real CIFAR-10.

use crate::program::{run, text};
use std::path::PathBuf;

/// The folder that an environment variable names. A machine without it skips the comparison;
/// continuous integration must not.
pub fn folder(variable: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(variable) else {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "{variable} is unset, so there is nothing to compare with");
        return None;
    };
    Some(folder.into())
}

/// Images and clean accuracy of `data`, as `summary.csv` says it, and `examples.csv`.
fn evaluate(data: &str, more: &[&str]) -> Option<(usize, f64, String)> {
    let (fixtures, data) = (folder("I2FR_FIXTURES")?, folder("I2FR_DATA")?.join(data));
    let out = tempfile::tempdir().unwrap();
    let checkpoint = fixtures.join("checkpoints/resnet20-12fca82f.th").display().to_string();
    let data = data.display().to_string();
    let arguments = ["--checkpoint", &checkpoint, "--arch", "resnet20", "--dataset", "cifar10", "--data-dir", &data];
    run("evaluate", &[&arguments, more].concat(), out.path());
    let summary = text(&out.path().join("summary.csv"));
    let clean: Vec<&str> = summary.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(clean[0], "clean");
    Some((clean[1].parse().unwrap(), clean[2].parse().unwrap(), text(&out.path().join("examples.csv"))))
}

#[test]
fn parity_published_accuracy_on_all_test_images() {
    let Some((examples, percent, lines)) = evaluate("cifar10", &[]) else { return };
    assert_eq!(examples, 10_000);
    assert!((percent - 91.73).abs() < 1e-9, "{percent}");

    // Image by image where PyTorch's predictions are stored.
    let stored = text(&folder("I2FR_FIXTURES").unwrap().join("autoattack_resnet20.csv"));
    let stored: Vec<Vec<&str>> = stored.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(stored[0][3..6], ["index", "label", "clean_prediction"]);
    let ours: Vec<&str> = lines.lines().skip(1).collect();
    let theirs = stored[1..].iter().filter(|line| line[0] == "resnet20");
    let compared = theirs.map(|line| {
        let right = u8::from(line[5] == line[4]);
        assert_eq!(ours[line[3].parse::<usize>().unwrap()], format!("{},{},{right}", line[3], line[4]));
    });
    assert!(compared.count() >= 200);
}

#[test]
fn parity_binary_layout() {
    let Some((examples, percent, _)) = evaluate("cifar10-small", &["--attack", "fgsm", "--eps", "1/255"]) else {
        return;
    };
    assert_eq!(examples, 1_000);
    // A sample of a thousand stays within three standard deviations of the whole.
    assert!((percent - 91.73).abs() < 3., "{percent}");
}
