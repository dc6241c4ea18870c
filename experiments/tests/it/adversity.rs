//! Folders that vanish, disks that are full, clocks that are set back.

use crate::{
    interrupted::{SETTINGS, results, start, undisturbed, wait_for_file},
    outcome::fails,
    program::{TINY, assert_nothing_half_written, files, only_run, path, run},
};
use std::{
    fs::{self, File},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};

const FRAMEWORK: [&str; 2] = ["--framework", "alp"];

#[test]
fn a_folder_that_is_deleted_during_training_is_made_anew() {
    let out = tempfile::tempdir().unwrap();
    let other = out.path().join("runs/other/notes.txt");
    let mut child = start(&FRAMEWORK, out.path());
    wait_for_file("resume.safetensors", &mut child, out.path());
    let folder = only_run(out.path());
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "mine").unwrap();
    while fs::remove_dir_all(&folder).is_err() {}
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        assert_eq!(said.lines().filter(|line| line.contains("was deleted during training")).count(), 1, "{said}");
    } else {
        // The next epoch was being written at that very moment.
        let last = said.lines().last().unwrap();
        assert!(last.starts_with(&format!("error: cannot write {}", folder.display())), "{said}");
        run("train", &[&SETTINGS[..], &FRAMEWORK].concat(), out.path());
    }
    assert_eq!(fs::read(&other).unwrap(), b"mine");
    fs::remove_dir_all(other.parent().unwrap()).unwrap();
    assert!(results(out.path()) == undisturbed(&FRAMEWORK));
    assert!(!folder.join("run.lock").exists());
}

#[test]
fn a_file_in_the_place_of_a_folder_is_named() {
    let out = tempfile::tempdir().unwrap();
    let arguments = [&TINY[..], &FRAMEWORK].concat();
    let plan = run("train", &[&arguments[..], &["--plan"]].concat(), out.path());
    let id = plan.lines().find(|line| line.contains(" seed ")).unwrap().split_whitespace().last().unwrap();
    fs::create_dir_all(out.path().join("runs")).unwrap();
    let file = out.path().join("runs").join(id);
    fs::write(&file, "not a folder").unwrap();
    fails("train", &arguments, out.path(), &[&file.display().to_string(), "choose another folder with --out"]);
    assert_eq!(fs::read(&file).unwrap(), b"not a folder");
}

/// What a full disk does, a limit on the size of files does too: writing fails half-way.
#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    let out = tempfile::tempdir().unwrap();
    let mut child = start(&FRAMEWORK, out.path());
    wait_for_file("epochs.csv", &mut child, out.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let arguments = [&SETTINGS[..], &FRAMEWORK].concat().join(" ");
    // In blocks of 512 or 1024 bytes, as the shell likes: less than the weights in either.
    let limited = format!("ulimit -f 8; exec {} {arguments} --out {}", path("train"), out.path().display());
    let output = Command::new("sh").args(["-c", &limited]).env("RAYON_NUM_THREADS", "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}: {said}", output.status);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("error: cannot write") && last.contains(".safetensors"), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("error:")).count(), 1, "{said}");
    assert_nothing_half_written(out.path());
    run("train", &[&SETTINGS[..], &FRAMEWORK].concat(), out.path());
    assert!(results(out.path()) == undisturbed(&FRAMEWORK));
}

#[test]
fn files_from_the_future_are_as_good_as_others() {
    let out = tempfile::tempdir().unwrap();
    let mut child = start(&FRAMEWORK, out.path());
    wait_for_file("epochs.csv", &mut child, out.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    for file in files(out.path()) {
        File::options().write(true).open(file).unwrap().set_modified(tomorrow).unwrap();
    }
    run("train", &[&SETTINGS[..], &FRAMEWORK].concat(), out.path());
    assert!(results(out.path()) == undisturbed(&FRAMEWORK));
    assert_nothing_half_written(out.path());
}

/// What `table3 --plan`, pages of text, comes to with `stdout`.
#[cfg(target_os = "linux")]
fn planned_to(stdout: Stdio) -> (Option<i32>, String) {
    let out = tempfile::tempdir().unwrap();
    let mut plan = Command::new(path("table3"));
    plan.args(["--plan", "--seeds", "0,1,2,3", "--out"]).arg(out.path()).stdout(stdout).stderr(Stdio::piped());
    let output = plan.env_remove("RUST_BACKTRACE").spawn().unwrap().wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_nobody_reads_is_no_error_and_output_that_is_lost_is_one() {
    let (unread, written) = std::io::pipe().unwrap();
    drop(unread);
    assert_eq!(planned_to(written.into()), (Some(0), String::new()));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (code, errors) = planned_to(full.into());
    assert!(errors.starts_with("error: writing to standard output: ") && errors.lines().count() == 1, "{errors}");
    assert_eq!(code, Some(1));
}
