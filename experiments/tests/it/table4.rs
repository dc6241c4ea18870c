//! Table 4, from training to its files.

use crate::{
    interrupted::{assert_interrupted, signal, wait_until},
    outcome::{fails, refuses},
    program::{TINY, assert_nothing_half_written, bytes, command, path, remove_weights, run, runs, text},
};
use experiments::report::{Measure, read_measures};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const MEASURES: [&str; 9] = [
    "loss-raised",
    "error-raised-percent",
    "feature-displacement",
    "transfer-error-percent",
    "pairwise-distance",
    "pairwise-angle",
    "wrong-class-entropy",
    "vendi-score",
    "distinct-directions",
];

fn pgd_at(more: &[&'static str]) -> Vec<&'static str> {
    [&TINY[..], &["--only", "pgd-at"], more].concat()
}

/// What was measured, without how long that took.
fn measures(out: &Path) -> Vec<Measure> {
    let lines = read_measures(&out.join("table4/measures.csv")).unwrap();
    lines.into_iter().map(|line| Measure { seconds: 0., ..line }).collect()
}

/// The files of answers below `out`.
fn answers(out: &Path) -> Vec<PathBuf> {
    let all = runs(out).into_iter().map(|run| run.join("measured-table4-best.json"));
    all.filter(|path| path.is_file()).collect()
}

fn renderings(out: &Path) -> [PathBuf; 6] {
    let [csv, md, tex, svg, png] = ["csv", "md", "tex", "svg", "png"].map(|kind| out.join(format!("table4.{kind}")));
    [out.join("table4/measures.csv"), csv, md, tex, svg, png]
}

#[test]
fn every_measurement_is_there_and_kept() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path();
    let printed = run("table4", &pgd_at(&[]), out);
    assert_eq!(printed, text(&out.join("table4.md")));
    assert_nothing_half_written(out);
    // TRADES is no row: its network is what transfer is tried on.
    assert_eq!((runs(out).len(), answers(out).len()), (3, 2));
    let lines = measures(out);
    for regularizer in ["none", "i2fr"] {
        for subject in ["plain", "i2fr"] {
            let of = |line: &&Measure| line.regularizer == regularizer && line.subject == subject;
            let names: Vec<&str> = lines.iter().filter(of).map(|line| line.measure.as_str()).collect();
            // Nobody may ever be wrong.
            let expected = MEASURES.iter().filter(|name| **name != "wrong-class-entropy" || names.contains(*name));
            assert_eq!(names, expected.copied().collect::<Vec<_>>());
            let value = |name: &str| lines.iter().filter(of).find(|line| line.measure == name).unwrap().value;
            // Ten examples within 8/255 of 3072 pixels.
            assert!((0. ..=2. * 8. / 255. * 3072f64.sqrt()).contains(&value("pairwise-distance")));
            assert!(value("distinct-directions") <= value("vendi-score") && value("vendi-score") <= 10.);
            assert!(value("distinct-directions") >= 1. && value("feature-displacement") > 0.);
        }
    }
    let common = |line: &Measure| line.source == "table4" && line.examples == 40 && line.framework == "pgd-at";
    assert!(lines.iter().all(common), "{lines:?}");

    // Again, and from what is stored: nothing is measured or changed.
    let before = renderings(out).map(|path| bytes(&path));
    let known: Vec<Vec<u8>> = answers(out).iter().map(|path| bytes(path)).collect();
    assert_eq!(run("table4", &pgd_at(&[]), out), printed);
    renderings(out).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    // Numbers outlive the weights.
    remove_weights(out);
    assert_eq!(run("table4", &pgd_at(&["--render-only"]), out), printed);
    assert_eq!(run("table4", &pgd_at(&[]), out), printed);
    for (path, before) in renderings(out).iter().zip(before) {
        assert!(bytes(path) == before, "{} changed", path.display());
    }
    assert_eq!(answers(out).iter().map(|path| bytes(path)).collect::<Vec<_>>(), known);
    assert!(!runs(out).iter().any(|run| run.join("best.safetensors").exists()), "something was trained");

    // Other options are another question.
    let refused =
        command("table4").args(pgd_at(&["--render-only", "--i2fr-margin", "2"])).arg("--out").arg(out).assert();
    refused.code(1).stderr(predicates::str::contains("nothing was measured with these options"));
    // What is trained again to the same weights stays measured.
    run("train", &[&TINY[..], &["--framework", "pgd-at"]].concat(), out);
    let [kept, _] = &answers(out)[..] else { panic!("{:?}", answers(out)) };
    // What is broken is named, and neither shown nor replaced.
    std::fs::write(kept, "{}").unwrap();
    let refused = command("table4").args(pgd_at(&["--render-only"])).arg("--out").arg(out).assert();
    refused.code(1).stderr(predicates::str::contains("measured-table4-best.json: not a measurement; delete it"));
    assert_eq!(text(kept), "{}");
}

#[test]
fn another_question_replaces_no_answer() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path();
    let first = run("table4", &pgd_at(&[]), out);
    let second = run("table4", &pgd_at(&["--i2fr-margin", "2"]), out);
    assert_ne!(first, second);
    remove_weights(out);
    assert_eq!(run("table4", &pgd_at(&["--render-only"]), out), first);
    assert_eq!(run("table4", &pgd_at(&["--render-only", "--i2fr-margin", "2"]), out), second);
}

#[test]
fn neither_threads_nor_the_place_change_a_bit() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [one, two] = folders.each_ref().map(|folder| folder.path());
    let only = pgd_at(&["--i2fr-reference", "batch-means"]);
    run("table4", &only, one);
    command("table4").args(&only).arg("--out").arg(two).env("RAYON_NUM_THREADS", "2").assert().success();
    assert_eq!(measures(one), measures(two));
    for (a, b) in renderings(one).iter().zip(renderings(two)).skip(1) {
        assert!(bytes(a) == bytes(&b), "{} differs", a.display());
    }
}

/// With weights of zero I2FR adds nothing to what is ascended, so both ways are one.
#[test]
fn without_weights_nothing_is_added() {
    let out = tempfile::tempdir().unwrap();
    let zero = ["--i2fr-intra-clean", "0", "--i2fr-intra-class", "0", "--i2fr-inter", "0"];
    run("table4", &pgd_at(&zero), out.path());
    let lines = measures(out.path());
    let of = |subject: &str| -> Vec<f64> {
        lines.iter().filter(|line| line.subject == subject).map(|line| line.value).collect()
    };
    assert!(!of("plain").is_empty() && of("plain") == of("i2fr"), "{lines:?}");
}

#[test]
fn an_interrupted_table_goes_on() {
    let out = tempfile::tempdir().unwrap();
    let all = pgd_at(&["--seeds", "0,1,2,3"]);
    let mut command = Command::new(path("table4"));
    command.args(&all).arg("--out").arg(out.path()).env("RAYON_NUM_THREADS", "1");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(&mut child, || !answers(out.path()).is_empty());
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    let known: Vec<(PathBuf, Vec<u8>)> = answers(out.path()).into_iter().map(|p| (p.clone(), bytes(&p))).collect();
    assert!((1..8).contains(&known.len()), "{known:?}");
    assert!(!measures(out.path()).is_empty(), "what was there by then is shown");
    let printed = run("table4", &all, out.path());
    assert_eq!(answers(out.path()).len(), 8);
    assert!(known.iter().all(|(path, before)| bytes(path) == *before), "something was measured twice");
    assert!(printed.contains("± ") && printed.contains("p = "), "{printed}");
}

#[test]
fn a_run_that_another_process_holds_leaves_the_others_their_turn() {
    let out = tempfile::tempdir().unwrap();
    let trained = [&TINY[..], &["--only", "pgd-at,=trades", "--columns", "clean", "--no-audit"]].concat();
    run("table1", &trained, out.path());
    let held = runs(out.path()).into_iter().find(|run| run.display().to_string().contains("i2fr")).unwrap();
    std::fs::write(held.join("run.lock"), "noise").unwrap();
    fails("table4", &pgd_at(&[]), out.path(), &[&*held.display().to_string(), "is at work on this"]);
    let others: Vec<Measure> = measures(out.path());
    assert!(!others.is_empty() && others.iter().all(|line| line.regularizer == "none"), "{others:?}");
    std::fs::remove_file(held.join("run.lock")).unwrap();
    run("table4", &pgd_at(&[]), out.path());
    assert!(measures(out.path()).len() > others.len());
}

/// Both parts need TRADES beside their rows, and none of them has it as a row.
#[test]
fn parts_that_need_the_same_network_share_it() {
    let out = tempfile::tempdir().unwrap();
    let parts = ["1/2", "2/2"].map(|part| {
        let mut command = Command::new(path("table4"));
        command.args(pgd_at(&["--shard", part])).arg("--out").arg(out.path()).env("RAYON_NUM_THREADS", "1");
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for part in parts {
        let output = part.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!((runs(out.path()).len(), answers(out.path()).len()), (3, 2));
}

#[test]
fn a_plan_names_the_other_network_too() {
    let out = tempfile::tempdir().unwrap();
    let printed = run("table4", &["--plan", "--only", "pgd-at"], out.path());
    assert_eq!(printed.matches("to train").count(), 3, "{printed}");
    assert!(printed.contains("needed beside  trades-synthetic-tiny-s0"), "{printed}");
    assert!(!out.path().join("runs").exists());
    refuses("table4", &["--only", "nothing"], &["--only nothing", "table4", "pgd-at, trades, mart"]);
    refuses("table4", &["--columns", "pgd-20"], &["--columns pgd-20", "table4 has no columns"]);
}
