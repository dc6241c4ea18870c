//! Damage to what an interrupted training goes on from.

use crate::{
    interrupted::{SETTINGS, assert_interrupted, results, signal, start, undisturbed, wait_for_file},
    outcome::fails,
    program::{bytes, command, only_run, text},
};
use serde_json::Value;
use std::{fs, path::Path};
use tempfile::TempDir;

const FRAMEWORK: [&str; 2] = ["--framework", "alp"];

/// A training that was interrupted when it had two states.
fn interrupted() -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let mut child = start(&[&FRAMEWORK[..], &["--save-minutes", "0"]].concat(), out.path());
    wait_for_file("epochs.csv", &mut child, out.path());
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    out
}

/// The files of `from`'s only run, elsewhere.
fn copy(from: &Path) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    let run = only_run(from);
    let folder = out.path().join("runs").join(run.file_name().unwrap());
    fs::create_dir_all(&folder).unwrap();
    for file in fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    out
}

/// `train` again; what it says on stderr.
fn again(out: &Path) -> String {
    let output = command("train").args(SETTINGS).args(FRAMEWORK).arg("--out").arg(out).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    errors
}

/// Ways to damage a file.
fn damages(sound: &[u8]) -> Vec<Vec<u8>> {
    let flipped = |at: usize| [&sound[..at], &[sound[at] ^ 1], &sound[at + 1..]].concat();
    let digit = sound.windows(8).position(|window| window == b"\"step\":\"").unwrap() + 8;
    // In a weight, and in the number of steps: both still read.
    vec![sound[..sound.len() / 2].to_vec(), Vec::new(), flipped(sound.len() - 1), flipped(digit)]
}

#[test]
fn the_state_before_it_stands_in_for_a_damaged_one() {
    let (out, whole) = (interrupted(), undisturbed(&FRAMEWORK));
    let sound = bytes(&only_run(out.path()).join("resume.safetensors"));
    for damage in damages(&sound) {
        let out = copy(out.path());
        fs::write(only_run(out.path()).join("resume.safetensors"), damage).unwrap();
        let said = again(out.path());
        let warnings: Vec<&str> = said.lines().filter(|line| line.contains("damaged")).collect();
        let [warning] = warnings[..] else { panic!("not one warning: {said}") };
        assert!(warning.contains("resume.safetensors: damaged (") && warning.contains("the state saved before it"));
        assert!(said.contains("resuming after epoch"), "{said}");
        assert!(results(out.path()) == whole, "a training that went on from the state before differs");
    }
    // A crash between moving the old one and writing the new one is no damage.
    fs::remove_file(only_run(out.path()).join("resume.safetensors")).unwrap();
    let record = only_run(out.path()).join("run.json");
    fs::write(&record, text(&record).replace(env!("I2FR_COMMIT"), "another")).unwrap();
    let said = again(out.path());
    assert!(said.contains("resuming after epoch") && !said.contains("damaged"), "{said}");
    assert!(results(out.path()) == whole);
    let record: Value = serde_json::from_str(&text(&record)).unwrap();
    let [now, earlier] = ["/commit", "/earlier/0/commit"].map(|of| record["provenance"].pointer(of).unwrap());
    assert!(earlier == "another" && now != "another", "{record}");
}

#[test]
fn without_a_sound_state_the_error_says_what_to_delete() {
    let out = interrupted();
    let folder = only_run(out.path());
    let [newest, before] = ["resume.safetensors", "resume-before.safetensors"].map(|name| folder.join(name));
    let arguments = [&SETTINGS[..], &FRAMEWORK].concat();
    let [new, old] = [&newest, &before].map(|path| path.display().to_string());
    let epochs = text(&folder.join("epochs.csv"));
    for damage in damages(&bytes(&newest)) {
        fs::write(&newest, &damage).unwrap();
        fs::write(&before, &damage).unwrap();
        fails("train", &arguments, out.path(), &[&new, &old, "delete both to start the run anew"]);
        fs::remove_file(&before).unwrap();
        fails("train", &arguments, out.path(), &[&new, "delete it to start the run anew"]);
    }
    assert_eq!(text(&folder.join("epochs.csv")), epochs, "something was trained");
    assert!(!folder.join("run.lock").exists());
    fs::remove_file(&newest).unwrap();
    again(out.path());
    assert!(results(out.path()) == undisturbed(&FRAMEWORK));
}

/// Whatever else is lost or damaged is in the state.
#[test]
fn a_state_is_all_it_takes() {
    let out = interrupted();
    let folder = only_run(out.path());
    for name in ["best.safetensors", "last.safetensors", "epochs.csv"] {
        fs::write(folder.join(name), "noise").unwrap();
    }
    again(out.path());
    assert!(results(out.path()) == undisturbed(&FRAMEWORK));
    assert!(!folder.join("resume.safetensors").exists() && !folder.join("resume-before.safetensors").exists());
}
