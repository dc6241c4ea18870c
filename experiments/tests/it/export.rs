//! A run as a folder to publish.

use crate::{
    outcome::fails,
    program::{Noise, TINY, assert_nothing_half_written, bytes, files, only_run, run, text, trained},
};
use models::checkpoint;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use yaml_serde::Value;

/// Exports the run in `folder` into `out`.
#[track_caller]
fn export(folder: &Path, out: &Path) -> String {
    run("export", &["--run", folder.to_str().unwrap()], out);
    assert_nothing_half_written(out.parent().unwrap());
    text(&out.join("README.md"))
}

/// The card's front matter.
#[track_caller]
fn front(card: &str) -> Value {
    let (front, _) = card.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).expect(card);
    yaml_serde::from_str(front).unwrap_or_else(|e| panic!("{e}\n{front}"))
}

/// Names and values of the card's `model-index`.
fn metrics(front: &Value) -> Vec<(String, f64)> {
    let metrics = front["model-index"][0]["results"][0]["metrics"].as_sequence().expect("measurements");
    let metric = |m: &Value| (m["name"].as_str().unwrap().to_owned(), m["value"].as_f64().unwrap());
    metrics.iter().map(metric).collect()
}

/// Names of the files in `folder`.
fn names(folder: &Path) -> Vec<String> {
    files(folder).iter().map(|path| path.strip_prefix(folder).unwrap().display().to_string()).collect()
}

#[test]
fn an_export_says_what_was_measured_and_gives_it_again() {
    let out = tempfile::tempdir().unwrap();
    run("table1", &[&TINY[..], &["--only", "standard"]].concat(), out.path());
    let folder = only_run(out.path());
    let exported = out.path().join("exports/standard");
    let card = export(&folder, &exported);
    assert_eq!(
        names(&exported),
        ["README.md", "config.json", "epochs.csv", "evaluations.csv", "model.safetensors", "run.json"]
    );
    for name in ["evaluations.csv", "run.json", "epochs.csv"] {
        assert_eq!(bytes(&exported.join(name)), bytes(&folder.join(name)), "{name}");
    }

    // The accuracies are the table's.
    let front = front(&card);
    assert_eq!(front["license"].as_str(), Some("mit"));
    assert_eq!(front["metrics"][0].as_str(), Some("accuracy"));
    let metrics = metrics(&front);
    let cells = text(&out.path().join("table1/cells.csv"));
    let cells: Vec<Vec<&str>> = cells.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert!(cells.len() > 3 && metrics.len() >= cells.len(), "{metrics:?} {cells:?}");
    for cell in &cells {
        let (attack, examples, percent) = (cell[7], cell[11], cell[12].parse::<f64>().unwrap());
        let what = if attack == "clean" { "Clean accuracy".into() } else { format!("Accuracy under {attack} ") };
        let said = |(name, _): &&(String, f64)| name.starts_with(&what) && name.contains(&format!("first {examples}"));
        let (_, value) = metrics.iter().find(said).unwrap_or_else(|| panic!("no {attack} in {metrics:?}"));
        assert!((value - percent).abs() < 0.006, "{attack}: {value} {percent}");
        assert!(card.contains(&format!("| {attack} | {percent:.1} % | ")), "{attack}\n{card}");
    }
    for said in ["has not been audited", "was not trained to resist attacks", "400 held-out"] {
        assert!(card.contains(said), "{said}\n{card}");
    }

    // Nothing of this machine.
    for name in ["README.md", "config.json", "run.json"] {
        let text = text(&exported.join(name));
        let places = [out.path().to_str().unwrap(), env!("CARGO_MANIFEST_DIR"), "NaN", "home"];
        assert!(places.iter().all(|place| !text.contains(place)), "{name}\n{text}");
    }

    // Evaluated without a word about what it is, the network does what it did.
    let weights = exported.join("model.safetensors").display().to_string();
    let place = out.path().join("evaluation");
    run("evaluate", &["--checkpoint", &weights, "--attack", "fgsm", "--examples", "40"], &place);
    let column = |csv: String, name: &str| {
        let at = csv.lines().next().unwrap().split(',').position(|field| field == name).unwrap();
        csv.lines().skip(1).map(|line| line.split(',').nth(at).unwrap().to_owned()).collect::<Vec<_>>()
    };
    for attack in ["clean_correct", "fgsm"] {
        let [own, again] = [&folder, &place].map(|folder| column(text(&folder.join("examples.csv")), attack));
        assert!(own == again && own.len() == 40, "{attack}");
    }

    // Again, into the same folder: the same bytes.
    let before: Vec<Vec<u8>> = files(&exported).iter().map(|path| bytes(path)).collect();
    export(&folder, &exported);
    assert_eq!(files(&exported).iter().map(|path| bytes(path)).collect::<Vec<_>>(), before);
}

/// A run of noise without a measurement.
fn unmeasured(noise: &Noise) -> (tempfile::TempDir, PathBuf) {
    let (out, folder) = trained(noise, &["--framework", "pgd-at", "--i2fr"]);
    std::fs::remove_file(folder.join("evaluations.csv")).unwrap();
    (out, folder)
}

#[test]
fn what_was_not_measured_is_not_claimed() {
    let (out, folder) = unmeasured(&Noise::new());
    let card = export(&folder, &out.path().join("export"));
    let front = front(&card);
    assert!(front.get("model-index").is_none() && front.get("metrics").is_none(), "{front:?}");
    assert_eq!(front["datasets"][0].as_str(), Some("uoft-cs/cifar10"));
    assert!(card.contains("Nothing was measured") && card.contains("# PGD-AT + I2FR: tiny on cifar10"), "{card}");
    let table = card.split("## Audit").next().unwrap();
    assert!(!table.contains(" % "), "{table}");
}

#[test]
fn a_failed_audit_leaves_clean_accuracy_only() {
    let (out, folder) = trained(&Noise::new(), &["--framework", "pgd-at"]);
    let measured = export(&folder, &out.path().join("before"));
    assert!(metrics(&front(&measured)).len() > 1, "{measured}");
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/runs/pgd-at-synthetic-tiny-s0-5af812a576");
    let audit = text(&known.join("audit-best.csv"));
    std::fs::write(folder.join("audit-best.csv"), audit.replacen("gradient,pass,", "gradient,fail,", 1)).unwrap();
    let exported = out.path().join("after");
    let card = export(&folder, &exported);
    assert!(exported.join("audit-best.csv").is_file());
    assert!(card.contains("**Failed: gradient.**"), "{card}");
    let metrics = metrics(&front(&card));
    assert!(metrics.len() == 1 && metrics[0].0.starts_with("Clean accuracy"), "{metrics:?}");
}

#[test]
fn weights_say_what_they_are_in_the_file_or_beside_it() {
    let noise = Noise::new();
    let (out, folder) = unmeasured(&noise);
    let exported = out.path().join("export");
    export(&folder, &exported);
    let weights = exported.join("model.safetensors");
    let about = checkpoint::metadata(&weights).unwrap();
    assert_eq!((about["arch"].as_str(), about["dataset"].as_str(), about["epoch"].as_str()), ("tiny", "cifar10", "1"));
    assert_eq!(about["classes"].split(',').count(), 10);

    let data = &noise.arguments()[2..];
    let evaluated = |weights: &Path, name: &str| {
        let place = out.path().join(name);
        run("evaluate", &[&["--checkpoint", weights.to_str().unwrap()], data].concat(), &place);
        text(&place.join("examples.csv"))
    };
    let whole = evaluated(&weights, "whole");
    checkpoint::write(&weights, &checkpoint::read(&weights).unwrap(), &BTreeMap::new()).unwrap();
    assert_eq!(evaluated(&weights, "bare"), whole);
    std::fs::write(exported.join("config.json"), r#"{"model_type": "resnet", "architecture": 18}"#).unwrap();
    let arguments = [&["--checkpoint", weights.to_str().unwrap()], data].concat();
    let place = tempfile::tempdir().unwrap();
    let output = crate::program::command("evaluate").args(&arguments).arg("--out").arg(place.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("give --arch"), "{said}");
    std::fs::write(exported.join("config.json"), r#"{"model_type": "i2fr"}"#).unwrap();
    fails("evaluate", &arguments, &out.path().join("broken"), &["config.json", "export the run again"]);
}

#[test]
fn what_cannot_be_exported_leaves_no_folder() {
    let (out, folder) = unmeasured(&Noise::new());
    let place = out.path().join("export");
    let run = ["--run", folder.to_str().unwrap()];
    fails("export", &["--run", out.path().to_str().unwrap()], &place, &["not the record of a run", "results/runs"]);

    let other = out.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.tex"), "years").unwrap();
    fails("export", &run, &other, &["holds something else", "--out"]);
    assert_eq!(names(&other), ["thesis.tex"]);
    // An export with something beside it, such as a clone of what was published.
    let clone = out.path().join("clone");
    export(&folder, &clone);
    std::fs::create_dir(clone.join(".git")).unwrap();
    std::fs::write(clone.join(".git/HEAD"), "ref").unwrap();
    let output = crate::program::command("export").args(run).arg("--out").arg(&clone).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&clone.join(".git/HEAD")), "ref");

    // It would be moved away under whoever stands in it.
    for inside in [".", ".."] {
        let mut command = crate::program::command("export");
        let output = command.current_dir(clone.join(".git")).args(run).args(["--out", inside]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("export from outside of it"), "{said}");
    }

    let record = text(&folder.join("run.json"));
    std::fs::write(folder.join("run.json"), record.replace("\"finished\": true", "\"finished\": false")).unwrap();
    fails("export", &run, &place, &["training is not done"]);
    std::fs::write(folder.join("run.json"), record).unwrap();
    let weights = folder.join("best.safetensors");
    let sound = bytes(&weights);
    let mut flipped = sound.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, &flipped).unwrap();
    fails("export", &run, &place, &["best.safetensors", "checksum"]);
    std::fs::remove_file(&weights).unwrap();
    fails("export", &run, &place, &["best.safetensors", "No such file"]);
    assert!(!place.exists());
    std::fs::write(&weights, sound).unwrap();
    export(&folder, &place);
}
