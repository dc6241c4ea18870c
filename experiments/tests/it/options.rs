//! Every option of a training is part of its identity and changes the weights.

use crate::{
    outcome::{fails, refuses},
    program::{Noise, TINY, bytes, only_run, run, text, trained},
};

/// Three steps on 60 images: enough for running means to matter.
const LEAST: [&str; 10] =
    ["--epochs", "1", "--train-examples", "460", "--batch", "20", "--eval-examples", "5", "--attack-steps", "2"];

/// Trains with each of `variants` and asserts that no two runs have the same name or the same weights;
/// returns what each run says of its game.
#[track_caller]
fn all_differ(base: &[&str], variants: &[&[&str]]) -> Vec<String> {
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    let mut games = Vec::new();
    for variant in variants {
        let out = tempfile::tempdir().unwrap();
        run("train", &[&LEAST, base, variant].concat(), out.path());
        let folder = only_run(out.path());
        let (id, weights) =
            (folder.file_name().unwrap().to_string_lossy().into_owned(), bytes(&folder.join("last.safetensors")));
        for ((other, bits), earlier) in seen.iter().zip(variants) {
            assert_ne!(&id, other, "{variant:?} and {earlier:?} are one run");
            assert!(&weights != bits, "{variant:?} and {earlier:?} train the same weights");
        }
        seen.push((id, weights));
        let record: serde_json::Value = serde_json::from_str(&text(&folder.join("run.json"))).unwrap();
        games.push(record["game"].as_str().unwrap().to_owned());
    }
    games
}

#[test]
fn every_option_of_i2fr_matters() {
    let games = all_differ(
        &["--framework", "pgd-at", "--i2fr"],
        &[
            &[],
            &["--i2fr-place", "generation"],
            &["--i2fr-place", "training"],
            &["--i2fr-intra-clean", "3"],
            &["--i2fr-intra-class", "3"],
            &["--i2fr-inter", "3"],
            &["--i2fr-margin", "2.5"],
            &["--i2fr-features", "raw"],
            &["--i2fr-clean-constant"],
            &["--i2fr-reference", "batch-means"],
            &["--i2fr-reference", "running-means"],
            &["--i2fr-reference", "running-means", "--i2fr-decay", "0.1"],
        ],
    );
    let says = |i: usize, inner: &str, outer: &str| {
        let (attack, training) = games[i].split_once("; training descends ").unwrap();
        assert!(attack.contains(inner) && training.contains(outer), "{}", games[i]);
        (attack.contains("i2fr("), training.contains("i2fr("))
    };
    assert_eq!(says(0, "1 intra-clean, 0.5 intra-class, 1 inter, pairs", "pairs, margin 1, l2"), (true, true));
    assert_eq!(says(1, "1 intra-clean", "ce(adv)"), (true, false));
    assert_eq!(says(2, "ce(adv)", "1 intra-clean"), (false, true));
    assert_eq!(says(3, "3 intra-clean", "3 intra-clean"), (true, true));
    assert_eq!(says(4, "3 intra-class", "3 intra-class"), (true, true));
    assert_eq!(says(5, "3 inter", "3 inter"), (true, true));
    assert_eq!(says(6, "margin 2.5", "margin 2.5"), (true, true));
    assert_eq!(says(7, "raw", "raw"), (true, true));
    assert_eq!(says(8, "clean constant", "clean constant"), (true, true));
    assert_eq!(says(9, "batch means", "batch means"), (true, true));
    assert_eq!(says(10, "running means 0.9", "running means 0.9"), (true, true));
    assert_eq!(says(11, "running means 0.1", "running means 0.1"), (true, true));
}

#[test]
fn every_option_of_training_matters() {
    all_differ(
        &["--framework", "pgd-at"],
        &[
            &[],
            &["--i2fr"],
            &["--lr", "0.05"],
            &["--attack-step", "0.02"],
            &["--schedule", "constant"],
            &["--eps", "4/255"],
            &["--norm", "l2", "--eps", "0.5"],
            &["--seeds", "3"],
            &["--awp", "0.01"],
            &["--awp", "0.02"],
            &["--average", "ema-0.9"],
            &["--average", "ema-0.5"],
            &["--label-smoothing", "0.1"],
        ],
    );
}

#[test]
fn beta_matters_where_it_is_not_the_usual_one() {
    let games = all_differ(&["--framework", "trades"], &[&[], &["--beta", "1"]]);
    assert!(games[0].contains("6 kl") && !games[1].contains("6 kl"), "{games:?}");
    let out = tempfile::tempdir().unwrap();
    let plan =
        |beta: &str| run("table1", &["--only", "standard,trades,mart,alp", "--beta", beta, "--plan"], out.path());
    let usual = run("table1", &["--only", "standard,trades,mart,alp", "--plan"], out.path());
    for (beta, same) in [("6", "trades-"), ("5", "mart-"), ("1", "alp-"), ("6", "standard-"), ("5", "standard-")] {
        let names = |plan: &str| {
            let names = plan.split_whitespace().filter(|word| word.starts_with(same));
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(!names(&usual).is_empty(), "{usual}");
        assert_eq!(names(&plan(beta)), names(&usual), "{beta} is usual");
    }
    assert_ne!(plan("2"), usual);
    // What generated examples are tried on is trained once, whatever the row's.
    let beside = |more: &[&str]| run("table4", &[&["--only", "trades,pgd-at", "--plan"], more].concat(), out.path());
    let lenders = |plan: &str| plan.lines().filter(|line| line.contains("pgd-at-synthetic")).count();
    assert_eq!(lenders(&beside(&["--beta", "1"])), lenders(&beside(&[])));
    refuses(
        "table1",
        &["--beta", "1", "--only", "pgd-at,fast-at"],
        &["--beta changes nothing", "no row has a weight that it would change"],
    );
    refuses("table1", &["--beta", "6", "--only", "trades"], &["--beta changes nothing"]);
    refuses("train", &["--framework", "he", "--beta", "1"], &["--beta changes nothing"]);
    refuses("train", &["--framework", "trades", "--beta", "-1"], &["`-1` is not the weight of a term"]);
}

/// `run.json` gives back the very number: otherwise a run would not know its own record, and train again each time.
#[test]
fn a_number_of_many_digits_is_known_again() {
    let noise = Noise::new();
    let options =
        ["--framework", "fast-at", "--i2fr", "--lr", "0.09090909090909091", "--i2fr-inter", "0.44999999999999996"];
    let (out, _) = trained(&noise, &options);
    let plan = run("train", &[&TINY, &noise.arguments()[..], &options, &["--plan"]].concat(), out.path());
    assert!(plan.contains(" trained "), "{plan}");
}

/// A method that was changed under its name would be shown with the numbers of what it was.
#[test]
fn a_run_of_another_method_of_its_name_is_not_taken() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &["--framework", "fast-at"]);
    let arguments = [&TINY, &noise.arguments()[..], &["--framework", "fast-at", "--plan"]].concat();
    let record = text(&folder.join("run.json"));
    let changed = |from: &str, to: &str| {
        assert!(record.contains(from), "{record}");
        std::fs::write(folder.join("run.json"), record.replace(from, to)).unwrap();
    };
    // Older programs did not write this.
    changed(" (batch norm: batch statistics)", "");
    assert!(run("train", &arguments, out.path()).contains(" trained "));
    changed("training descends ce(adv)", "training descends ce(clean)");
    let said = ["trained as `Fast-AT: ", "ce(clean)`, which is `Fast-AT: ", "raise `frameworks::revision`"];
    fails("train", &arguments, out.path(), &said);
}
