//! Rows for several values of an option.

use crate::{
    outcome::refuses,
    program::{TINY, command, run, runs, text},
};
use std::path::Path;

/// The label and the run of each row that `table1` plans.
fn planned(options: &[&str]) -> Vec<(String, String)> {
    let plan = run("table1", &[&["--plan"], options].concat(), Path::new("nowhere"));
    let rows = plan.lines().filter_map(|line| {
        let (label, rest) = line.split_once(" seed 0 ")?;
        Some((label.trim().to_owned(), rest.split(' ').next_back()?.to_owned()))
    });
    rows.collect()
}

fn labels(options: &[&str]) -> Vec<String> {
    planned(options).into_iter().map(|(label, _)| label).collect()
}

#[test]
fn a_row_has_versions_by_the_options_that_reach_it_and_frameworks_stand_together() {
    let only = ["--only", "=pgd-at,=trades,=trades+i2fr"];
    let vary = ["--vary", "i2fr-margin=usual,2", "--vary", "beta=usual,1"];
    let expected = [
        "PGD-AT",
        "TRADES",
        "TRADES + I2FR",
        "TRADES + I2FR (margin 2)",
        "TRADES (beta 1)",
        "TRADES + I2FR (beta 1)",
        "TRADES + I2FR (margin 2, beta 1)",
    ];
    assert_eq!(labels(&[only, [vary[0], vary[1]], [vary[2], vary[3]]].concat()), expected);
    let one = ["--only", "=trades+i2fr margin 2", "--vary", "i2fr-margin=0.5,2"];
    assert_eq!(labels(&one), ["TRADES + I2FR (margin 2)"]);
    // Nothing pushes classes apart to a margin where that term has no weight.
    let idle = labels(&["--only", "=trades+i2fr", "--vary", "i2fr-inter=0,1", "--vary", "i2fr-margin=1,2"]);
    assert_eq!(idle.len(), 3, "{idle:?}");
}

/// So what another table has trained is not trained again.
#[test]
fn a_version_is_the_run_that_its_options_give() {
    let both = planned(&["--only", "=trades+i2fr", "--vary", "i2fr-margin=usual,2"]);
    let alone = |options: &[&str]| planned(&[&["--only", "=trades+i2fr"], options].concat()).remove(0).1;
    assert_eq!([&both[0].1, &both[1].1], [&alone(&[]), &alone(&["--i2fr-margin", "2"])]);
    // 6 is the usual weight of TRADES.
    let usual = planned(&["--only", "=trades", "--vary", "beta=6,1"]);
    assert_eq!((&*usual[0].0, &usual[0].1), ("TRADES (beta 6)", &planned(&["--only", "=trades"])[0].1));
}

/// Nor is a network trained twice whose method does not read an option.
#[test]
fn steps_of_the_attack_make_no_other_run_of_what_has_steps_of_its_own() {
    let runs = |options: &[&str]| planned(&[&["--only", "=standard,=fast-at,=pgd-at"], options].concat());
    let (usual, more) = (runs(&[]), runs(&["--attack-steps", "9"]));
    let same: Vec<bool> = usual.iter().zip(&more).map(|(usual, more)| usual == more).collect();
    assert_eq!((usual[1].0.as_str(), same), ("PGD-AT", vec![true, false, true]), "{usual:?} {more:?}");
}

#[test]
fn versions_are_compared_to_their_framework_trained_alike() {
    let out = tempfile::tempdir().unwrap();
    let rows = ["--only", "=standard,=trades,=trades+i2fr", "--vary", "i2fr-margin=usual,2", "--vary", "epochs=1,2"];
    let rest = ["--columns", "clean,pgd-20", "--no-audit", "--seeds", "0,1"];
    let tiny = TINY.into_iter().filter(|word| !["--epochs", "1"].contains(word));
    run("table1", &[&tiny.collect::<Vec<_>>()[..], &rows, &rest].concat(), out.path());
    let differences = text(&out.path().join("table1/differences.csv"));
    let compared: Vec<String> = differences
        .lines()
        .skip(1)
        .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(","))
        .filter(|line| line.ends_with(",clean"))
        .collect();
    let expected = [
        "trades epochs 1,i2fr,clean",
        "trades epochs 1,i2fr margin 2,clean",
        "trades epochs 2,i2fr,clean",
        "trades epochs 2,i2fr margin 2,clean",
    ];
    assert_eq!(compared, expected);
    let table = text(&out.path().join("table1.md"));
    let standard = table.lines().find(|line| line.starts_with("| Standard (epochs 2)")).unwrap();
    assert!(!standard.contains("**"), "the control is never the best: {standard}");
}

#[test]
fn a_row_that_diverges_leaves_the_others_their_turn() {
    let out = tempfile::tempdir().unwrap();
    let rows = ["--only", "=pgd-at", "--vary", "lr=1e30,0.01", "--columns", "clean,pgd-20"];
    let failed = command("table1").args(TINY).args(rows).arg("--out").arg(out.path()).assert();
    let failed = failed.code(1).stderr(predicates::str::contains("the other runs come first"));
    let said = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(said.lines().last().unwrap().contains("diverge"), "{said}");
    let table = text(&out.path().join("table1.md"));
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| PGD-AT (lr ")).collect();
    assert!(rows.len() == 2 && rows[0] == "| PGD-AT (lr 1e30) | — | — | — |" && !rows[1].contains('—'), "{table}");
    let audits = runs(out.path()).iter().filter(|run| run.join("audit-best.csv").is_file()).count();
    assert_eq!(audits, 1, "it is audited, too");
    // Figures ask what is there.
    let rows = ["--only", "=pgd-at", "--vary", "lr=1e30,0.01", "--columns", "clean"];
    let failed = command("figure5").args(TINY).args(rows).arg("--out").arg(out.path()).assert().code(1);
    let said = String::from_utf8_lossy(&failed.get_output().stderr).into_owned();
    assert!(said.lines().last().unwrap().contains("diverge"), "{said}");
    let cells = text(&out.path().join("figure5/cells.csv"));
    assert!(cells.lines().count() == 2 && cells.contains("lr 0.01"), "{cells}");
}

#[test]
fn runs_of_other_images_are_not_compared() {
    let out = tempfile::tempdir().unwrap();
    let rows = ["--only", "=pgd-at,=trades", "--columns", "clean", "--no-audit"];
    run("table1", &[&TINY[..], &rows].concat(), out.path());
    let record = runs(out.path())[0].join("run.json");
    let json = text(&record);
    let (before, after) = json.split_once("\"test_sha256\": \"").unwrap();
    std::fs::write(&record, format!("{before}\"test_sha256\": \"0{}", &after[1..])).unwrap();
    let refused = command("table1").args(TINY).args(rows).arg("--render-only").arg("--out").arg(out.path()).assert();
    refused.code(1).stderr(predicates::str::contains("are of other images of synthetic"));
}

#[test]
fn figure_6_tells_versions_apart() {
    let out = tempfile::tempdir().unwrap();
    let tiny: Vec<&str> = TINY.into_iter().filter(|word| !["--epochs", "1"].contains(word)).collect();
    let rows = ["--only", "=pgd-at", "--vary", "epochs=1,2", "--columns", "clean"];
    run("figure6", &[&tiny[..], &rows].concat(), out.path());
    let page = text(&out.path().join("figure6.md"));
    let of_one = page.lines().rfind(|line| line.starts_with("| PGD-AT (epochs 1) |")).unwrap();
    assert!(of_one.ends_with("| 1 of 1 |"), "{page}");
    // Of one framework a panel for each.
    let rows = ["--only", "=pgd-at,=pgd-at+i2fr", "--vary", "i2fr-margin=0.5,2", "--columns", "clean"];
    run("figure6", &[&TINY[..], &rows].concat(), out.path());
    let drawn = text(&out.path().join("figure6.svg"));
    for title in ["PGD-AT + I2FR (margin 0.5)", "PGD-AT + I2FR (margin 2)"] {
        assert!(drawn.contains(title), "{title}");
    }
}

#[test]
fn what_cannot_be_varied_is_refused() {
    let vary = |value: &str, rest: &[&str], expected: &[&str]| {
        refuses("table1", &[&["--plan", "--vary", value], rest].concat(), expected);
    };
    vary("beta", &[], &["--vary", "no `=`", "i2fr-margin=0.5,2"]);
    vary("eps=1/255,2/255", &[], &["`eps` cannot be varied", "beta", "i2fr-margin"]);
    for few in ["beta=1", "beta=1,1", "beta="] {
        vary(few, &[], &[few, "two values"]);
    }
    vary("beta=1,x", &[], &["--vary beta", "'x'", "weight of a term"]);
    vary("i2fr-margin=-1,2", &[], &["--vary i2fr-margin", "at least 0"]);
    vary("beta=1,6", &["--vary", "beta=2,3"], &["--vary beta", "twice"]);
    vary("beta=1,6", &["--beta", "3"], &["--beta is varied", "leave it out"]);
    vary("beta=1,6", &["--only", "standard,pgd-at"], &["--vary beta changes nothing"]);
    vary("i2fr-margin=1,2", &["--i2fr-inter", "0"], &["--vary i2fr-margin changes nothing"]);
    vary("i2fr-decay=0.1,0.5", &[], &["--i2fr-reference running-means"]);
    vary("attack-step=0.01,2", &[], &["--attack-step 2", "out of the ball"]);
    vary("train-examples=100,600", &[], &["100 training images", "too few"]);
    refuses("figure3", &["--plan", "--vary", "epochs=1,2"], &["--vary", "figure3", "weights and margins"]);
    refuses(
        "table3",
        &["--plan", "--only", "=pgd-at+i2fr margin 2", "--vary", "i2fr-margin=1,2"],
        &["changes nothing"],
    );
}
