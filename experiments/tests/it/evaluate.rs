//! Evaluating a checkpoint.

use crate::{
    data::{binary, records},
    outcome::refuses,
    program::{TINY, assert_nothing_half_written, bytes, only_run, run, text},
};
use std::path::Path;

/// `summary.csv` as (attack, examples, clean percent, robust percent).
fn summary(out: &Path) -> Vec<(String, usize, f64, f64)> {
    let text = text(&out.join("summary.csv"));
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("attack,examples,clean_percent,robust_percent,seconds,norm,epsilon,dataset,architecture")
    );
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| fields[i].parse::<f64>().unwrap();
        assert!(fields.len() == 9 && number(4) >= 0., "{line}");
        (fields[0].to_owned(), fields[1].parse().unwrap(), number(2), number(3))
    };
    lines.map(line).collect()
}

fn table1(out: &Path) {
    run("table1", &[&TINY[..], &["--only", "standard"]].concat(), out);
}

#[test]
fn it_agrees_with_the_runs_own_evaluation() {
    let out = tempfile::tempdir().unwrap();
    table1(out.path());
    let folder = only_run(out.path());
    let best = folder.join("best.safetensors").display().to_string();
    let place = out.path().join("evaluation");
    let arguments = ["--checkpoint", &best, "--arch", "tiny", "--dataset", "synthetic", "--eps", "8/255"];
    let attacks = "clean,fgsm,pgd-20,pgd-100,cw,autoattack,adaptive,fgsm";
    let rest = ["--norm", "linf", "--attack", attacks, "--examples", "40", "--seed", "0"];
    let printed = run("evaluate", &[&arguments[..], &rest].concat(), &place);
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("best.safetensors: tiny, linf 8/255, the first 40 of 2000 test images of synthetic"));
    let shown: Vec<&str> = lines.filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(shown[..7].join(","), attacks.trim_end_matches(",fgsm"));
    assert_eq!(shown[7], "worst case");
    assert!(shown[8].starts_with("audit: "), "{printed}");
    assert_eq!(text(&place.join("examples.csv")), text(&folder.join("examples.csv")));
    assert_nothing_half_written(&place);

    let summary = summary(&place);
    let cells = text(&out.path().join("table1/cells.csv"));
    let mut cells = cells.lines().skip(1);
    for (attack, examples, clean, robust) in &summary {
        let cell: Vec<&str> = cells.next().unwrap().split(',').collect();
        assert_eq!((cell[7], cell[11]), (attack.as_str(), examples.to_string().as_str()));
        assert_eq!(cell[12].parse(), Ok(*robust));
        assert_eq!(*clean, summary[0].3, "clean accuracy is the same on every line");
    }
    assert_eq!(cells.next(), None);
    assert!(summary[0].3 > 0., "a network that is never right shows nothing");

    // A PyTorch name on a safetensors file changes nothing, and neither does a second run.
    let renamed = out.path().join("best.pt");
    std::fs::copy(&best, &renamed).unwrap();
    let renamed = renamed.display().to_string();
    let again = out.path().join("again");
    let arguments = ["--checkpoint", &renamed, "--arch", "tiny", "--dataset", "synthetic"];
    let same = ["--attack", "fgsm,pgd-20,pgd-100,cw,autoattack,adaptive", "--examples", "40"];
    run("evaluate", &[&arguments[..], &same].concat(), &again);
    assert_eq!(bytes(&again.join("examples.csv")), bytes(&place.join("examples.csv")));

    // An attack that ascends another I2FR is another attack, whose verdicts are kept apart.
    let adaptive = ["--attack", "adaptive", "--examples", "40", "--i2fr-features", "raw", "--i2fr-margin", "3"];
    run("evaluate", &[&arguments[..], &adaptive].concat(), &again);
    let places = |attack: &str| {
        let text = text(&again.join("evaluations.csv"));
        let lines =
            text.lines().filter(|line| line.contains(attack)).map(|line| line.split(',').next().unwrap().to_owned());
        lines.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!([places(",apgd-scaled-ce,"), places(",fgsm,")], [2, 1]);
}

#[test]
fn without_attacks_the_clean_accuracy_is_reported() {
    let out = tempfile::tempdir().unwrap();
    table1(out.path());
    let best = only_run(out.path()).join("best.safetensors").display().to_string();
    let data = binary(&records(10), &records(25));
    let folder = data.path().display().to_string();
    let arguments = ["--checkpoint", &best, "--arch", "tiny", "--dataset", "cifar10", "--data-dir", &folder];
    let place = out.path().join("all");
    run("evaluate", &arguments, &place);
    let summary = summary(&place);
    assert_eq!(summary.len(), 1);
    assert_eq!((summary[0].0.as_str(), summary[0].1), ("clean", 25));
    assert_eq!(summary[0].2, summary[0].3);
    let examples = text(&place.join("examples.csv"));
    let lines: Vec<&str> = examples.lines().collect();
    assert_eq!((lines[0], lines.len()), ("index,label,clean_correct", 26));
    for (i, line) in lines[1..].iter().enumerate() {
        assert!(line.starts_with(&format!("{i},{},", i % 10)), "{line}");
    }
    let right = lines[1..].iter().filter(|line| line.ends_with(",1")).count();
    assert_eq!(summary[0].2, 100. * right as f64 / 25.);

    // The first images of the same folder.
    let first = out.path().join("first");
    run("evaluate", &[&arguments[..], &["--examples", "10"]].concat(), &first);
    assert_eq!(text(&first.join("examples.csv")).lines().collect::<Vec<_>>(), lines[..11]);
}

/// On a network that has learnt something, or nothing would change.
#[test]
fn normalisation_radius_and_norm_reach_the_network_and_the_attack() {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["--epochs", "4", "--train-examples", "1400", "--eval-examples", "5", "--framework", "standard"];
    run("train", &arguments, out.path());
    let last = only_run(out.path()).join("last.safetensors").display().to_string();
    let examples = |name: &str, more: &[&str]| {
        let place = out.path().join(name);
        let arguments = ["--checkpoint", &last, "--arch", "tiny", "--dataset", "synthetic", "--examples", "400"];
        run("evaluate", &[&arguments, more].concat(), &place);
        (text(&place.join("examples.csv")), summary(&place)[0].2)
    };
    let (stored, percent) = examples("stored", &[]);
    assert!(percent > 15., "{percent}");
    // What the checkpoint says of itself.
    assert_eq!(examples("same", &["--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25"]).0, stored);
    assert_eq!(examples("spread", &["--mean", "0.5", "--std", "0.25"]).0, stored);
    let bytes = ["--checkpoint", &last, "--mean", "125,123,114", "--std", "63,62,66"];
    refuses("evaluate", &bytes, &["--mean", "pixels are in [0, 1]: divide by 255"]);
    let another = ["--checkpoint", &last, "--dataset", "synthetic", "--mean", "0.9", "--std", "0.25", "--out"];
    let place = out.path().join("stored").display().to_string();
    refuses("evaluate", &[&another[..], &[&place]].concat(), &[&place, "holds the evaluation of"]);
    let (other, less) = examples("other", &["--mean", "0.9,0.1,0.5", "--std", "1,0.1,0.5"]);
    assert!(other != stored && less < percent, "{less} {percent}");

    let robust = |norm: &str, eps: &str| {
        let place = out.path().join(format!("{norm}-{}", eps.replace('/', "-")));
        let arguments = ["--checkpoint", &last, "--arch", "tiny", "--dataset", "synthetic", "--examples", "200"];
        run("evaluate", &[&arguments[..], &["--norm", norm, "--eps", eps, "--attack", "pgd-5"]].concat(), &place);
        let summary = summary(&place);
        (summary[1].2, summary[1].3)
    };
    let (clean, none) = robust("linf", "0");
    assert_eq!(clean, none, "an attack of radius 0 moves nothing");
    let (small, large) = (robust("linf", "1/255").1, robust("linf", "0.5").1);
    assert!(large <= small && small <= clean && large < clean, "{clean} {small} {large}");
    assert!(robust("l2", "0.001").1 > robust("l2", "10").1);
}
