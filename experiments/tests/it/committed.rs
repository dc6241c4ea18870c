//! Every rendered file of `results` is what its stored measurements give.

use crate::{
    house_rules::{read, root, tracked},
    program::command,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The commands of `results/README.md` that draw something, but for where they read data and write: words, and a
/// folder below `results`.
fn commands() -> Vec<(Vec<String>, PathBuf)> {
    let parse = |line: &str| {
        let mut words = shlex::split(line).expect("quotes are closed");
        words.retain(|word| word != "--");
        let mut take = |option: &str| {
            let at = words.iter().position(|word| word == option)?;
            words.drain(at..at + 2).nth(1)
        };
        take("--data-dir");
        let out = take("--out").unwrap_or_else(|| "results".into());
        (words, Path::new(&out).strip_prefix("results").expect("below results").to_owned())
    };
    let text = read("results/README.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("cargo run --release --bin "));
    let found: Vec<_> = lines.filter(|line| !line.starts_with("evaluate ")).map(parse).collect();
    assert!(found.len() > 10, "{found:?}");
    found
}

/// Whether a file of `results` is drawn from others: all of a folder with runs but what is measured.
fn rendered(path: &Path, outs: &BTreeSet<PathBuf>) -> bool {
    let folder = path.parent().expect("a file is in a folder");
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let derived =
        folder.parent().is_some_and(|out| outs.contains(out)) && ["audit.csv", "differences.csv"].contains(&&*name);
    derived || outs.contains(folder) && name != "README.md"
}

#[test]
fn committed_results_are_drawn_again_byte_for_byte() {
    let copy = tempfile::tempdir().unwrap();
    let commands = commands();
    let outs: BTreeSet<PathBuf> = commands.iter().map(|(_, out)| out.clone()).collect();
    let files: Vec<PathBuf> = tracked()
        .iter()
        .filter_map(|path| Path::new(path).strip_prefix("results").ok())
        .filter(|path| path.extension().is_none_or(|extension| extension != "safetensors"))
        .map(Path::to_owned)
        .collect();
    let (drawn, kept): (Vec<_>, Vec<_>) = files.iter().partition(|path| rendered(path, &outs));
    for path in kept {
        fs::create_dir_all(copy.path().join(path).parent().unwrap()).unwrap();
        fs::copy(root().join("results").join(path), copy.path().join(path)).unwrap();
    }
    for (words, out) in commands {
        let (name, arguments) = words.split_first().unwrap();
        // Two only ever read.
        let only = (!["report", "table6"].contains(&name.as_str())).then_some("--render-only");
        command(name).args(arguments).args(only).arg("--out").arg(copy.path().join(out)).assert().success();
    }
    assert!(drawn.len() > 40, "{drawn:?}");
    for out in &outs {
        let written = fs::read_dir(copy.path().join(out)).unwrap().flatten().filter(|entry| entry.path().is_file());
        let written = written.map(|entry| out.join(entry.file_name()));
        // What is told apart by time or made of all files is not committed.
        let shown = |path: &PathBuf| path.extension().is_none_or(|kind| kind != "html" && kind != "txt");
        let missing: Vec<PathBuf> = written.filter(shown).filter(|path| !files.contains(path)).collect();
        assert!(missing.is_empty(), "not committed: {missing:?}");
    }
    for path in files {
        let (was, is) = (fs::read(root().join("results").join(&path)).unwrap(), fs::read(copy.path().join(&path)));
        let is = is.unwrap_or_else(|e| panic!("{}: no command of results/README.md writes it: {e}", path.display()));
        assert!(was == is, "{}: its command of results/README.md writes something else", path.display());
    }
}

/// A column of a CSV file's text.
fn column(text: &str, name: &str) -> Vec<String> {
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let at = table.headers().unwrap().iter().position(|header| header == name).unwrap();
    table.records().map(|row| row.unwrap()[at].to_owned()).collect()
}

/// What the table on the first screen says of the framework `label`, called `name`, by the Table 1 in `folder`:
/// accuracy under AutoAttack alone, and what each of `added` changes.
fn summary(folder: &str, (name, label): (&str, &str), added: &[&str]) -> Vec<String> {
    let [table, differences, audit] =
        ["table1.csv", "table1/differences.csv", "table1/audit.csv"].map(|file| read(&format!("{folder}/{file}")));
    let [audited, audited_with, verdicts] = ["framework", "regularizer", "verdict"].map(|what| column(&audit, what));
    let mark = |with: &[&str]| {
        let fails = |i: usize| audited[i] == name && with.contains(&audited_with[i].as_str()) && verdicts[i] == "fail";
        if (0..audited.len()).any(fails) { " ‡" } else { "" }
    };
    let number = |text: &str| text.parse::<f64>().unwrap();
    let shown = |text: String| text.replace('-', "\u{2212}");
    let alone = column(&table, "label").iter().position(|row| row == label).map(|row| {
        let [mean, half] =
            ["mean", "half_width"].map(|what| number(&column(&table, &format!("autoattack_{what}"))[row]));
        format!("{mean:.1} ± {half:.1}{}", mark(&["none"]))
    });
    let [frameworks, regularizers, attacks] =
        ["framework", "regularizer", "attack"].map(|name| column(&differences, name));
    let change = |regularizer: &&str| {
        let is = |row: &usize| {
            frameworks[*row] == name && regularizers[*row] == *regularizer && attacks[*row] == "autoattack"
        };
        let row = (0..frameworks.len()).find(is)?;
        let [mean, low, high] = ["mean_difference", "low", "high"].map(|what| number(&column(&differences, what)[row]));
        Some(shown(format!("{mean:+.1} ± {:.1}{}", (high - low) / 2., mark(&["none", *regularizer]))))
    };
    let cells = [alone].into_iter().chain(added.iter().map(change));
    cells.map(|cell| cell.unwrap_or_else(|| "—".into())).collect()
}

#[test]
fn the_first_screen_of_the_readme_is_what_was_measured() {
    let readme = read("README.md");
    let first_screen = readme.split("\n## ").next().unwrap();
    let frameworks =
        [("pgd-at", "PGD-AT"), ("trades", "TRADES"), ("mart", "MART"), ("alp", "ALP"), ("fast-at", "Fast-AT")];
    let says = |label: &str, cells: Vec<Vec<String>>| {
        let line = format!("| {label} | {} |", cells.concat().join(" | "));
        assert!(first_screen.lines().any(|shown| shown == line), "README.md does not say\n{line}");
    };
    for framework in frameworks {
        let cells = vec![
            summary("results", framework, &["i2fr", "longer"]),
            summary("results/mnist/short", framework, &["i2fr", "longer"]),
            summary("results/cpu", framework, &["i2fr"]),
        ];
        says(framework.1, cells);
    }
    let nowhere_else = |columns| vec!["—".to_owned(); columns];
    let beta_1 = summary("results/mnist/trades-beta-1", ("trades", "TRADES"), &["i2fr", "longer"]);
    says("TRADES (beta 1)", vec![nowhere_else(3), beta_1, nowhere_else(2)]);
}

/// What `scripts/check-autoattack.py` compared with the official code's verdicts is what the runs hold.
#[test]
fn official_autoattack_was_compared_with_committed_verdicts() {
    let (files, summary) = (tracked(), read("results/autoattack/summary.csv"));
    let (runs, agree) = (column(&summary, "run"), column(&summary, "same_verdict"));
    assert!(!runs.is_empty());
    for (run, agree) in runs.iter().zip(agree) {
        let verdicts = format!("/runs/{run}/examples.csv");
        let verdicts = read(files.iter().find(|path| path.ends_with(&verdicts)).expect("the run is committed"));
        let compared = read(&format!("results/autoattack/{run}.csv"));
        let (here, official) = (column(&compared, "here"), column(&compared, "official"));
        assert!(here.len() >= 100, "{run}");
        assert_eq!(here, column(&verdicts, "autoattack")[..here.len()], "{run}");
        let same = here.iter().zip(&official).filter(|(here, official)| here == official).count();
        assert_eq!(agree, same.to_string(), "{run}");
    }
}
