//! A table, from training to its files.

use crate::program::{
    TINY, assert_nothing_half_written, bytes, command, files, only_run, remove_weights, run, runs, text,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Instant, SystemTime},
};

const HEADER: &str = "table,framework,regularizer,dataset,arch,norm,epsilon,attack,checkpoint,split,seed,examples,\
                      value_percent,run,profile,seconds";

const COLUMNS: [&str; 7] = ["clean", "fgsm", "pgd-20", "pgd-100", "cw", "autoattack", "adaptive"];

fn pgd_at(more: &[&'static str]) -> Vec<&'static str> {
    [&TINY[..], &["--only", "pgd-at"], more].concat()
}

/// `cells.csv` line by line, without the header and the last column, which is how long it took.
fn cells(out: &Path) -> Vec<String> {
    let text = text(&out.join("table1/cells.csv"));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(HEADER));
    lines.map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

fn weights(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let weights = files(out).into_iter().filter(|path| path.extension().is_some_and(|e| e == "safetensors"));
    weights.map(|path| (path.strip_prefix(out).unwrap().to_owned(), bytes(&path))).collect()
}

fn modified(out: &Path) -> Vec<(PathBuf, SystemTime)> {
    let weights = files(out).into_iter().filter(|path| path.extension().is_some_and(|e| e == "safetensors"));
    weights.map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap())).collect()
}

fn renderings(out: &Path) -> [PathBuf; 7] {
    let names = ["cells.csv", "differences.csv"].map(|name| format!("table1/{name}"));
    let [long, differences] = names.map(|name| out.join(name));
    let [csv, md, tex, svg, png] = ["csv", "md", "tex", "svg", "png"].map(|kind| out.join(format!("table1.{kind}")));
    [long, differences, csv, md, tex, svg, png]
}

#[test]
fn every_file_of_the_contract_is_there() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path();
    let printed = run("table1", &pgd_at(&[]), out);
    assert_eq!(printed, text(&out.join("table1.md")));
    assert!(printed.contains("| PGD-AT ") && printed.contains("| PGD-AT + I2FR "), "{printed}");

    let cells = cells(out);
    let mut rest = cells.iter();
    for regularizer in ["none", "i2fr"] {
        for attack in COLUMNS {
            let line = rest.next().unwrap();
            let start = format!("table1,pgd-at,{regularizer},synthetic,tiny,linf,8/255,{attack},best,test,0,40,");
            let profile = ",quick --train-examples 600 --epochs 1 --attack-steps 2";
            assert!(line.starts_with(&start) && line.ends_with(profile), "{line}");
        }
    }
    assert_eq!(rest.next(), None);

    let folders = runs(out);
    assert_eq!(folders.len(), 2);
    for folder in &folders {
        let names: Vec<String> =
            files(folder).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
        for name in [
            "audit-best.csv",
            "audit-best.md",
            "run.json",
            "epochs.csv",
            "examples.csv",
            "last.safetensors",
            "best.safetensors",
        ] {
            assert!(names.iter().any(|n| n == name), "{names:?}");
        }
        assert!(!names.iter().any(|n| n == "resume.safetensors"), "{names:?}");
        check_run(folder);
        assert!(text(&folder.join("index.html")).contains("<h2>Audit</h2>"));
    }
    assert!(printed.contains("| Audit |"), "{printed}");
    let audits = text(&out.join("table1/audit.csv"));
    assert_eq!(audits.lines().filter(|line| line.contains(",threat model,pass,")).count(), 2, "{audits}");
    for path in renderings(out) {
        assert!(path.metadata().unwrap().len() > 100, "{}", path.display());
    }
    assert!(bytes(&out.join("table1.png")).starts_with(b"\x89PNG"));
    assert!(text(&out.join("table1.svg")).contains("<svg"));
    assert!(text(&out.join("table1.tex")).contains("PGD-AT + I2FR"));
    assert!(text(&out.join("table1.csv")).starts_with("label,clean_mean,clean_half_width,clean_deviation,clean_seeds"));
    assert_nothing_half_written(out);

    // Again: nothing is trained, attacked or changed.
    let (trained, began) = (modified(out), Instant::now());
    assert_eq!(run("table1", &pgd_at(&[]), out), printed);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    assert_eq!(modified(out), trained);
    assert_eq!(self::cells(out), cells);

    // Renderings come back from what is stored.
    let [long, rest @ ..] = renderings(out).map(|path| (path.clone(), bytes(&path)));
    for (path, _) in rest.iter().chain([&long]) {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(run("table1", &pgd_at(&["--render-only"]), out), printed);
    for (path, before) in rest.iter().chain([&long]) {
        assert!(&bytes(path) == before, "{} changed", path.display());
    }
    assert_eq!(modified(out), trained);
    assert!(run("table1", &pgd_at(&["--plan"]), out).matches(" trained ").count() == 2);

    // Audits outlive the weights as accuracies do.
    remove_weights(out);
    let plan = run("table1", &pgd_at(&["--plan"]), out);
    assert!(plan.matches(" measured, its weights are gone; ").count() == 2 && !plan.contains("in all"), "{plan}");
    assert!(run("table1", &pgd_at(&["--plan", "--seeds", "0,7"]), out).contains("\ntraining in all: about "));
    assert_eq!(run("table1", &pgd_at(&[]), out), printed);
    assert!(weights(out).is_empty());
}

/// `run.json`, `epochs.csv` and `examples.csv` of one run with [`TINY`].
#[track_caller]
fn check_run(folder: &Path) {
    let record: serde_json::Value = serde_json::from_slice(&bytes(&folder.join("run.json"))).unwrap();
    assert_eq!(record["id"], folder.file_name().unwrap().to_string_lossy().as_ref());
    assert_eq!(record["finished"], true);
    assert!(record["game"].as_str().unwrap().contains("ascends ce(adv)"), "{record}");
    let config = &record["config"];
    for (key, value) in [("dataset", "synthetic"), ("arch", "tiny"), ("device", "cpu"), ("precision", "f32")] {
        assert_eq!(config[key], value, "{key}");
    }
    for (key, value) in [("epochs", 1), ("train_examples", 600), ("held_out", 400), ("attack_steps", 2), ("seed", 0)] {
        assert_eq!(config[key], value, "{key}");
    }
    let provenance = &record["provenance"];
    for key in ["cargo_lock_sha256", "train_sha256", "test_sha256"] {
        let hash = provenance[key].as_str().unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{key}: {hash}");
    }
    assert!(!provenance["commit"].as_str().unwrap().is_empty() && provenance["dirty"].is_boolean());
    assert!(!provenance["isa"].as_str().unwrap().is_empty());
    assert_eq!(provenance["threads"], 1);
    for key in ["train_seconds", "images_per_second", "peak_rss_bytes"] {
        assert!(provenance[key].as_f64().unwrap() > 0., "{key}");
    }

    let epochs = text(&folder.join("epochs.csv"));
    let (header, row) = epochs.split_once('\n').unwrap();
    assert_eq!(header, "epoch,lr,loss,held_out_clean_percent,held_out_robust_percent,best");
    assert!(row.starts_with("1,") && row.trim_end().ends_with(",true"), "{row}");

    let examples = text(&folder.join("examples.csv"));
    let mut lines = examples.lines();
    assert_eq!(lines.next(), Some("index,label,clean_correct,fgsm,pgd-20,pgd-100,cw,autoattack,adaptive"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 40);
    for (i, line) in lines.iter().enumerate() {
        let fields: Vec<usize> = line.split(',').map(|field| field.parse().unwrap()).collect();
        assert!(fields.len() == 9 && fields[0] == i && fields[1] < 10, "{line}");
        assert!(fields[2..].iter().all(|flag| *flag <= 1), "{line}");
        // What is wrong already is not made right by an attack.
        assert!(fields[3..].iter().all(|flag| *flag <= fields[2]), "{line}");
    }
}

#[test]
fn the_seed_decides_every_bit_and_threads_none() {
    let folders = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let [one, same, threads, other] = folders.each_ref().map(|folder| folder.path());
    let epochs = |out: &Path| runs(out).iter().map(|run| text(&run.join("epochs.csv"))).collect::<Vec<_>>();
    run("table1", &pgd_at(&[]), one);
    run("table1", &pgd_at(&[]), same);
    command("table1").args(pgd_at(&[])).arg("--out").arg(threads).env("RAYON_NUM_THREADS", "2").assert().success();
    run("table1", &pgd_at(&["--seeds", "1"]), other);
    for out in [same, threads] {
        assert_eq!(cells(out), cells(one));
        assert_eq!(epochs(out), epochs(one));
        assert!(weights(out) == weights(one), "weights of {} differ", out.display());
    }
    assert!(weights(one).len() == 4 && weights(other).len() == 4);
    for ((_, a), (_, b)) in weights(one).iter().zip(weights(other)) {
        assert!(*a != b, "another seed gave the same weights");
    }
    assert_ne!(epochs(other), epochs(one));
    assert!(cells(other).iter().all(|line| line.contains(",best,test,1,40,")));
}

#[test]
fn every_row_has_every_column() {
    let out = tempfile::tempdir().unwrap();
    let least = ["--epochs", "1", "--train-examples", "420", "--batch", "10", "--eval-examples", "5"];
    let printed = run("table1", &[&least[..], &["--attack-steps", "1"]].concat(), out.path());
    let cells = cells(out.path());
    let named: Vec<Vec<&str>> = cells.iter().map(|line| line.split(',').collect()).collect();
    let rows: BTreeSet<[&str; 2]> = named.iter().map(|cell| [cell[1], cell[2]]).collect();
    let expected = ["alp", "fast-at", "mart", "pgd-at", "trades"].map(|name| [[name, "i2fr"], [name, "none"]]);
    assert_eq!(rows, expected.concat().into_iter().chain([["standard", "none"]]).collect());
    for row in rows {
        let attacks: Vec<&str> = named.iter().filter(|cell| cell[1..3] == row).map(|cell| cell[7]).collect();
        assert_eq!(attacks, COLUMNS, "{row:?}");
    }
    let ids: BTreeSet<&str> = named.iter().map(|cell| cell[13]).collect();
    assert_eq!(ids.len(), 11, "{ids:?}");
    assert_eq!(runs(out.path()).len(), 11);
    assert_eq!(printed.lines().filter(|line| line.starts_with("| ")).count(), 12, "{printed}");
    assert!(!printed.contains("not measured"), "{printed}");
}

#[test]
fn a_plan_does_nothing() {
    let out = tempfile::tempdir().unwrap();
    let printed = run("table1", &["--plan", "--seeds", "0,1"], out.path());
    assert_eq!(printed.matches("to train").count(), 22, "{printed}");
    assert!(printed.contains("TRADES + I2FR"), "{printed}");
    assert!(!out.path().join("runs").exists() && !out.path().join("table1").exists());
    let printed = run("train", &["--framework", "mart", "--plan", "--i2fr"], out.path());
    assert!(printed.contains("MART + I2FR") && printed.matches("to train").count() == 1, "{printed}");
    assert!(!out.path().join("runs").exists());
}

#[test]
fn shards_share_the_runs_as_the_plan_says() {
    let out = tempfile::tempdir().unwrap();
    let with = |more: &[&'static str]| pgd_at(&[&["--seeds", "0,1,2"], more].concat());
    let planned = |shard: &'static str| -> BTreeSet<String> {
        let printed = run("table1", &with(&["--plan", "--shard", shard]), out.path());
        let lines = printed.lines().filter(|line| line.contains(" seed ") && !line.contains("(another shard)"));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.to_owned()).collect()
    };
    let (first, second) = (planned("1/2"), planned("2/2"));
    assert_eq!((first.len(), second.len()), (3, 3));
    assert!(first.is_disjoint(&second));

    let names = || -> BTreeSet<String> {
        runs(out.path()).iter().map(|run| run.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    run("table1", &with(&["--shard", "1/2"]), out.path());
    assert_eq!(names(), first);
    assert_eq!(cells(out.path()).len(), 3 * COLUMNS.len());
    let before = modified(out.path());
    run("table1", &with(&["--shard", "2/2"]), out.path());
    assert_eq!(names(), first.union(&second).cloned().collect());
    assert_eq!(cells(out.path()).len(), 6 * COLUMNS.len());
    let after: BTreeSet<_> = modified(out.path()).into_iter().collect();
    assert!(before.into_iter().all(|file| after.contains(&file)), "the second shard trained a run of the first");
    assert!(text(&out.path().join("table1.md")).contains(" ± "));
}

/// A run that two tables share is trained once.
#[test]
fn train_and_the_table_share_a_run() {
    let out = tempfile::tempdir().unwrap();
    let printed = run("train", &[&TINY[..], &["--framework", "standard"]].concat(), out.path());
    assert!(printed.contains("| Clean | PGD-20 |"), "{printed}");
    let before = modified(out.path());
    run("table1", &[&TINY[..], &["--only", "standard"]].concat(), out.path());
    assert_eq!(modified(out.path()), before);
    only_run(out.path());
    assert_eq!(cells(out.path()).len(), COLUMNS.len());
}

#[test]
fn a_repeated_seed_counts_once() {
    let out = tempfile::tempdir().unwrap();
    run("table1", &[&TINY[..], &["--only", "standard", "--seeds", "1,1"]].concat(), out.path());
    assert_eq!(cells(out.path()).len(), COLUMNS.len());
}
