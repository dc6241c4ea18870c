//! Stopping a training, kindly or not, and going on.

use crate::program::{assert_nothing_half_written, bytes, only_run, path, run, text};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Epochs of a training that is stopped on the way.
pub const EPOCHS: usize = 6;

/// Its settings.
pub const SETTINGS: [&str; 10] =
    ["--epochs", "6", "--train-examples", "600", "--eval-examples", "20", "--attack-steps", "3", "--batch", "20"];

/// A `train` in the background.
pub fn start(arguments: &[&str], out: &Path) -> Child {
    let mut command = Command::new(path("train"));
    command.args(SETTINGS).args(arguments).arg("--out").arg(out).env("RAYON_NUM_THREADS", "1");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// How many epochs `epochs.csv` of the only run shows.
fn epochs(out: &Path) -> usize {
    let run: Option<PathBuf> = crate::program::runs(out).pop();
    let text = run.and_then(|run| std::fs::read_to_string(run.join("epochs.csv")).ok());
    text.map_or(0, |text| text.lines().count() - 1)
}

/// Waits until that many epochs are done.
pub fn wait_for(wanted: usize, child: &mut Child, out: &Path) {
    let began = Instant::now();
    while epochs(out) < wanted {
        assert!(child.try_wait().unwrap().is_none(), "it ended before epoch {wanted}");
        assert!(began.elapsed() < Duration::from_secs(100), "no epoch {wanted}");
        sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    // The shell has a `kill` of its own everywhere.
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

#[track_caller]
fn assert_interrupted(output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.trim_end().ends_with("interrupted; run the same command again to go on"), "{errors}");
    assert!(output.stdout.is_empty());
}

/// Everything that a run's training and evaluation leaves, except times.
fn results(out: &Path) -> Vec<Vec<u8>> {
    let run = only_run(out);
    ["last.safetensors", "best.safetensors", "epochs.csv", "examples.csv"].map(|name| bytes(&run.join(name))).into()
}

/// The same training without a break.
fn undisturbed(arguments: &[&str]) -> Vec<Vec<u8>> {
    let out = tempfile::tempdir().unwrap();
    run("train", &[&SETTINGS, arguments].concat(), out.path());
    results(out.path())
}

#[track_caller]
fn assert_resumes(arguments: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    for epoch in [1, 3] {
        let mut child = start(arguments, out.path());
        wait_for(epoch, &mut child, out.path());
        signal(&child, if epoch == 1 { "INT" } else { "TERM" });
        assert_interrupted(&child.wait_with_output().unwrap());
        assert!((epoch..EPOCHS).contains(&epochs(out.path())), "{} epochs", epochs(out.path()));
        let folder = only_run(out.path());
        assert!(text(&folder.join("run.json")).contains("\"finished\": false"));
        assert!(folder.join("resume.safetensors").exists());
        assert_nothing_half_written(out.path());
        let planned = run("train", &[&SETTINGS, arguments, &["--plan"]].concat(), out.path());
        assert!(planned.contains("interrupted"), "{planned}");
    }
    run("train", &[&SETTINGS, arguments].concat(), out.path());
    assert!(text(&out.path().join("log.txt")).contains("resuming after epoch"));
    assert_eq!(epochs(out.path()), EPOCHS);
    assert!(!only_run(out.path()).join("resume.safetensors").exists());
    assert!(results(out.path()) == undisturbed(arguments), "a resumed training differs");
}

#[test]
fn an_interrupted_training_resumes_to_the_bit() {
    assert_resumes(&["--framework", "pgd-at"]);
}

/// Class means are part of the state.
#[test]
fn running_means_resume_to_the_bit() {
    assert_resumes(&["--framework", "trades", "--i2fr", "--i2fr-reference", "running-means", "--i2fr-decay", "0.7"]);
}

#[test]
fn a_killed_training_resumes_to_the_bit() {
    let arguments = ["--framework", "alp", "--i2fr"];
    let out = tempfile::tempdir().unwrap();
    // Some moment within an epoch, another one each time the test runs.
    let mut moment = u64::from(std::process::id());
    for epoch in [0, 1, 2, 4] {
        let mut child = start(&arguments, out.path());
        wait_for(epoch, &mut child, out.path());
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sleep(Duration::from_millis((moment >> 33) % 300));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    run("train", &[&SETTINGS[..], &arguments].concat(), out.path());
    assert!(results(out.path()) == undisturbed(&arguments), "a training that was killed differs");
}

#[test]
fn an_interrupted_evaluation_goes_on() {
    let out = tempfile::tempdir().unwrap();
    let all = ["--only", "standard", "--epochs", "1", "--train-examples", "600", "--eval-examples", "2000"];
    let mut command = Command::new(path("table1"));
    command.args(all).arg("--out").arg(out.path()).env("RAYON_NUM_THREADS", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let measured = || crate::program::runs(out.path()).pop().is_some_and(|run| run.join("evaluations.csv").is_file());
    while !measured() {
        assert!(child.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(100));
        sleep(Duration::from_millis(1));
    }
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    let folder = only_run(out.path());
    let [weights, evaluations] = ["last.safetensors", "evaluations.csv"].map(|name| bytes(&folder.join(name)));
    run("table1", &all, out.path());
    assert_eq!(bytes(&folder.join("last.safetensors")), weights);
    assert!(bytes(&folder.join("evaluations.csv")).starts_with(&evaluations), "the clean accuracy was measured again");
    assert_eq!(text(&folder.join("examples.csv")).lines().count(), 2001);
}
