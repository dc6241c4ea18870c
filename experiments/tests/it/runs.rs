//! Looking after stored runs.

use crate::{
    interrupted::{assert_interrupted, signal, start, wait_for_file},
    outcome::fails,
    program::{Noise, TINY, bytes, files, only_run, run, text, trained},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

/// Two runs in one folder, the second without a defence.
fn two() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let noise = Noise::new();
    let (out, first) = trained(&noise, &["--framework", "fast-at", "--i2fr"]);
    run("train", &[&TINY, &noise.arguments()[..], &["--framework", "standard", "--seeds", "3"]].concat(), out.path());
    let second = crate::program::runs(out.path()).into_iter().find(|folder| *folder != first).unwrap();
    (out, first, second)
}

/// An interrupted one.
fn interrupted() -> (tempfile::TempDir, PathBuf) {
    let out = tempfile::tempdir().unwrap();
    let mut child = start(&["--framework", "alp", "--save-minutes", "0"], out.path());
    wait_for_file("epochs.csv", &mut child, out.path());
    let seen = run("runs", &["list"], out.path());
    assert!(seen.contains("trained right now by process"), "{seen}");
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    let folder = only_run(out.path());
    (out, folder)
}

#[test]
fn a_list_tells_what_has_become_of_each() {
    let (out, first, second) = two();
    fs::remove_file(second.join("last.safetensors")).unwrap();
    fs::create_dir(out.path().join("runs/foreign")).unwrap();
    let list = run("runs", &["list"], out.path());
    let line = |id: &str| list.lines().find(|line| line.starts_with(id)).unwrap_or_else(|| panic!("{id}: {list}"));
    let row = text(&first.join("epochs.csv")).lines().nth(1).unwrap().split(',').nth(4).unwrap().to_owned();
    let best = format!("{:.2}", row.parse::<f64>().unwrap());
    for part in ["  trained  ", "cifar10  tiny  0     1", &best, "KiB"] {
        assert!(line(&name(&first)).contains(part), "no {part:?}: {list}");
    }
    assert!(line(&name(&second)).contains("trained; no weights here") && line(&name(&second)).contains("tiny  3 "));
    assert!(line("foreign").contains("unreadable"), "{list}");
    assert_eq!(list.lines().count(), 4);
    let (out, folder) = interrupted();
    let list = run("runs", &["list"], out.path());
    assert!(list.contains(&name(&folder)) && list.contains("interrupted at epoch "), "{list}");
}

/// A sweep: runs that are equal in every column but for an option.
#[test]
fn a_list_tells_runs_apart_that_only_an_option_does() {
    let out = tempfile::tempdir().unwrap();
    let train = [&TINY[..], &["--framework", "standard"]].concat();
    for options in [&[][..], &["--seeds", "1"], &["--lr", "0.05"], &["--average", "ema-0.9"]] {
        run("train", &[&train[..], options].concat(), out.path());
    }
    let list = run("runs", &["list"], out.path());
    let options: Vec<&str> = list
        .lines()
        .skip(1)
        .map(|line| line.rsplit_once("iB").unwrap().1.trim())
        .filter(|options| !options.is_empty())
        .collect();
    assert_eq!(options.iter().filter(|options| **options == "lr 0.05").count(), 1, "{list}");
    assert_eq!(options.iter().filter(|options| options.contains("averaging ema-0.9")).count(), 1, "{list}");
    assert_eq!(options.len(), 2, "{list}");
    // Nothing attacked the control's held-out images.
    assert_eq!(list.matches(" clean  ").count(), 4, "{list}");
}

#[test]
fn a_run_is_shown_and_compared_by_any_part_of_its_name() {
    let (out, first, second) = two();
    let shown = run("runs", &["show", "fast-at"], out.path());
    for part in
        [&*name(&first), ": trained\n", "  epochs: 1\n", "  regularizer.margin: ", "  commit: ", "  best, pgd-20: "]
    {
        assert!(shown.contains(part), "no {part:?}: {shown}");
    }
    assert!(shown.contains(" % of 40 images"), "{shown}");
    let hash = |folder: &Path| name(folder).rsplit_once('-').unwrap().1.to_owned();
    let diff = run("runs", &["diff", &hash(&first), &hash(&second)], out.path());
    for line in ["framework: fast-at | standard", "seed: 0 | 3", "regularizer: - | none"] {
        assert!(diff.lines().any(|found| found == line), "no {line:?}: {diff}");
    }
    assert!(!diff.contains("epochs") && !diff.contains("dataset"), "{diff}");
    let (_, compared) = diff.split_once("\n\ntest images ").unwrap();
    for attack in ["clean ", "pgd-20 "] {
        let line = compared.lines().find(|line| line.starts_with(attack)).unwrap_or_else(|| panic!("{compared}"));
        assert_eq!(line.split_whitespace().nth(1), Some("40"), "{line}");
    }
    assert_eq!(run("runs", &["diff", &name(&first), "fast-at"], out.path()), "It is the same run.\n");
    fails("runs", &["show", "nobody"], out.path(), &["nobody", "no run in", "runs list"]);
    fails("runs", &["show", "cifar10"], out.path(), &["2 runs", &name(&first), &name(&second), "give more"]);
    let nowhere = out.path().join("nowhere");
    fails("runs", &["list"], &nowhere, &[&nowhere.display().to_string(), "no runs", "--out"]);
    assert!(!nowhere.exists());
}

/// The same attack in another ball is another attack.
#[test]
fn networks_are_compared_in_one_ball() {
    let noise = Noise::new();
    let train = [&TINY[..], &noise.arguments(), &["--framework", "standard"]].concat();
    let (out, first) = trained(&noise, &["--framework", "standard"]);
    run("train", &[&train[..], &["--eps", "16/255"]].concat(), out.path());
    let second = crate::program::runs(out.path()).into_iter().find(|folder| *folder != first).unwrap();
    let diff = run("runs", &["diff", &name(&first), &name(&second)], out.path());
    assert!(diff.contains("epsilon: 8/255 | 16/255") && diff.contains("different balls"), "{diff}");
    assert!(diff.contains("\nclean ") && !diff.contains("\npgd-20 "), "{diff}");
}

#[test]
fn every_damage_is_found_and_named() {
    let (out, first, second) = two();
    assert_eq!(run("runs", &["verify"], out.path()), "2 runs are sound\n");
    let (beside, state) = interrupted();
    assert_eq!(run("runs", &["verify"], beside.path()), "1 run is sound\n");
    let flip = |path: &Path| {
        let mut damaged = bytes(path);
        let at = damaged.len() - 9;
        damaged[at] ^= 4;
        fs::write(path, damaged).unwrap();
    };
    let damaged = |out: &Path, folder: &Path, file: &str, damage: &dyn Fn(&Path)| {
        let sound = bytes(&folder.join(file));
        damage(&folder.join(file));
        let output =
            crate::program::command("runs").args(["verify", &name(folder), "--out"]).arg(out).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{file}: {said}");
        assert!(said.starts_with(&format!("{}: ", name(folder))) && said.contains(file), "{file}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: damaged: 1 "));
        fs::write(folder.join(file), sound).unwrap();
    };
    let cut = |path: &Path| fs::write(path, &bytes(path)[..bytes(path).len() / 2]).unwrap();
    for file in ["best.safetensors", "last.safetensors"] {
        damaged(out.path(), &first, file, &flip);
        damaged(out.path(), &first, file, &cut);
    }
    for file in ["run.json", "epochs.csv", "evaluations.csv"] {
        damaged(out.path(), &first, file, &cut);
    }
    for text in ["a,b\n1\n", ""] {
        damaged(out.path(), &first, "examples.csv", &|path| fs::write(path, text).unwrap());
    }
    damaged(out.path(), &first, "evaluations.csv", &|path| fs::remove_file(path).unwrap());
    for file in ["timings.csv", "features.png"] {
        damaged(out.path(), &first, file, &|path| fs::write(path, "garbage\n1,2\n").unwrap());
    }
    let answer = first.join("measured-table4-best.json");
    fs::write(&answer, "half").unwrap();
    damaged(out.path(), &first, "measured-table4-best.json", &|path| fs::write(path, "{").unwrap());
    fs::remove_file(answer).unwrap();
    damaged(out.path(), &first, "run.json", &|path| fs::write(path, bytes(&second.join("run.json"))).unwrap());
    for file in ["resume.safetensors", "resume-before.safetensors"] {
        damaged(beside.path(), &state, file, &flip);
        damaged(beside.path(), &state, file, &cut);
    }
    assert_eq!(run("runs", &["verify"], out.path()), "2 runs are sound\n");
}

#[test]
fn only_what_nobody_needs_is_pruned_and_only_when_told() {
    let (out, first, second) = two();
    let (beside, state) = interrupted();
    let [foreign, begun] = ["foreign", "begun"].map(|name| out.path().join("runs").join(name));
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("notes.txt"), "what was this?").unwrap();
    let kept = files(out.path());
    fs::copy(state.join("resume.safetensors"), first.join("resume.safetensors")).unwrap();
    fs::create_dir(&begun).unwrap();
    fs::copy(state.join("resume.safetensors"), begun.join("resume.safetensors")).unwrap();
    let forgotten = second.join(".17-3.last.safetensors");
    fs::write(&forgotten, "half").unwrap();
    let then = std::time::SystemTime::now() - Duration::from_secs(7200);
    fs::File::options().write(true).open(&forgotten).unwrap().set_modified(then).unwrap();
    let all = files(out.path());
    let shown = run("runs", &["prune"], out.path());
    let doomed = [first.join("resume.safetensors"), begun.clone(), forgotten];
    for path in &doomed {
        assert!(shown.contains(&format!("would delete {} (", path.display())), "{path:?}: {shown}");
    }
    assert!(shown.contains("3 files or folders") && shown.contains("add --yes"), "{shown}");
    assert_eq!(files(out.path()), all, "something was deleted unasked");
    assert!(run("runs", &["prune", "--yes"], out.path()).contains("3 files or folders"));
    assert_eq!(files(out.path()), kept);
    assert!(!begun.exists());
    // Nor is what was trained and measured, whatever became of its record.
    fs::write(second.join("run.json"), "{\"id\": \"half").unwrap();
    assert!(run("runs", &["prune", "--yes"], out.path()).starts_with("0 files or folders"));
    fs::remove_file(second.join("run.json")).unwrap();
    assert!(run("runs", &["prune", "--yes"], out.path()).starts_with("0 files or folders"));
    // What an interrupted run needs is no waste.
    let kept = files(beside.path());
    assert!(run("runs", &["prune", "--yes"], beside.path()).starts_with("0 files or folders"));
    assert_eq!(files(beside.path()), kept);
}

#[test]
fn two_hundred_runs_are_listed_verified_and_planned_with() {
    let noise = Noise::new();
    let standard = ["--framework", "standard"];
    let (out, folder) = trained(&noise, &standard);
    let record = text(&folder.join("run.json"));
    let seeds: Vec<String> = (0..200).map(|seed| seed.to_string()).collect();
    let seeds = seeds.join(",");
    let with = |more: &[&'static str]| [&TINY[..], &noise.arguments(), &["--plan", "--seeds", &seeds], more].concat();
    let planned = run("train", &with(&standard), out.path());
    let ids = planned.lines().filter(|line| line.contains(" seed ")).map(|line| line.rsplit_once(' ').unwrap().1);
    for (seed, id) in ids.enumerate().skip(1) {
        let copy = out.path().join("runs").join(id);
        fs::create_dir(&copy).unwrap();
        let record = record.replace("\"seed\": 0", &format!("\"seed\": {seed}")).replace(&name(&folder), id);
        fs::write(copy.join("run.json"), record).unwrap();
        for file in ["epochs.csv", "evaluations.csv", "best.safetensors", "last.safetensors"] {
            fs::copy(folder.join(file), copy.join(file)).unwrap();
        }
    }
    assert_eq!(run("runs", &["list"], out.path()).matches("  trained  ").count(), 200);
    assert_eq!(run("runs", &["verify"], out.path()), "200 runs are sound\n");
    let planned = run("table1", &with(&["--only", "standard,fast-at"]), out.path());
    assert_eq!(planned.matches(" trained ").count(), 200, "{planned}");
    assert_eq!(planned.matches("to train, about").count(), 400);
    for part in ["disk: ", " MiB; 400 more runs will add at most ", "the newest two are kept"] {
        assert!(planned.contains(part), "no {part:?}: {planned}");
    }
}
