//! Tables of more methods than Table 1, and figures drawn from the same runs.

use crate::{
    outcome::{fails, refuses},
    program::{Noise, TINY, bytes, command, only_run, run, runs, text},
};
use std::{collections::BTreeSet, path::Path};

/// The columns `names` of a CSV file.
fn columns(path: &Path, names: &[&str]) -> BTreeSet<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let at: Vec<usize> = names.iter().map(|name| header.iter().position(|h| h == *name).unwrap()).collect();
    reader.records().map(|record| at.iter().map(|i| record.as_ref().unwrap()[*i].to_owned()).collect()).collect()
}

fn set(rows: &[&[&str]]) -> BTreeSet<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|text| (*text).to_owned()).collect()).collect()
}

/// What a row has learnt beside a plain network (centres, a cosine head, averages) comes back from its files.
#[test]
fn comparators_are_trained_and_evaluated_from_their_files() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let table = [&TINY[..], &noise.arguments(), &["--columns", "clean,pgd-20", "--no-audit"]].concat();
    let nothing =
        command("table2").args(&table).args(["--only", "he,hypersphere", "--out"]).arg(out.path()).assert().code(2);
    nothing.stderr(predicates::str::contains("hypersphere leaves no row of table2; rows: standard, pgd-at"));
    run("table2", &[&table[..], &["--only", "he,pcl,trades + awp"]].concat(), out.path());
    let found = columns(&out.path().join("table2/cells.csv"), &["framework", "regularizer", "attack"]);
    for expected in [["he", "none", "clean"], ["he", "i2fr", "clean"], ["pcl", "none", "pgd-20"]] {
        assert!(found.contains(expected.map(str::to_owned).as_slice()), "{found:?}");
    }
    assert!(found.contains(["trades+awp", "i2fr", "pgd-20"].map(str::to_owned).as_slice()), "{found:?}");
    let markdown = text(&out.path().join("table2.md"));
    assert!(markdown.contains("| TRADES + AWP + I2FR |") && markdown.contains("| PCL |"), "{markdown}");

    // A published checkpoint says by itself that its head is a cosine.
    let he = runs(out.path()).into_iter().find(|run| run.to_string_lossy().contains("/he-cifar10")).unwrap();
    let cells = columns(&out.path().join("table2/cells.csv"), &["framework", "regularizer", "attack", "value_percent"]);
    let accuracy = cells.iter().find(|cell| cell[..3] == ["he", "none", "clean"]).unwrap()[3].clone();
    let weights = he.join("best.safetensors");
    let evaluate = |extra: &[&str]| {
        let place = ["--checkpoint", weights.to_str().unwrap(), "--arch", "tiny", "--examples", "40"];
        [&place[..], &noise.arguments(), extra].concat().into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let other = tempfile::tempdir().unwrap();
    let arguments = evaluate(&[]);
    run("evaluate", &arguments.iter().map(String::as_str).collect::<Vec<_>>(), other.path());
    let summary = columns(&other.path().join("summary.csv"), &["clean_percent"]);
    let measured: f64 = summary.iter().next().unwrap()[0].parse().unwrap();
    assert!((measured - accuracy.parse::<f64>().unwrap()).abs() < 1e-6, "{measured}, not {accuracy}");
    let linear = evaluate(&["--head", "linear"]);
    fails("evaluate", &linear.iter().map(String::as_str).collect::<Vec<_>>(), other.path(), &["missing: linear.bias"]);
}

#[test]
fn parts_of_i2fr_are_rows_of_their_own() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let table =
        [&TINY[..], &noise.arguments(), &["--columns", "clean", "--no-audit", "--only", "(intra-class,(raw"]].concat();
    run("table3", &table, out.path());
    let cells = columns(&out.path().join("table3/cells.csv"), &["framework", "regularizer"]);
    let parts = ["generation", "training", "both"].map(|place| format!("i2fr intra-class in {place}"));
    let mut expected = set(&[&["pgd-at", "i2fr raw features"]]);
    expected.extend(["pgd-at", "trades"].iter().flat_map(|f| parts.iter().map(|part| vec![(*f).into(), part.clone()])));
    assert_eq!(cells, expected);
    assert_eq!(runs(out.path()).len(), expected.len());
    let markdown = text(&out.path().join("table3.md"));
    assert!(markdown.contains("TRADES + I2FR (intra-class in generation)"), "{markdown}");
    // The quick profile leaves the second framework out unless it is asked for.
    let plan = run("table3", &["--plan"], out.path());
    assert!(plan.contains("PGD-AT + I2FR (inter in both)") && !plan.contains("TRADES"), "{plan}");
}

#[test]
fn the_time_that_i2fr_takes_has_a_control() {
    let out = tempfile::tempdir().unwrap();
    let plan = |epochs: &str| run("table3", &["--only", "longer", "--epochs", epochs, "--plan"], out.path());
    for (epochs, longer) in [("1", "2"), ("4", "5"), ("5", "6"), ("10", "13")] {
        let plan = plan(epochs);
        assert!(plan.contains(&format!("PGD-AT ({longer} epochs)")), "{plan}");
        assert!(plan.contains(&format!("to train, {longer} epochs")), "{plan}");
        assert_eq!(plan.matches("to train").count(), 1, "{plan}");
    }
    // A name is a part of others, unless it is asked for as a whole.
    let rows =
        |table: &str, only: &str| run(table, &["--only", only, "--plan"], out.path()).matches("to train").count();
    let named = ["=pgd-at", "=PGD-AT,longer", "=pgd-at + i2fr (all in both)"].map(|only| rows("table3", only));
    assert_eq!(named, [1, 2, 1]);
    assert!(rows("table3", "pgd-at") > 3);
    refuses("table3", &["--only", "=pgd", "--plan"], &["--only =pgd leaves no row of table3"]);
    // Table 1 has it for each framework, if it is asked for.
    let named = ["mart", "=mart", "=mart+i2fr", "=mart+longer"].map(|only| rows("table1", only));
    assert_eq!(named, [2, 1, 1, 1]);
    assert_eq!(run("table1", &["--plan"], out.path()).matches("to train").count(), 11);
    refuses("table1", &["--only", "longer", "--plan"], &["--only longer leaves no row of table1", "=mart+longer"]);
    // Every other framework, too.
    let named = ["=adr", "=adr,=adr+i2fr", "=he+longer"].map(|only| rows("table1", only));
    assert_eq!(named, [1, 2, 1]);
    refuses("table1", &["--only", "adr", "--plan"], &["--only adr leaves no row of table1", "=adr"]);
    let unused = ["--only", "=mart+longer", "--i2fr-inter", "3", "--plan"];
    refuses("table1", &unused, &["--i2fr-"]);
}

/// Other networks of the table are found, whatever all of them have.
#[test]
fn what_is_added_to_every_row_is_no_obstacle_to_audits() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let settings = [&TINY[..], &noise.arguments(), &["--average", "swa-0", "--beta", "2"]].concat();
    let asked = ["--only", "standard,=pgd-at,=trades", "--columns", "clean,pgd-20", "--autoattack-examples", "5"];
    run("table1", &[&settings[..], &asked].concat(), out.path());
    let audits = text(&out.path().join("table1/audit.csv"));
    assert!(!audits.contains("nowhere") && !audits.contains("control unknown"), "{audits}");
    // Table 4's other network as well.
    let plan = run("table4", &[&settings[..], &["--only", "=pgd-at,=trades", "--plan"]].concat(), out.path());
    assert_eq!(plan.matches("to train").count(), 0, "{plan}");
}

#[test]
fn what_is_added_to_every_row_must_suit_the_rows_asked_for() {
    let out = tempfile::tempdir().unwrap();
    refuses("table2", &["--awp", "0.01", "--plan"], &["two rows called TRADES + AWP", "leave both out with --only"]);
    let smoothed = ["--label-smoothing", "0.1", "--plan"];
    refuses("table1", &smoothed, &["leave that row out with --only", "MART"]);
    let plan = run("table1", &[&smoothed[..], &["--only", "pgd-at"]].concat(), out.path());
    assert_eq!(plan.matches("to train").count(), 2, "{plan}");
    let plan = run("table2", &["--awp", "0.01", "--plan", "--only", "mart"], out.path());
    assert!(plan.contains("MART + AWP"), "{plan}");
    // Rows keep their names, with what every row has and without.
    for name in ["=pgd-at+i2fr", "=pgd-at+ema-0.5+i2fr", "=pgd-at+longer"] {
        let plan = run("table1", &["--average", "ema-0.5", "--plan", "--only", name], out.path());
        assert_eq!(plan.matches("to train").count(), 1, "{name}: {plan}");
    }
    refuses("figure4", &["--checkpoint", "last"], &["--checkpoint last: figure4 shows the selected weights"]);
}

#[test]
fn figures_and_transfer_come_from_stored_runs() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let common = [&TINY[..], &noise.arguments(), &["--only", "pgd-at"]].concat();
    refuses("table5", &["--columns", "square-9"], &["--columns square-9: table5 has clean, pgd-20, cw, square-500"]);
    refuses("figure2", &["--columns", "clean"], &["--columns clean: figure2 has no columns to choose from"]);
    run("table5", &common, out.path());
    let trained = runs(out.path());
    assert_eq!(trained.len(), 2);
    let ids: Vec<String> = trained.iter().map(|run| run.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let cells = columns(&out.path().join("table5/cells.csv"), &["run", "attack"]);
    for (run, other) in [(0, 1), (1, 0)] {
        assert!(cells.contains(&vec![ids[run].clone(), format!("transfer@{}", ids[other])]), "{cells:?}");
        assert!(!cells.contains(&vec![ids[run].clone(), format!("transfer@{}", ids[run])]), "{cells:?}");
        assert!(cells.contains(&vec![ids[run].clone(), "square-500".to_owned()]), "{cells:?}");
    }
    run("figure2", &common, out.path());
    assert_eq!(runs(out.path()), trained, "figures train nothing that is there");
    let cells = columns(&out.path().join("figure2/cells.csv"), &["attack", "epsilon"]);
    let expected = set(&[&["pgd-20", "4/255"], &["pgd-100", "8/255"], &["pgd-20x10", "8/255"], &["clean", "8/255"]]);
    assert!(cells.is_superset(&expected), "{cells:?}");
    // A curve's points are of the same images, though some are known of more.
    let more = common.iter().map(|word| if *word == "40" { "60" } else { *word }).collect::<Vec<_>>();
    run("table1", &[&more[..], &["--columns", "pgd-20", "--no-audit"]].concat(), out.path());
    run("figure2", &[&more[..], &["--render-only"]].concat(), out.path());
    assert_eq!(columns(&out.path().join("figure2/cells.csv"), &["examples"]), set(&[&["40"]]));
    for name in ["table5", "figure2"] {
        let files = ["svg", "png", "md"].map(|extension| out.path().join(format!("{name}.{extension}")));
        let drawn = files.each_ref().map(|file| bytes(file));
        files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
        for run in &trained {
            std::fs::remove_file(run.join("best.safetensors")).unwrap_or_default();
        }
        // Numbers outlive the weights.
        let shown = run(name, &[&common[..], &["--render-only"]].concat(), out.path());
        assert!(files.each_ref().map(|file| bytes(file)) == drawn, "{name}");
        assert_eq!(shown, String::from_utf8(drawn[2].clone()).unwrap());
    }
    // A further seed trains nothing again.
    run("figure2", &[&common[..], &["--seeds", "0,1"]].concat(), out.path());
    assert_eq!(runs(out.path()).len(), 4);
    assert!(trained.iter().all(|run| !run.join("best.safetensors").exists()));
    // Images made for a network of another seed are another attack, but no row has fewer seeds for that.
    let shown = run("table5", &[&common[..], &["--seeds", "0,1"]].concat(), out.path());
    assert!(shown.contains("Of several seeds the mean ±") && !shown.contains("fewer seeds"), "{shown}");
    let pgd_at = shown.lines().find(|line| line.starts_with("| 1 PGD-AT |")).unwrap();
    assert_eq!(pgd_at.matches(" ± ").count(), 5, "{pgd_at}");
}

#[test]
fn accuracy_class_by_class_adds_up() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let common = [&TINY[..], &noise.arguments(), &["--only", "pgd-at", "--columns", "clean,pgd-20"]].concat();
    run("figure5", &common, out.path());
    let cells = text(&out.path().join("figure5/cells.csv"));
    let cells: Vec<Vec<&str>> = cells.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(cells.len(), 4);
    // All classes of a network weighed by their images are all its images.
    let whole = text(&out.path().join("figure5/classes.csv"));
    for cell in cells {
        let own = whole.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let own: Vec<[f64; 2]> = own
            .filter(|line| line[4] == cell[13] && line[2] == cell[7])
            .map(|line| [line[7].parse().unwrap(), line[8].parse().unwrap()])
            .collect();
        let images: f64 = own.iter().map(|[images, _]| images).sum();
        let right: f64 = own.iter().map(|[images, percent]| images * percent / 100.).sum();
        assert_eq!(images, 40.);
        assert!((100. * right / images - cell[12].parse::<f64>().unwrap()).abs() < 1e-9, "{cell:?}");
    }
    assert_eq!(whole.lines().count(), 1 + 2 * 2 * 10, "two networks, two attacks, ten classes");
    let markdown = text(&out.path().join("figure5.md"));
    assert!(markdown.contains(" | worst | all |") && markdown.contains("**Worst class**"), "{markdown}");
    // Each of one seed: a difference, no interval.
    assert!(markdown.lines().any(|l| l.starts_with("| PGD-AT + I2FR | ") && l.contains("(n = 1)")), "{markdown}");
    let drawn = bytes(&out.path().join("figure5.svg"));
    let trained = runs(out.path());
    for run in &trained {
        std::fs::remove_file(run.join("best.safetensors")).unwrap_or_default();
    }
    run("figure5", &[&common[..], &["--render-only"]].concat(), out.path());
    assert!(bytes(&out.path().join("figure5.svg")) == drawn);
    std::fs::write(trained[0].join("examples.csv"), "index,label,clean_correct\n0,0,1\n").unwrap();
    let again = [&common[..], &["--render-only"]].concat();
    fails("figure5", &again, out.path(), &["examples.csv", "delete it to write it again"]);
}

#[test]
fn epochs_are_drawn_and_the_best_weights_compared_with_the_last() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let long = TINY.map(|argument| if argument == "1" { "3" } else { argument });
    let common = [&long[..], &noise.arguments(), &["--only", "pgd-at", "--columns", "clean,pgd-20"]].concat();
    // So steep that the last epoch is not always the best.
    let common = [&common[..], &["--schedule", "constant", "--lr", "0.4", "--seeds", "0,1"]].concat();
    run("figure6", &common, out.path());

    // Every epoch of every run, as the run's own file says it.
    let whole =
        columns(&out.path().join("figure6/epochs.csv"), &["run", "epoch", "held_out_robust_percent", "selected"]);
    assert_eq!(whole.len(), 4 * 3, "two networks, two seeds, three epochs");
    let cells = columns(&out.path().join("figure6/cells.csv"), &["run", "attack", "checkpoint", "value_percent"]);
    assert_eq!(cells.len(), 4 * 2 * 2, "each network's two attacks on two checkpoints");
    let mut ended = 0;
    for run in runs(out.path()) {
        let name = run.file_name().unwrap().to_str().unwrap();
        let own = columns(&run.join("epochs.csv"), &["epoch", "held_out_robust_percent", "best"]);
        let best = own.iter().rfind(|line| line[2] == "true").unwrap()[0].clone();
        let shown: Vec<&Vec<String>> = whole.iter().filter(|line| line[0] == name).collect();
        for (own, shown) in own.iter().zip(&shown) {
            assert_eq!(own[..2], shown[1..3]);
            assert_eq!(shown[3] == "true", shown[1] == best, "{shown:?}");
        }
        // The same weights are measured once.
        let places = columns(&run.join("evaluations.csv"), &["checkpoint", "attack"]);
        let lasts = places.iter().filter(|place| place[0] == "last").count();
        assert_eq!(lasts, if best == "3" { 0 } else { 2 }, "{name}");
        ended += usize::from(best == "3");
        let of = |checkpoint: &str| -> Vec<(String, String)> {
            let own = cells.iter().filter(|cell| cell[0] == name && cell[2] == checkpoint);
            own.map(|cell| (cell[1].clone(), cell[3].clone())).collect()
        };
        assert!(best != "3" || of("best") == of("last"), "{name}");
    }
    let markdown = text(&out.path().join("figure6.md"));
    let lasts: usize = [0, 1, 2].map(|n| n * markdown.matches(&format!(" | {n} of 2 |")).count()).iter().sum();
    assert_eq!(lasts, ended, "{markdown}");
    assert!((1..4).contains(&ended), "this test wants runs of both kinds, {ended} of 4 end with their best epoch");
    assert!(markdown.contains("| Clean, best | Clean, last |") && markdown.contains("**Differences**"), "{markdown}");

    // Drawn again without weights.
    let drawn = bytes(&out.path().join("figure6.svg"));
    for run in runs(out.path()) {
        std::fs::remove_file(run.join("last.safetensors")).unwrap();
    }
    run("figure6", &[&common[..], &["--render-only"]].concat(), out.path());
    assert!(bytes(&out.path().join("figure6.svg")) == drawn);
    refuses("figure6", &["--checkpoint", "last"], &["--checkpoint last: figure6 shows both"]);
}

#[test]
fn a_heat_map_has_a_cell_for_every_pair() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let one = ["--only", "(weights x1 at margin 1)"];
    // All images that are held out.
    let tiny = TINY.map(|argument| if argument == "40" { "400" } else { argument });
    let figure = [&tiny[..], &noise.arguments()].concat();
    run("figure3", &[&figure[..], &one, &["--columns", "clean,pgd-20"]].concat(), out.path());
    let trained = only_run(out.path());
    let markdown = text(&out.path().join("figure3.md"));
    assert_eq!(markdown.matches("| × 1 | — | ").count(), 2, "{markdown}");
    assert!(markdown.contains("alone: —"), "{markdown}");

    // Settings may be chosen by it: its images are those that chose the best epoch.
    assert!(markdown.contains(" held-out training images; "), "{markdown}");
    let found = columns(&out.path().join("figure3/cells.csv"), &["attack", "value_percent"]);
    let clean = found.iter().find(|row| row[0] == "clean").unwrap()[1].parse::<f64>().unwrap();
    let epochs = columns(&trained.join("epochs.csv"), &["best", "epoch", "held_out_clean_percent"]);
    let best = epochs.iter().rfind(|row| row[0] == "true").unwrap()[2].parse::<f64>().unwrap();
    assert!((clean - best).abs() < 1e-9, "{clean} against {best}");

    // So is any table's that asks for them, in files of its own.
    let table =
        [&figure[..], &["--only", "PGD-AT + I2FR (all in both)", "--columns", "clean,pgd-20", "--split", "held-out"]]
            .concat();
    run("table3", &table, out.path());
    assert_eq!(only_run(out.path()), trained, "the same run, by the figure's name and by the table's");
    let chosen = columns(&out.path().join("table3-held-out/cells.csv"), &["attack", "value_percent"]);
    assert_eq!(chosen, found);
    let markdown = text(&out.path().join("table3-held-out.md"));
    assert!(markdown.contains("; 400 held-out training images; seed 0; "), "{markdown}");
    assert!(!out.path().join("table3.md").exists());
    refuses("figure2", &["--split", "held-out"], &["--split", "figure2 chooses its images itself"]);
}
