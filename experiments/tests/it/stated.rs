//! What weights say of themselves, and what an evaluation makes of it.

use crate::{
    outcome::fails,
    program::{Noise, bytes, command, run, text, trained},
};
use std::path::Path;

/// `summary.csv` as attack, norm, radius, data set and architecture.
fn summary(folder: &Path) -> Vec<String> {
    let text = text(&folder.join("summary.csv"));
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    text.lines().skip(1).map(fields).map(|line| [&line[..1], &line[5..]].concat().join(" ")).collect()
}

/// `evaluate` with wrong usage, which is found once the weights and the images are known.
#[track_caller]
fn refused(arguments: &[&str], out: &Path, word: &str) {
    let output = command("evaluate").args(arguments).arg("--out").arg(out).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let last = errors.lines().last().unwrap_or_default();
    assert!(output.status.code() == Some(2) && last.starts_with("error: ") && last.contains(word), "{errors}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_a_network_was_trained_for_is_what_it_is_attacked_by() {
    let noise = Noise::new();
    let settings = ["--framework", "fast-at", "--i2fr", "--norm", "l2", "--eps", "0.25", "--i2fr-margin", "2"];
    let (out, folder) = trained(&noise, &settings);
    let [_, _, data_dir, data] = noise.arguments();
    let checkpoint = folder.to_str().unwrap();
    let common = ["--checkpoint", checkpoint, data_dir, data, "--examples", "5"];
    let place = out.path().join("evaluation");
    let shown = run("evaluate", &[&common[..], &["--attack", "FGSM"]].concat(), &place);
    let name = folder.file_name().unwrap().to_str().unwrap();
    let first = format!(
        "{name}: tiny, l2 0.25, the first 5 of 40 test images of cifar10; adaptive ascends I2FR with --i2fr-margin 2"
    );
    assert_eq!(shown.lines().next(), Some(&first[..]));
    assert_eq!(summary(&place), ["clean l2 0.25 cifar10 tiny", "fgsm l2 0.25 cifar10 tiny"]);

    let list = run("runs", &["list"], out.path());
    assert!(list.ends_with("  --norm l2 --eps 0.25 --i2fr-margin 2\n"), "{list}");

    // Asked more of the same, a report grows.
    run("evaluate", &[&common[..], &["--attack", "pgd-2"]].concat(), &place);
    let attacks: Vec<String> = summary(&place).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(attacks, ["clean", "pgd-2", "fgsm"]);

    let given = [&common[..], &["--attack", "pgd-i2fr", "--i2fr-margin", "1"]].concat();
    let other = run("evaluate", &given, &out.path().join("other"));
    assert!(!other.contains("adaptive ascends"), "{other}");

    // Another radius, or other weights, belong elsewhere; so does anything beside a run.
    let other = [&common[..], &["--eps", "0.5"]].concat();
    refused(
        &other,
        &place,
        &format!("holds the evaluation of {name} on cifar10, L2 0.25; choose another folder with --out"),
    );
    refused(&common, &folder, "the folder of a run, whose files stay; choose another with --out");

    // What an export says is as good.
    let exported = out.path().join("exported");
    run("export", &["--run", checkpoint], &exported);
    std::fs::remove_file(exported.join("run.json")).unwrap();
    let common = ["--checkpoint", exported.to_str().unwrap(), data_dir, data, "--examples", "5"];
    let shown = run("evaluate", &common, &out.path().join("again"));
    assert_eq!(shown.lines().next(), Some(&*first.replace(name, "exported")));
    let alone = out.path().join("alone.safetensors");
    std::fs::copy(exported.join("model.safetensors"), &alone).unwrap();
    let common = ["--checkpoint", alone.to_str().unwrap(), data_dir, data, "--examples", "5"];
    let shown = run("evaluate", &common, &out.path().join("moved"));
    assert!(shown.starts_with("alone.safetensors: tiny, l2 0.25, the first 5 of 40"), "{shown}");

    // Weights that its record is not of.
    let weights = folder.join("best.safetensors");
    let mut damaged = bytes(&weights);
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, damaged).unwrap();
    let common = ["--checkpoint", weights.to_str().unwrap(), data_dir, data, "--examples", "5"];
    let place = out.path().join("damaged");
    fails("evaluate", &common, &place, &["best.safetensors", "its checksum is not that in run.json"]);
}

/// Both have 28 rows of 28 grey pixels and ten classes.
#[test]
fn parity_mnist_is_not_taken_for_fashion_mnist() {
    let Some(data) = crate::parity::folder("I2FR_DATA") else { return };
    let data = data.join("mnist").display().to_string();
    let words = ["its training images are those of mnist, not of fashion-mnist"];
    let out = tempfile::tempdir().unwrap();
    let common = ["--framework", "standard", "--dataset", "fashion-mnist", "--data-dir", &data];
    fails("train", &common, out.path(), &words);
}
