//! What stands in a results folder, whole or damaged.

use crate::{
    outcome::{fails, refuses},
    program::{Noise, TINY, assert_nothing_half_written, bytes, command, only_run, run, text, trained},
};

const STANDARD: [&str; 2] = ["--framework", "standard"];

/// The arguments of the run that [`trained`] leaves with [`STANDARD`].
fn again(noise: &Noise) -> Vec<&str> {
    [&TINY[..], &noise.arguments(), &STANDARD].concat()
}

/// The table that shows this run.
fn table(noise: &Noise) -> Vec<&str> {
    [&TINY[..], &noise.arguments(), &["--only", "standard"]].concat()
}

#[test]
fn nothing_stored_is_nothing_to_render() {
    let out = tempfile::tempdir().unwrap();
    let place = out.path().display().to_string();
    fails("table1", &["--render-only"], out.path(), &["nothing was measured with these options", &place]);
    assert!(!out.path().join("table1").exists() && !out.path().join("table1.md").exists());
}

#[test]
fn a_damaged_record_is_named_and_costs_nothing_until_it_is_deleted() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let record = folder.join("run.json");
    let kept = ["last.safetensors", "evaluations.csv", "examples.csv"].map(|name| folder.join(name));
    let before = kept.each_ref().map(|path| bytes(path));
    for damage in [&b"{\"id\": \"half"[..], b"", b"[]", b"\xff\xfe"] {
        std::fs::write(&record, damage).unwrap();
        let named = [&record.display().to_string(), "delete it to train the run anew"];
        fails("train", &again(&noise), out.path(), &named);
        fails("table1", &table(&noise), out.path(), &named);
        // A table without it would look whole.
        fails("table1", &[&table(&noise)[..], &["--render-only"]].concat(), out.path(), &named);
        assert!(kept.each_ref().map(|path| bytes(path)) == before);
    }
    std::fs::remove_file(&record).unwrap();
    std::fs::write(&kept[0], "overwrite me").unwrap();
    run("train", &again(&noise), out.path());
    assert!(bytes(&kept[0]) == before[0] && bytes(&kept[2]) == before[2]);
    assert!(text(&record).contains("\"finished\": true"));
    assert_nothing_half_written(out.path());
}

#[test]
fn another_copy_of_the_images_is_refused_before_anything_is_done() {
    let (noise, fewer) = (Noise::new(), Noise::of(30));
    let (out, folder) = trained(&noise, &STANDARD);
    let figure = ["--columns", "clean,pgd-20"];
    run("figure5", &[&table(&noise)[..], &figure].concat(), out.path());
    let kept = ["evaluations.csv", "examples.csv"].map(|name| folder.join(name));
    let before = kept.each_ref().map(|path| bytes(path));
    // All of it is known, or another seed would be trained.
    for (program, more) in [("figure5", &figure[..]), ("table1", &["--seeds", "0,1"]), ("figure4", &[])] {
        let asked = [&table(&fewer)[..], more].concat();
        fails(program, &asked, out.path(), &["made on other images than the cifar10 given now", "--out"]);
        assert_eq!(only_run(out.path()), folder, "{program} trains");
        assert!(kept.each_ref().map(|path| bytes(path)) == before, "{program} writes");
    }
}

#[test]
fn values_of_runs_that_are_gone_are_kept_beside_the_table() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let both = [&TINY[..], &noise.arguments(), &["--only", "=standard,=pgd-at", "--columns", "clean"]].concat();
    run("table1", &both, out.path());
    let (cells, gone) = (out.path().join("table1/cells.csv"), out.path().join("table1/cells.gone.csv"));
    let before = text(&cells);
    std::fs::remove_dir_all(&folder).unwrap();
    let again = [&both[..], &["--render-only"]].concat();
    run("table1", &again, out.path());
    let (head, kept) = (before.lines().next().unwrap(), before.lines().find(|line| line.contains("standard")).unwrap());
    assert_eq!(text(&gone), format!("{head}\n{kept}\n"));
    assert!(
        !text(&cells).contains("standard") && text(&out.path().join("log.txt")).contains("cells.gone.csv keeps them")
    );
    // Once is enough.
    std::fs::write(&cells, &before).unwrap();
    run("table1", &again, out.path());
    assert_eq!(text(&gone).lines().count(), 2);
    // Nobody could say what is lost of a file that cannot be read.
    std::fs::write(&cells, "half a table\n1,2\n").unwrap();
    fails("table1", &again, out.path(), &["table1/cells.csv", "move it away"]);
    assert_eq!(text(&cells), "half a table\n1,2\n");
}

#[test]
fn embedded_images_have_no_folder_and_others_may_have_one_in_a_folder() {
    let noise = Noise::new();
    let out = tempfile::tempdir().unwrap();
    let folder = noise.arguments()[3];
    refuses(
        "table1",
        &[&TINY[..], &["--only", "standard", "--data-dir", folder]].concat(),
        &["--data-dir", "embedded"],
    );
    let around = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder, around.path().join("cifar10")).unwrap();
    let place = around.path().to_str().unwrap();
    let shown = [folder, place].map(|folder| {
        let picture = out.path().join("images.png");
        run("data", &["show", "cifar10", "--data-dir", folder], &picture);
        bytes(&picture)
    });
    assert!(shown[0] == shown[1]);
    let plan = |folder: &str| {
        let asked = ["--dataset", "cifar10", "--data-dir", folder, "--only", "standard", "--plan"];
        String::from_utf8(command("table1").args(asked).current_dir(out.path()).output().unwrap().stderr).unwrap()
    };
    assert!(plan("nowhere").contains("nowhere: no cifar10 data") && !plan(place).contains("no cifar10 data"));
}

#[test]
fn weights_that_would_come_back_with_other_bits_are_not_trained_again() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let (record, weights) = (folder.join("run.json"), folder.join("best.safetensors"));
    let (json, sound) = (text(&record), bytes(&weights));
    let (front, rest) = json.split_once("\"isa\": \"").unwrap();
    std::fs::write(&record, format!("{front}\"isa\": \"Other{}", &rest[rest.find('"').unwrap()..])).unwrap();
    let again = again(&noise);
    run("train", &again, out.path());
    std::fs::remove_file(&weights).unwrap();
    let named = [&*folder.display().to_string(), "weights are gone", "not Other", "--out"];
    fails("train", &again, out.path(), &named);
    assert!(["evaluations.csv", "examples.csv"].iter().all(|name| folder.join(name).is_file()));
    // Here they come back.
    std::fs::write(&record, json).unwrap();
    run("train", &again, out.path());
    assert_eq!(bytes(&weights), sound);
}

#[test]
fn a_smaller_table_leaves_what_a_larger_one_wrote_image_by_image() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    run("table1", &[&table(&noise)[..], &["--columns", "clean,fgsm,cw", "--no-audit"]].concat(), out.path());
    let (examples, before) = (folder.join("examples.csv"), text(&folder.join("examples.csv")));
    let head: Vec<&str> = before.lines().next().unwrap().split(',').collect();
    assert!(head.contains(&"fgsm") && head.contains(&"cw"), "{head:?}");
    let fewer = ["--columns", "clean,fgsm", "--eval-examples", "20", "--no-audit"];
    let smaller: Vec<&str> = [&table(&noise)[..], &fewer].concat();
    let smaller: Vec<&str> = without(&smaller, "--eval-examples", "40");
    run("table1", &smaller, out.path());
    assert_eq!(text(&examples), before);
    run("table1", &[&table(&noise)[..], &["--columns", "clean", "--checkpoint", "last"]].concat(), out.path());
    assert_eq!(text(&examples), before);
    assert!(text(&folder.join("examples-last.csv")).starts_with("index,label,clean_correct\n"));
    // A figure that counts by label writes it again, without weights.
    std::fs::remove_file(&examples).unwrap();
    let figure = [&table(&noise)[..], &["--columns", "clean,pgd-20"]].concat();
    run("figure5", &figure, out.path());
    assert_eq!(text(&examples).lines().count(), before.lines().count());
}

/// `arguments` without the option that has this value.
fn without<'a>(arguments: &[&'a str], option: &str, value: &str) -> Vec<&'a str> {
    let at = arguments.windows(2).position(|pair| pair == [option, value]).unwrap();
    [&arguments[..at], &arguments[at + 2..]].concat()
}

#[test]
fn a_record_of_another_configuration_is_not_believed() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let record = text(&folder.join("run.json"));
    let other = record.replace("\"lr\": 0.1", "\"lr\": 0.2");
    assert_ne!(record, other);
    std::fs::write(folder.join("run.json"), other).unwrap();
    fails(
        "table1",
        &[&table(&noise)[..], &["--render-only"]].concat(),
        out.path(),
        &["nothing was measured with these options"],
    );
    run("train", &again(&noise), out.path());
    assert!(text(&folder.join("run.json")).contains("\"lr\": 0.1"));
}

#[test]
fn damaged_weights_are_named_when_they_are_needed() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let last = folder.join("last.safetensors");
    let sound = bytes(&last);
    let path = last.display().to_string();
    let more = [&again(&noise)[..], &["--checkpoint", "last"]].concat();
    let flipped = |at: usize| [&sound[..at], &[sound[at] ^ 1], &sound[at + 1..]].concat();
    // In a weight, and in the number of the epoch in the header: both still read.
    let epoch = sound.windows(8).position(|window| window == b"epoch\":\"").unwrap() + 8;
    let flips = [flipped(sound.len() - 20), flipped(epoch)];
    let cuts = [&sound[..sound.len() / 2], &sound[..sound.len() - 1], b"noise", b""];
    for damage in cuts.into_iter().chain(flips.iter().map(Vec::as_slice)) {
        std::fs::write(&last, damage).unwrap();
        fails("train", &more, out.path(), &[&path, "delete it to train the run again"]);
        // What was measured before is still there.
        run("train", &again(&noise), out.path());
    }
    std::fs::remove_file(&last).unwrap();
    run("train", &more, out.path());
    assert_eq!(bytes(&last), sound);
}

/// Older programs noted no checksums.
#[test]
fn a_record_without_checksums_is_still_read() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let record = text(&folder.join("run.json"));
    let (front, rest) = record.split_once("  \"weights_sha256\": {").unwrap();
    let old = format!("{front}{}", rest.split_once("},\n").unwrap().1);
    std::fs::write(folder.join("run.json"), &old).unwrap();
    std::fs::remove_file(folder.join("evaluations.csv")).unwrap();
    run("train", &again(&noise), out.path());
    assert_eq!(text(&folder.join("run.json")), old, "it was trained again");
    assert!(folder.join("evaluations.csv").is_file());
}

#[test]
fn damaged_evaluations_are_named_and_can_be_deleted() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let evaluations = folder.join("evaluations.csv");
    let path = evaluations.display().to_string();
    let sound = text(&evaluations);
    let examples = text(&folder.join("examples.csv"));
    let cut = &sound[..sound.len() - 10];
    let letters = sound.replace("0", "é").replace("1", "é");
    let longer = sound.replacen(",40,", ",41,", 1);
    for damage in [cut, "checkpoint,attack\nbest,clean\n", &letters, &longer] {
        std::fs::write(&evaluations, damage).unwrap();
        fails("train", &again(&noise), out.path(), &[&path, "line", "to evaluate again"]);
        let table = table(&noise);
        fails("table1", &table, out.path(), &[&path, "line", "to evaluate again"]);
        fails("table1", &[&table[..], &["--render-only"]].concat(), out.path(), &[&path, "line", "to evaluate again"]);
    }
    // As the message has it: the rest stays.
    let last = sound.lines().count();
    std::fs::write(&evaluations, cut).unwrap();
    fails("train", &again(&noise), out.path(), &[&format!("line {last} is damaged"), "delete that line"]);
    std::fs::write(&evaluations, sound.lines().take(last - 1).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    run("train", &again(&noise), out.path());
    assert_eq!(text(&folder.join("examples.csv")), examples);
    std::fs::remove_file(&evaluations).unwrap();
    run("train", &again(&noise), out.path());
    assert_eq!(text(&folder.join("examples.csv")), examples);
    // A file without a single measurement is no loss.
    std::fs::write(&evaluations, "\u{0}\u{1}").unwrap();
    run("train", &again(&noise), out.path());
    assert_eq!(text(&folder.join("examples.csv")), examples);
}

#[test]
fn a_lost_examples_file_is_written_again() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &STANDARD);
    let examples = text(&folder.join("examples.csv"));
    std::fs::remove_file(folder.join("examples.csv")).unwrap();
    run("train", &again(&noise), out.path());
    assert_eq!(text(&folder.join("examples.csv")), examples);
}

/// Weights are not committed: measurements of a fresh checkout render, and stay when training again gives the same weights.
#[test]
fn measurements_render_without_the_weights() {
    let out = tempfile::tempdir().unwrap();
    let noise = Noise::new();
    let arguments = table(&noise);
    run("table1", &arguments, out.path());
    let cells = bytes(&out.path().join("table1/cells.csv"));
    let folder = crate::program::only_run(out.path());
    for weights in ["best.safetensors", "last.safetensors"] {
        std::fs::remove_file(folder.join(weights)).unwrap();
    }
    std::fs::remove_file(out.path().join("table1/cells.csv")).unwrap();
    run("table1", &[&arguments[..], &["--render-only"]].concat(), out.path());
    assert_eq!(bytes(&out.path().join("table1/cells.csv")), cells);
    // Nor are weights needed where nothing is missing.
    run("table1", &arguments, out.path());
    assert_eq!(bytes(&out.path().join("table1/cells.csv")), cells);
    assert!(!folder.join("best.safetensors").exists());

    let (evaluations, record) = (folder.join("evaluations.csv"), folder.join("run.json"));
    let asked_again = || {
        std::fs::remove_file(folder.join("best.safetensors")).unwrap_or_default();
        std::fs::write(&evaluations, text(&evaluations).replace(",fgsm,", ",fgsm-of-old,")).unwrap();
        run("table1", &arguments, out.path());
        assert!(folder.join("best.safetensors").exists() && text(&evaluations).contains(",fgsm,"));
    };
    asked_again();
    assert!(text(&evaluations).contains(",fgsm-of-old,"), "the same weights were measured already");

    // An old measurement must not be passed off as one of other weights, nor what their images did to another network.
    let best = text(&record).split_once("\"best\": \"").unwrap().1[..64].to_owned();
    std::fs::write(&record, text(&record).replace(&best, &"0".repeat(64))).unwrap();
    let other = folder.with_file_name("other");
    let (id, header) = (folder.file_name().unwrap().to_string_lossy().into_owned(), text(&evaluations));
    let header = header.lines().next().unwrap();
    std::fs::create_dir(&other).unwrap();
    let line = |attack: &str| format!("best,{attack},linf,8/255,2,1.0,01\n");
    let lent = format!("{header}\n{}{}", line("clean"), line(&format!("transfer@{id}")));
    std::fs::write(other.join("evaluations.csv"), lent).unwrap();
    for name in ["audit-best.md", "audit-last.md", "measured-table4-best.json", "measured-figure1-best.json"] {
        let lent = name.contains("best.md") || name.contains("table4");
        std::fs::write(other.join(name), if lent { format!("transfer from {id}") } else { "nowhere".into() }).unwrap();
    }
    asked_again();
    assert!(!text(&evaluations).contains("fgsm-of-old"));
    assert_eq!(text(&other.join("evaluations.csv")), format!("{header}\n{}", line("clean")));
    let left = ["audit-last.md", "evaluations.csv", "measured-figure1-best.json"].map(|name| other.join(name));
    assert_eq!(crate::program::files(&other), left);
}

/// The selected and the last weights may be measured on different numbers of images.
#[test]
fn checkpoints_do_not_hide_each_other() {
    let out = tempfile::tempdir().unwrap();
    let noise = Noise::new();
    let with = |count, checkpoint| {
        let all = ["--epochs", "1", "--train-examples", "600", "--attack-steps", "2", "--only", "standard"];
        [&all[..], &noise.arguments(), &["--eval-examples", count, "--checkpoint", checkpoint]].concat()
    };
    let cells = |checkpoint: &str| {
        let cells = text(&out.path().join("table1/cells.csv"));
        cells.lines().filter(|line| line.contains(checkpoint)).count()
    };
    run("table1", &with("20", "best"), out.path());
    run("table1", &with("30", "last"), out.path());
    assert_eq!(cells(",last,"), 7);
    run("table1", &[&with("30", "best")[..], &["--render-only"]].concat(), out.path());
    assert_eq!(cells(",best,"), 7);
}
