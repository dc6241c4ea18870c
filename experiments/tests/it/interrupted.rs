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

const EFFORT: [&str; 6] = ["--eval-examples", "20", "--attack-steps", "3", "--batch", "20"];

/// Its settings.
pub const SETTINGS: [&str; 10] =
    ["--epochs", "6", "--train-examples", "600", "--eval-examples", "20", "--attack-steps", "3", "--batch", "20"];

/// A `train` in the background.
pub fn start(arguments: &[&str], out: &Path) -> Child {
    start_only(&[&SETTINGS, arguments].concat(), out)
}

fn start_only(arguments: &[&str], out: &Path) -> Child {
    let mut command = Command::new(path("train"));
    command.args(arguments).arg("--out").arg(out).env("RAYON_NUM_THREADS", "1");
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
    wait_until(child, || epochs(out) >= wanted);
}

/// Waits until `done`, while `child` runs.
#[track_caller]
pub fn wait_until(child: &mut Child, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        assert!(began.elapsed() < Duration::from_secs(100), "it takes too long");
        sleep(Duration::from_millis(2));
    }
}

/// Waits until the only run has a file of that name.
#[track_caller]
pub fn wait_for_file(name: &str, child: &mut Child, out: &Path) {
    wait_until(child, || crate::program::runs(out).pop().is_some_and(|run| run.join(name).is_file()));
}

pub fn signal(child: &Child, name: &str) {
    // The shell has a `kill` of its own everywhere.
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// Two at once, as `timeout` and job systems do: that is no insistence.
fn signal_twice(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    // The process may have ended by the second.
    assert!(Command::new("sh").args(["-c", &format!("{kill} && {{ {kill} || true; }}")]).status().unwrap().success());
}

#[track_caller]
pub fn assert_interrupted(output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.trim_end().ends_with("interrupted; run the same command again to go on"), "{errors}");
    assert!(output.stdout.is_empty());
}

/// Everything that a run's training and evaluation leaves, except times.
pub fn results(out: &Path) -> Vec<Vec<u8>> {
    let run = only_run(out);
    ["last.safetensors", "best.safetensors", "epochs.csv", "examples.csv"].map(|name| bytes(&run.join(name))).into()
}

/// The same training without a break.
pub fn undisturbed(arguments: &[&str]) -> Vec<Vec<u8>> {
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
        signal_twice(&child, if epoch == 1 { "INT" } else { "TERM" });
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

/// A single epoch: all of it would be lost.
#[test]
fn an_epoch_under_way_is_not_lost() {
    let arguments = ["--framework", "trades", "--i2fr", "--i2fr-reference", "running-means"];
    let long = [&arguments[..], &["--epochs", "1", "--train-examples", "1600"]].concat();
    let out = tempfile::tempdir().unwrap();
    for time in 0..3 {
        let mut child = start_only(
            &[&EFFORT[..], &long, &["--save-minutes", if time == 0 { "0" } else { "10" }]].concat(),
            out.path(),
        );
        wait_for_file(if time == 0 { "resume-before.safetensors" } else { "run.lock" }, &mut child, out.path());
        signal(&child, if time == 1 { "TERM" } else { "INT" });
        assert_interrupted(&child.wait_with_output().unwrap());
        let folder = only_run(out.path());
        assert!(!folder.join("epochs.csv").exists() && !folder.join("run.lock").exists());
    }
    run("train", &[&EFFORT[..], &long].concat(), out.path());
    let log = text(&out.path().join("log.txt"));
    let steps = |line: &str| line.rsplit_once("epoch 0 and ")?.1.strip_suffix(" steps")?.parse::<usize>().ok();
    let steps: Vec<usize> = log.lines().filter_map(steps).collect();
    assert!(steps.len() == 3 && steps[0] < steps[1] && steps[1] < steps[2] && steps[2] < 60, "{steps:?}");
    let whole = tempfile::tempdir().unwrap();
    run("train", &[&EFFORT[..], &long].concat(), whole.path());
    assert!(results(out.path()) == results(whole.path()), "a training left within an epoch differs");
}

/// A step that would take hours: nothing is to be waited for.
#[test]
fn who_insists_is_obeyed_at_once() {
    let endless = ["--framework", "pgd-at", "--train-examples", "600", "--attack-steps", "1000000000"];
    let out = tempfile::tempdir().unwrap();
    let mut child = start_only(&endless, out.path());
    wait_for_file("run.lock", &mut child, out.path());
    signal(&child, "INT");
    sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "one signal waits for the step");
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(!errors.contains("interrupted; run the same command again to go on"), "{errors}");
    assert_nothing_half_written(out.path());
    let listed = run("runs", &["list"], out.path());
    assert!(listed.contains("begun; nothing saved"), "{listed}");
}

#[test]
fn a_killed_training_resumes_to_the_bit() {
    let arguments = ["--framework", "alp", "--i2fr"];
    let out = tempfile::tempdir().unwrap();
    // Some moment within an epoch, another one each time the test runs.
    let mut moment = u64::from(std::process::id());
    for epoch in [0, 1, 2, 4] {
        let often = if epoch % 2 == 0 { "10" } else { "0" };
        let mut child = start(&[&arguments[..], &["--save-minutes", often]].concat(), out.path());
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
    wait_for_file("evaluations.csv", &mut child, out.path());
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    let folder = only_run(out.path());
    let weights = bytes(&folder.join("last.safetensors"));
    let verdicts = || -> Vec<(String, String, String)> {
        let mut reader = csv::Reader::from_path(folder.join("evaluations.csv")).unwrap();
        let field = |row: &csv::StringRecord, i: usize| row[i].to_owned();
        reader.records().map(|row| row.unwrap()).map(|row| (field(&row, 1), field(&row, 5), field(&row, 6))).collect()
    };
    let before = verdicts();
    run("table1", &all, out.path());
    assert_eq!(bytes(&folder.join("last.safetensors")), weights);
    for ((attack, seconds, known), (same, now, all)) in before.iter().zip(verdicts()) {
        assert_eq!(*attack, same);
        assert!(known.bytes().zip(all.bytes()).all(|(old, new)| old == b'.' || old == new), "{attack}: {known} {all}");
        assert!(known.contains('.') || *seconds == now, "{attack} was measured again");
    }
    assert_eq!(text(&folder.join("examples.csv")).lines().count(), 2001);
}
