//! Attacks of several stages: what they write, what they share, and going on after any interruption.

use crate::program::{Noise, assert_nothing_half_written, command, only_run, path, run, text, trained};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

/// A network that has learnt something, and the arguments that evaluate it.
pub fn subject() -> (tempfile::TempDir, Vec<String>) {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["--epochs", "3", "--train-examples", "1200", "--eval-examples", "5", "--framework", "pgd-at"];
    run("train", &[&arguments[..], &["--attack-steps", "3"]].concat(), out.path());
    let best = only_run(out.path()).join("best.safetensors").display().to_string();
    let arguments = ["--checkpoint", &best, "--arch", "tiny", "--dataset", "synthetic", "--eps", "4/255"];
    let arguments = arguments.map(String::from).into();
    (out, arguments)
}

fn evaluate(arguments: &[String], more: &[&str], place: &Path) -> String {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    run("evaluate", &arguments, place)
}

/// The rows of a CSV file by column name.
fn table(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(|row| row.unwrap()).collect()
}

fn column(path: &Path, name: &str) -> Vec<bool> {
    table(path).iter().map(|row| row[name] == "1").collect()
}

#[test]
fn a_sequence_is_its_stages_one_after_the_other() {
    let (out, arguments) = subject();
    let all = ["--examples", "24", "--attack", "autoattack,apgd-ce,apgd-t,fab-t,square"];
    let place = out.path().join("all");
    evaluate(&arguments, &all, &place);
    let examples = place.join("examples.csv");
    let alone = ["apgd-ce", "apgd-t", "fab-t", "square"].map(|stage| column(&examples, stage));
    let together = column(&examples, "autoattack");
    for i in 0..24 {
        assert_eq!(together[i], alone.iter().all(|stage| stage[i]), "example {i}");
    }
    let stages = table(&place.join("stages.csv"));
    let count = |row: usize, name: &str| stages[row][name].parse::<usize>().unwrap();
    assert_eq!(
        stages.iter().map(|row| row["stage"].as_str()).collect::<Vec<_>>(),
        ["apgd-ce", "apgd-t", "fab-t", "square"]
    );
    let mut left = column(&examples, "clean_correct").iter().filter(|hit| **hit).count();
    for (row, stage) in stages.iter().enumerate() {
        assert_eq!((stage["attack"].as_str(), count(row, "attacked")), ("autoattack", left));
        left -= count(row, "broken");
        assert_eq!(stage["robust_percent"].parse::<f64>().unwrap(), 100. * left as f64 / 24.);
    }
    assert!(count(0, "broken") > 0 && together.contains(&true), "nothing is at stake: {stages:?}");

    // Asking for less at first gives the same.
    let slowly = out.path().join("slowly");
    evaluate(&arguments, &["--examples", "10", "--attack", "square"], &slowly);
    evaluate(&arguments, &["--examples", "17", "--attack", "autoattack"], &slowly);
    evaluate(&arguments, &all, &slowly);
    assert_eq!(text(&slowly.join("examples.csv")), text(&examples));
}

#[test]
fn intervals_and_the_worst_case_stand_beside_accuracies() {
    let (out, arguments) = subject();
    let place = out.path().join("evaluation");
    evaluate(&arguments, &["--examples", "30", "--attack", "fgsm,cw-5,noise-3"], &place);
    let examples = place.join("examples.csv");
    let [clean, fgsm, cw, noise] = ["clean_correct", "fgsm", "cw-5", "noise-3"].map(|name| column(&examples, name));
    let worst = (0..30).filter(|&i| clean[i] && fgsm[i] && cw[i] && noise[i]).count();
    let rows = table(&place.join("intervals.csv"));
    assert_eq!(
        rows.iter().map(|row| row["attack"].as_str()).collect::<Vec<_>>(),
        ["clean", "fgsm", "cw-5", "noise-3", "worst case"]
    );
    assert_eq!(rows[4]["standing"], worst.to_string());
    for row in &rows {
        let number = |name: &str| row[name].parse::<f64>().unwrap();
        assert!(number("low_percent") <= number("percent") && number("percent") <= number("high_percent"), "{row:?}");
        assert!(number("high_percent") - number("low_percent") > 5., "{row:?}");
    }
    let json: serde_json::Value = serde_json::from_str(&text(&place.join("robustbench.json"))).unwrap();
    assert_eq!((json["eps"].as_str(), json["threat_model"].as_str()), (Some("4/255"), Some("Linf")));
    let clean = clean.iter().filter(|hit| **hit).count();
    assert_eq!(json["clean_acc"], format!("{:.2}", 100. * clean as f64 / 30.));
    assert_eq!(json["measurement"]["worst_case"]["standing"], worst);
    assert!(json["autoattack_acc"].is_null());
    // Nothing was audited, so nothing speaks for it.
    assert!(json["unreliable"].is_null(), "{json}");
    assert!(!place.join("stages.csv").exists());
}

/// Two evaluations in one folder do not take each other's verdicts.
#[test]
fn another_seed_is_asked_anew_and_another_radius_or_network_elsewhere() {
    let (out, arguments) = subject();
    let (noise_out, noise_run) = trained(&Noise::new(), &["--framework", "standard"]);
    let other = noise_run.join("best.safetensors").display().to_string();
    let place = out.path().join("one");
    let ask = ["--examples", "20", "--attack", "pgd-3"];
    evaluate(&arguments, &ask, &place);
    let first = text(&place.join("examples.csv"));
    for change in [["--eps", "64/255"], ["--norm", "l2"], ["--seed", "5"], ["--checkpoint", &other]] {
        let mut changed = arguments.clone();
        changed.retain(|argument| *argument != "4/255" || change[0] != "--eps");
        changed.retain(|argument| argument != change[0]);
        if change[0] == "--checkpoint" {
            changed.remove(0);
        }
        let alone = tempfile::tempdir().unwrap();
        evaluate(&changed, &[&ask[..], &change].concat(), alone.path());
        if change[0] == "--seed" {
            evaluate(&changed, &[&ask[..], &change].concat(), &place);
            assert_eq!(text(&place.join("examples.csv")), text(&alone.path().join("examples.csv")), "{change:?}");
        } else {
            // The report of one network in one ball stays.
            let refused =
                command("evaluate").args(&changed).args(ask).args(change).arg("--out").arg(&place).output().unwrap();
            let errors = String::from_utf8(refused.stderr).unwrap();
            assert!(refused.status.code() == Some(2) && errors.contains("holds the evaluation of"), "{errors}");
        }
    }
    evaluate(&arguments, &ask, &place);
    assert_eq!(text(&place.join("examples.csv")), first);
    drop(noise_out);
}

#[test]
fn the_adaptive_attack_and_transfer_have_names() {
    let (out, arguments) = subject();
    let surrogate = arguments[1].clone();
    let place = out.path().join("own");
    let ask = ["--examples", "12", "--attack", "adaptive,transfer,match-features", "--surrogate", &surrogate];
    evaluate(&arguments, &ask, &place);
    let examples = place.join("examples.csv");
    let [clean, adaptive, matched] =
        ["clean_correct", "adaptive", "match-features"].map(|name| column(&examples, name));
    assert!((0..12).all(|i| clean[i] || !adaptive[i]) && (0..12).all(|i| matched[i] || !adaptive[i]));
    assert!(clean != adaptive, "the adaptive attack breaks nothing");
    // The network is its own surrogate: transfer is the attack itself.
    evaluate(&arguments, &["--examples", "12", "--attack", "mim-20"], &out.path().join("mim"));
    assert_eq!(column(&examples, "transfer"), column(&out.path().join("mim/examples.csv"), "mim-20"));
    // Each is nothing without the other.
    for one in [&["--attack", "transfer"][..], &["--attack", "fgsm", "--surrogate", &surrogate]] {
        let refused = command("evaluate").args(&arguments).args(one).arg("--out").arg(&place).output().unwrap();
        let errors = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(2) && errors.contains("--surrogate"), "{errors}");
    }
}

/// The size of what is known so far.
fn asked(place: &Path) -> usize {
    std::fs::read_to_string(place.join("evaluations.csv")).map_or(0, |text| text.bytes().filter(|b| *b != b'.').count())
}

#[test]
fn a_killed_evaluation_goes_on_to_the_same_bytes() {
    let (out, mut arguments) = subject();
    // Where few stand, so that it does not take long.
    arguments.iter_mut().filter(|argument| *argument == "4/255").for_each(|argument| *argument = "12/255".into());
    let ask = ["--examples", "150", "--attack", "fgsm,apgd-ce,autoattack"];
    let whole = out.path().join("whole");
    evaluate(&arguments, &ask, &whole);
    let place: PathBuf = out.path().join("killed");
    let mut moment = u64::from(std::process::id());
    let mut kills = 0;
    for _ in 0..8 {
        let before = asked(&place);
        let mut child = Command::new(path("evaluate"));
        child.args(&arguments).args(ask).arg("--out").arg(&place).env("RAYON_NUM_THREADS", "1");
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sleep(Duration::from_millis(200 + (moment >> 33) % 2000));
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        child.wait().unwrap();
        kills += usize::from(!ended);
        assert!(asked(&place) >= before, "a verdict was lost");
    }
    assert!(kills > 0, "it ended before it could be killed");
    evaluate(&arguments, &ask, &place);
    assert_eq!(text(&place.join("examples.csv")), text(&whole.join("examples.csv")));
    // Everything but the times.
    let verdicts = |place: &Path| -> Vec<(String, String)> {
        table(&place.join("evaluations.csv"))
            .into_iter()
            .map(|row| (row["attack"].clone(), row["correct"].clone()))
            .collect()
    };
    assert_eq!(verdicts(&place), verdicts(&whole));
    assert!(verdicts(&whole).iter().any(|(attack, correct)| attack == "square" && correct.contains('1')));
    assert_nothing_half_written_but_killed(&place);
}

/// A kill may leave a file that was to be moved to its place; nothing else is half-written.
fn assert_nothing_half_written_but_killed(place: &Path) {
    for file in crate::program::files(place) {
        if file.file_name().unwrap().to_string_lossy().starts_with('.') {
            std::fs::remove_file(file).unwrap();
        }
    }
    assert_nothing_half_written(place);
}

/// `Ctrl-C` in the middle of a batch, not at its end.
#[test]
fn an_interrupt_does_not_wait_for_a_batch() {
    let (out, arguments) = subject();
    let place = out.path().join("slow");
    let mut child = Command::new(path("evaluate"));
    child.args(&arguments).args(["--examples", "100", "--attack", "pgd-10000x10000"]).arg("--out").arg(&place);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while asked(&place) == 0 {
        assert!(child.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(5));
    }
    sleep(Duration::from_millis(100));
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
}
