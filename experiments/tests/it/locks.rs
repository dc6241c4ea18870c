//! Two processes never train one run.

use crate::{
    interrupted::{SETTINGS, results, start, undisturbed, wait_for_file},
    outcome::fails,
    program::{only_run, run, text},
};
use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

const FRAMEWORK: [&str; 2] = ["--framework", "pgd-at"];

#[test]
fn one_of_two_trains_and_the_other_says_so() {
    let out = tempfile::tempdir().unwrap();
    let both = [(); 2].map(|()| start(&[&FRAMEWORK[..], &["--save-minutes", "0"]].concat(), out.path()));
    let both = both.map(|child| child.wait_with_output().unwrap());
    let codes = both.each_ref().map(|output| output.status.code());
    assert!(codes == [Some(0), Some(1)] || codes == [Some(1), Some(0)], "{codes:?}");
    let refused = &both[usize::from(codes[1] == Some(1))];
    let said = String::from_utf8_lossy(&refused.stderr);
    let last = said.lines().last().unwrap();
    let folder = only_run(out.path()).display().to_string();
    for part in ["error: ", &folder, "is being trained by process", "which began", "ago", "wait for it", "--shard"] {
        assert!(last.contains(part), "{said}");
    }
    assert!(results(out.path()) == undisturbed(&FRAMEWORK));
    assert!(!only_run(out.path()).join("run.lock").exists());
}

/// A training that was killed, and the lock it left.
fn killed() -> (TempDir, String) {
    let out = tempfile::tempdir().unwrap();
    let mut child = start(&FRAMEWORK, out.path());
    wait_for_file("resume.safetensors", &mut child, out.path());
    child.kill().unwrap();
    let dead = child.wait_with_output().unwrap();
    assert_eq!(dead.status.code(), None);
    let lock = text(&only_run(out.path()).join("run.lock"));
    (out, lock)
}

fn trains(out: &Path) {
    run("train", &[&SETTINGS[..], &FRAMEWORK].concat(), out);
    assert!(!only_run(out).join("run.lock").exists());
    assert!(text(&out.join("log.txt")).contains("resuming after epoch"));
    assert!(results(out) == undisturbed(&FRAMEWORK));
}

#[test]
fn the_lock_of_a_dead_process_is_taken_over() {
    let (out, lock) = killed();
    assert!(lock.contains("\"pid\"") && lock.contains("\"host\""), "{lock}");
    trains(out.path());
    assert!(text(&out.path().join("log.txt")).contains("taken over from process"));
}

#[test]
fn a_reused_process_number_is_not_mistaken() {
    // The system tells when a process started to a hundredth of a second.
    std::thread::sleep(Duration::from_millis(50));
    let (out, lock) = killed();
    let dead = lock.split("\"pid\": ").nth(1).unwrap().split(',').next().unwrap();
    // The first process lives, but did not start when the dead one did.
    let reused = lock.replace(&format!("\"pid\": {dead}"), "\"pid\": 1");
    assert_ne!(lock, reused);
    fs::write(only_run(out.path()).join("run.lock"), reused).unwrap();
    trains(out.path());
}

#[test]
fn another_machine_is_honoured_until_it_is_silent() {
    let (out, lock) = killed();
    let path = only_run(out.path()).join("run.lock");
    let machine = lock.split("\"machine\": \"").nth(1).unwrap().split('"').next().unwrap();
    let host = lock.split("\"host\": \"").nth(1).unwrap().split('"').next().unwrap();
    let elsewhere = lock.replace(machine, "another").replacen(host, "node17", 1);
    let arguments = [&SETTINGS[..], &FRAMEWORK].concat();
    let minute = Duration::from_secs(60);
    let now = SystemTime::now();
    // Its clock, or this one, may be off or have been set back.
    for touched in [now, now - 5 * minute, now + 5 * minute] {
        fs::write(&path, &elsewhere).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(touched).unwrap();
        let said = ["is being trained by process", "on node17", "last seen", "wait for it"];
        fails("train", &arguments, out.path(), &said);
        assert_eq!(text(&path), elsewhere);
    }
    let (later, _) = killed();
    for (out, touched) in [(out.path(), now - 20 * minute), (later.path(), now + 20 * minute)] {
        let path = only_run(out).join("run.lock");
        fs::write(&path, &elsewhere).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(touched).unwrap();
        trains(out);
    }
}

#[test]
fn a_lock_of_noise_is_honoured_until_it_is_silent() {
    let (out, _) = killed();
    let path = only_run(out.path()).join("run.lock");
    fs::write(&path, "noise").unwrap();
    fails("train", &[&SETTINGS[..], &FRAMEWORK].concat(), out.path(), &["an unknown process", "last seen"]);
    let then = SystemTime::now() - Duration::from_secs(3600);
    File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
    trains(out.path());
}
