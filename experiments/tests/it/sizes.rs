//! Evaluations on more or fewer images than an earlier one's.

use crate::{
    interrupted::{assert_interrupted, signal, wait_until},
    program::{Noise, TINY, bytes, only_run, path, run, text, trained},
};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// The numbers of images that the cells in `folder` are of.
fn examples(folder: &Path) -> Vec<String> {
    let mut reader = csv::Reader::from_path(folder.join("cells.csv")).unwrap();
    let at = reader.headers().unwrap().iter().position(|name| name == "examples").unwrap();
    reader.records().map(|record| record.unwrap()[at].to_owned()).collect()
}

#[test]
fn means_and_differences_are_of_the_same_images() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let rows = [&TINY[..4], &noise.arguments(), &["--columns", "clean", "--no-audit"]].concat();
    let asked = |name: &str, only: &str, seeds: &str, images: &str, more: &[&str]| {
        let asked = ["--only", only, "--seeds", seeds, "--eval-examples", images];
        let shown = run(name, &[&rows[..], &asked, more].concat(), out.path());
        (shown, examples(&out.path().join(name)))
    };
    let table = |only: &str, seeds: &str, images: &str| asked("table1", only, seeds, images, &[]).1;
    assert_eq!(table("fast-at", "0,1", "10"), ["10"; 4]);
    assert_eq!(table("=fast-at,standard", "0", "20"), ["20"; 2]);
    // One of four networks was asked about twenty; the control is of another framework.
    let (shown, images) = asked("table1", "standard,fast-at", "0,1", "20", &["--render-only"]);
    assert_eq!(images, ["20", "10", "10", "10", "10"]);
    assert!(shown.contains("n = 2"), "{shown}");
    let (_, images) = asked("figure6", "fast-at", "0,1", "20", &["--render-only"]);
    assert!(!images.is_empty() && images.iter().all(|images| images == "10"), "{images:?}");
    assert_eq!(table("fast-at", "0,1", "20"), ["20"; 4]);
}

#[test]
fn a_look_at_fewer_images_replaces_no_audit_of_more() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let rows = [&TINY[..], &noise.arguments(), &["--columns", "clean", "--only", "=fast-at"]].concat();
    let audit = |examples: &str| {
        let shown = run("table1", &[&rows[..], &["--autoattack-examples", examples]].concat(), out.path());
        (shown, bytes(&only_run(out.path()).join("audit-best.csv")))
    };
    let (shown, of_five) = audit("5");
    assert!(shown.contains("Audits looked at the first 5 test images."), "{shown}");
    let (shown, of_eight) = audit("8");
    assert!(of_eight != of_five && shown.contains("Audits looked at the first 8 test images."), "{shown}");
    assert_eq!(audit("3"), (shown, of_eight));
}

#[test]
fn a_finished_report_outlives_an_interrupted_larger_one() {
    let noise = Noise::new();
    let (_out, folder) = trained(&noise, &["--framework", "standard"]);
    let weights = folder.join("best.safetensors").display().to_string();
    // The record beside the weights says which data set it is.
    let [_, _, data_dir, data] = noise.arguments();
    let arguments = ["--checkpoint", &weights, data_dir, data, "--attack", "fgsm,pgd-200x200", "--examples"];
    let place = tempfile::tempdir().unwrap();
    let report = || {
        ["summary.csv", "intervals.csv", "examples.csv", "robustbench.json", "audit.csv"]
            .map(|name| text(&place.path().join(name)))
    };
    let small = ["--checkpoint", &weights, data_dir, data, "--attack", "fgsm,pgd-2", "--examples", "7"];
    run("evaluate", &small, place.path());
    let before = report();
    let mut child = Command::new(path("evaluate"));
    child.args(arguments).args(["40", "--out"]).arg(place.path()).env("RAYON_NUM_THREADS", "1");
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // By now the clean pass over forty is known, and the larger report would be written.
    wait_until(&mut child, || text(&place.path().join("evaluations.csv")).contains(",40,"));
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    assert_eq!(report(), before);
}
