//! Figure 1, from training to its files.

use crate::{
    outcome::refuses,
    program::{TINY, assert_nothing_half_written, bytes, command, remove_weights, run, runs, text},
};
use experiments::{
    features::Separation,
    report::{read_cells, read_measures},
};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Deserialize)]
struct Point {
    regularizer: String,
    index: usize,
    label: u32,
    class: String,
    subject: String,
    predicted: u32,
    tsne_x: f32,
    tsne_y: f32,
    pca_x: f32,
    pca_y: f32,
}

fn points(out: &Path) -> Vec<Point> {
    let mut reader = csv::Reader::from_path(out.join("figure1/points.csv")).unwrap();
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn renderings(out: &Path) -> [PathBuf; 5] {
    ["figure1/measures.csv", "figure1/points.csv", "figure1.md", "figure1.svg", "figure1.png"]
        .map(|name| out.join(name))
}

#[test]
fn every_point_is_there() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path();
    let printed = run("figure1", &TINY, out);
    assert_eq!(printed, text(&out.join("figure1.md")));
    assert_nothing_half_written(out);
    assert_eq!(runs(out).len(), 2, "one framework, without and with I2FR");
    let points = points(out);
    assert_eq!(points.len(), 2 * 2 * 40);
    let names = data::Name::Synthetic.class_names();
    assert!(points.iter().all(|p| p.index < 40 && p.class == names[p.label as usize]), "{points:?}");
    assert!(points.iter().all(|p| [p.tsne_x, p.tsne_y, p.pca_x, p.pca_y].iter().all(|x| x.is_finite())));

    // The same attack on the same images leaves what Table 1 says.
    run("table1", &[&TINY[..], &["--only", "pgd-at", "--columns", "clean,pgd-20", "--no-audit"]].concat(), out);
    let cells = read_cells(&out.join("table1/cells.csv")).unwrap();
    for regularizer in ["none", "i2fr"] {
        let of = |subject: &str| -> Vec<&Point> {
            points.iter().filter(|p| p.regularizer == regularizer && p.subject == subject).collect()
        };
        let (clean, adv) = (of("clean"), of("adv"));
        let right = |i: &usize| clean[*i].predicted == clean[*i].label;
        let standing =
            (0..40).filter(right).filter(|&i| adv[i].predicted == adv[i].label && adv[i].index == clean[i].index);
        for (attack, standing) in [("clean", (0..40).filter(right).count()), ("pgd-20", standing.count())] {
            let cell = cells.iter().find(|cell| cell.attack == attack && cell.regularizer == regularizer).unwrap();
            assert_eq!(cell.value_percent, 100. * standing as f64 / 40., "{attack} {regularizer}");
        }
    }

    let measures = read_measures(&out.join("figure1/measures.csv")).unwrap();
    let lines: Vec<String> =
        measures.iter().map(|m| format!("{} {} {}", m.regularizer, m.subject, m.measure)).collect();
    let expected = ["none", "i2fr"].iter().flat_map(|regularizer| {
        let named = Separation::of(&[], &[]).named();
        ["clean", "adv"].map(|subject| named.map(|(name, _)| format!("{regularizer} {subject} {name}"))).concat()
    });
    assert_eq!(lines, expected.collect::<Vec<_>>());
    for m in measures.iter().filter(|m| m.measure.ends_with("distance")) {
        assert!((0. ..=2.).contains(&m.value), "features are unit vectors: {m:?}");
    }

    // From what is stored, without weights.
    let before = renderings(out).map(|path| bytes(&path));
    renderings(out).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    remove_weights(out);
    assert_eq!(run("figure1", &[&TINY[..], &["--render-only"]].concat(), out), printed);
    for (path, before) in renderings(out).iter().zip(before) {
        assert!(bytes(path) == before, "{} changed", path.display());
    }
}

#[test]
fn neither_threads_nor_the_place_change_a_bit() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [one, two] = folders.each_ref().map(|folder| folder.path());
    let only = [&TINY[..], &["--only", "fast-at"]].concat();
    run("figure1", &only, one);
    command("figure1").args(&only).arg("--out").arg(two).env("RAYON_NUM_THREADS", "2").assert().success();
    for (a, b) in renderings(one).iter().zip(renderings(two)).skip(1) {
        assert!(bytes(a) == bytes(&b), "{} differs", a.display());
    }
}

#[test]
fn a_figure_shows_one_framework() {
    refuses("figure1", &["--only", "trades,mart"], &["figure1 shows one framework", "--only", "trades, mart"]);
    let out = tempfile::tempdir().unwrap();
    let printed = run("figure1", &["--plan"], out.path());
    assert_eq!(printed.matches("to train").count(), 2, "{printed}");
    let printed = run("figure1", &["--plan", "--only", "mart + I2FR"], out.path());
    assert!(printed.contains("MART + I2FR") && printed.matches("to train").count() == 1, "{printed}");
}
