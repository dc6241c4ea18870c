//! Two processes never train or measure one run.

use crate::{
    interrupted::{SETTINGS, assert_interrupted, results, signal, start, undisturbed, wait_for_file, wait_until},
    outcome::fails,
    program::{Noise, TINY, bytes, command, files, only_run, path, run, text, trained},
};
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
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
    for part in ["error: ", &folder, ": process ", "which began", "ago, is at work", "wait for it", "--shard"] {
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
        let said = ["process", "on node17", "last seen", "is at work", "wait for it"];
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

/// As a machine that slept for so long that another took its run over, finished it and is gone.
#[test]
fn who_slept_until_another_finished_its_run_leaves_it_as_it_is() {
    let (done, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run("train", &[&SETTINGS[..], &FRAMEWORK].concat(), done.path());
    let mut sleeper = start(&FRAMEWORK, out.path());
    wait_for_file("resume.safetensors", &mut sleeper, out.path());
    signal(&sleeper, "STOP");
    let (theirs, ours) = (only_run(done.path()), only_run(out.path()));
    for file in fs::read_dir(&theirs).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&file, ours.join(file.file_name().unwrap())).unwrap();
    }
    fs::remove_file(ours.join("run.lock")).unwrap();
    signal(&sleeper, "CONT");
    let output = sleeper.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("another process took it over and finished it"), "{said}");
    assert_eq!(text(&ours.join("run.json")), text(&theirs.join("run.json")));
    assert_eq!(text(&ours.join("evaluations.csv")), text(&theirs.join("evaluations.csv")));
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

/// A process that is killed between the last line of its work and removing its lock leaves that of a run that
/// nobody will train again; a bit sooner, states too.
#[test]
fn what_a_kill_at_the_very_end_leaves_is_cleared_away() {
    let (killed, lock) = killed();
    let state = bytes(&only_run(killed.path()).join("resume.safetensors"));
    let noise = Noise::new();
    let standard = ["--framework", "standard"];
    let (out, folder) = trained(&noise, &standard);
    let names = ["run.lock", "resume.safetensors", "resume-before.safetensors"];
    let sound = files(out.path());
    let again = [&TINY[..], &noise.arguments(), &standard].concat();
    let table = [&TINY[..], &noise.arguments(), &["--only", "standard", "--columns", "clean,pgd-20"]].concat();
    for (program, arguments) in [("train", &again), ("table1", &table)] {
        for (name, left) in names.iter().zip([lock.as_bytes(), &state, &state]) {
            fs::write(folder.join(name), left).unwrap();
            run(program, arguments, out.path());
            assert!(!folder.join(name).exists(), "{program} leaves {name}");
        }
    }
    // That of a process that may live is not ours.
    let elsewhere = lock.replace("\"machine\": \"", "\"machine\": \"other ");
    fs::write(folder.join("run.lock"), &elsewhere).unwrap();
    fs::write(folder.join("resume.safetensors"), "in use").unwrap();
    run("train", &again, out.path());
    assert_eq!(text(&folder.join("run.lock")), elsewhere);
    assert!(folder.join("resume.safetensors").exists());
    assert!(sound.iter().all(|path| path.is_file()));
}

/// `name` in the background, once it has its lock in a folder below `out`.
fn measuring(name: &str, arguments: &[&str], out: &Path) -> Child {
    let mut command = Command::new(path(name));
    command.args(arguments).arg("--out").arg(out).env("RAYON_NUM_THREADS", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(&mut child, || files(out).iter().any(|path| path.ends_with("evaluations.csv")));
    child
}

#[test]
fn one_of_two_measures_a_run_and_the_other_says_so() {
    let out = tempfile::tempdir().unwrap();
    let all = ["--only", "standard", "--epochs", "1", "--train-examples", "600", "--eval-examples", "2000"];
    let child = measuring("table1", &all, out.path());
    let folder = only_run(out.path());
    let seen = run("runs", &["list"], out.path());
    assert!(seen.contains("measured right now by process"), "{seen}");
    assert_eq!(run("runs", &["prune", "--yes"], out.path()), "0 files or folders, 0 B\n");
    let place = folder.display().to_string();
    fails("table1", &all, out.path(), &[&place, "process", "is at work", "wait for it", "--shard"]);
    // What is known needs nobody's leave, nor do other runs.
    run("table1", &[&all[..], &["--render-only"]].concat(), out.path());
    let noise = Noise::new();
    let other = [&TINY[..], &noise.arguments(), &["--framework", "standard"]].concat();
    run("train", &other, out.path());
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    assert!(!folder.join("run.lock").exists());
}

#[test]
fn a_run_that_was_held_is_looked_at_again_in_the_end() {
    let (noise, out) = (Noise::new(), tempfile::tempdir().unwrap());
    let table = [&TINY[..], &noise.arguments(), &["--no-audit", "--columns"]].concat();
    run("table1", &[&table[..], &["clean", "--only", "=pgd-at"]].concat(), out.path());
    let lock = only_run(out.path()).join("run.lock");
    fs::write(&lock, "noise").unwrap();
    let mut command = Command::new(path("table1"));
    command.args(&table).args(["clean,pgd-20", "--only", "=pgd-at,=trades", "--out"]).arg(out.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(&mut child, || crate::program::runs(out.path()).len() == 2);
    fs::remove_file(&lock).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("the other runs come first"), "{said}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("—"), "a value is missing");
}

#[test]
fn one_of_two_evaluates_into_a_folder_and_the_other_says_so() {
    let noise = Noise::new();
    let (_run, run) = trained(&noise, &["--framework", "standard"]);
    let out = tempfile::tempdir().unwrap();
    let weights = run.join("last.safetensors").display().to_string();
    let attack = ["--checkpoint", &weights, "--arch", "tiny", "--attack", "noise-10000", "--eps", "0.001"];
    let all = [&attack, &noise.arguments()[..]].concat();
    let mut child = measuring("evaluate", &all, out.path());
    // The attack takes long: what is being written at its end, or after the clean pass, would look half-written.
    wait_until(&mut child, || out.path().join("robustbench.json").is_file());
    let place = out.path().display().to_string();
    fails("evaluate", &all, out.path(), &[&place, "is at work", "wait for it, or choose another folder with --out"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let quick = [&all[..4], &["--attack", "fgsm", "--eps", "0.001"], &noise.arguments()[..]].concat();
    let output = command("evaluate").args(quick).arg("--out").arg(out.path()).output().unwrap();
    assert!(output.status.success(), "a dead process is in the way: {}", String::from_utf8_lossy(&output.stderr));
    assert!(!out.path().join("run.lock").exists());
}
