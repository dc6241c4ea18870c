//! Checkpoints that are missing, damaged or of another network, and results that cannot be written.

use crate::{
    outcome::fails,
    outcome::refuses,
    program::{Noise, TINY, bytes, command, files, run, trained},
};
use std::path::Path;

#[track_caller]
fn evaluate_fails(checkpoint: &Path, arch: &str, expected: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let path = checkpoint.display().to_string();
    let (noise, chosen) = (Noise::new(), ["--checkpoint", &path, "--arch", arch, "--attack", "fgsm"]);
    fails("evaluate", &[&chosen, &noise.arguments()[..]].concat(), out.path(), &[&[&*path], expected].concat());
    assert_eq!(files(out.path()), [out.path().join("log.txt")]);
}

#[test]
fn a_file_that_is_no_checkpoint_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    evaluate_fails(&folder.path().join("nowhere.pt"), "tiny", &["--checkpoint", "cannot read", "No such file"]);
    evaluate_fails(folder.path(), "tiny", &["a folder without weights", "OUT/runs/ID"]);
    let noise: Vec<u8> = (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 1).collect();
    evaluate_fails(&file("noise.safetensors", &noise), "tiny", &["not a checkpoint", "torch.save"]);
    evaluate_fails(&file("empty.pt", b""), "tiny", &["the file is empty"]);
    evaluate_fails(&file("page.pth", b"<html>not found</html>"), "tiny", &["a web page"]);
    evaluate_fails(&file("zip.pt", &[b"PK\x03\x04", &noise[..]].concat()), "tiny", &["again"]);
    evaluate_fails(&file("pickle.pt", &[b"\x80\x02", &noise[..]].concat()), "tiny", &[]);
    let huge = [&u64::MAX.to_le_bytes()[..], b"{"].concat();
    evaluate_fails(&file("huge.safetensors", &huge), "tiny", &[]);
}

#[test]
fn a_cut_or_foreign_checkpoint_is_named() {
    let (_out, run) = trained(&Noise::new(), &["--framework", "standard"]);
    let whole = run.join("last.safetensors");
    evaluate_fails(&whole, "resnet20", &["--arch resnet20", "trained with", "missing"]);
    evaluate_fails(&whole, "wrn-10-1", &["--arch wrn-10-1", "trained with", "missing"]);
    let sound = bytes(&whole);
    for keep in [sound.len() - 1, sound.len() / 2, 100, 9] {
        let cut = run.join("cut.safetensors");
        std::fs::write(&cut, &sound[..keep]).unwrap();
        evaluate_fails(&cut, "tiny", &["again"]);
    }
}

#[test]
fn normalisation_must_fit_the_images() {
    let noise = Noise::new();
    let (out, run) = trained(&noise, &["--framework", "standard"]);
    let path = run.join("last.safetensors").display().to_string();
    let arguments = [&["--checkpoint", &path, "--arch", "tiny"], &noise.arguments()[..]].concat();
    for (mean, std, expected) in [
        ("0,0", "1,1", "2 means and 2 deviations for 3 channels"),
        ("0,0,0", "1,0,1", "must be positive"),
        ("0,nan,0", "1,1,1", "finite"),
    ] {
        let given = ["--mean", mean, "--std", std];
        fails("evaluate", &[&arguments[..], &given].concat(), &out.path().join("out"), &[expected]);
    }
}

#[test]
fn a_file_where_the_results_should_go_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "occupied").unwrap();
    let noise = Noise::new();
    let tiny = [&TINY[..], &noise.arguments()].concat();
    for out in [file.clone(), file.join("results")] {
        let place = out.display().to_string();
        let expected = [&*place, "cannot make", "--out"];
        fails("table1", &[&tiny[..], &["--only", "standard"]].concat(), &out, &expected);
        fails("train", &[&tiny[..], &["--framework", "standard"]].concat(), &out, &expected);
        let missing = ["--checkpoint", "nowhere.pt", "--arch", "tiny"];
        fails("evaluate", &missing, &out, &expected);
    }
    assert_eq!(files(folder.path()), [&*file]);
    assert_eq!(bytes(&file), b"occupied");
}

#[test]
fn a_file_where_the_tables_should_go_is_named_and_the_runs_stay() {
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("table1"), "occupied").unwrap();
    let noise = Noise::new();
    let arguments = [&TINY[..], &noise.arguments(), &["--only", "standard"]].concat();
    fails("table1", &arguments, out.path(), &["table1", "cannot", "--out"]);
    let made = files(out.path());
    assert!(made.iter().any(|path| path.ends_with("best.safetensors")), "{made:?}");
    std::fs::remove_file(out.path().join("table1")).unwrap();
    run("table1", &[&arguments[..], &["--render-only"]].concat(), out.path());
}

#[test]
fn cuda_is_refused_where_there_is_none() {
    let out = tempfile::tempdir().unwrap();
    let noise = Noise::new();
    for device in ["cuda", "cuda:1"] {
        let arguments = [&TINY[..], &noise.arguments(), &["--only", "standard", "--device", device]].concat();
        fails("table1", &arguments, out.path(), &["no CUDA support", "--device cpu"]);
    }
    for device in ["auto", "cpu"] {
        for mode in ["--plan", "--render-only", "--no-audit"] {
            let rounded = ["--device", device, "--precision", "tf32", mode];
            refuses("table1", &rounded, &["--precision tf32 is for NVIDIA GPUs", "leave it out"]);
        }
    }
    assert_eq!(files(out.path()), [out.path().join("log.txt")]);
}

#[test]
fn too_few_training_images_are_counted() {
    let noise = Noise::new();
    for count in ["1", "399", "400", "401"] {
        let arguments = ["--framework", "standard", "--epochs", "1", "--train-examples", count];
        let arguments = [&arguments[..], &noise.arguments()].concat();
        let says = format!("{count} training images");
        let says = [&*says, "400 choose the best epoch", "--train-examples"];
        refuses("train", &arguments, &says);
        refuses("train", &[&arguments[..], &["--plan"]].concat(), &says);
    }
}

#[test]
fn a_diverging_training_says_so() {
    let out = tempfile::tempdir().unwrap();
    let arguments = [&TINY[..], &["--framework", "standard", "--lr", "1e30", "--schedule", "constant"]].concat();
    fails("train", &arguments, out.path(), &["diverged", "--lr"]);
}

/// Candle's errors carry their backtrace where the user asks for one; the message stays one line.
#[test]
fn a_backtrace_does_not_drown_the_error() {
    let (out, noise) = (tempfile::tempdir().unwrap(), Noise::new());
    let arguments = [&TINY[..], &noise.arguments(), &["--framework", "standard", "--lr", "1e30"]].concat();
    let output = command("train").args(arguments).arg("--out").arg(out.path()).env("RUST_BACKTRACE", "1").output();
    let errors = String::from_utf8(output.unwrap().stderr).unwrap();
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("error: ") && last.ends_with("lower --lr"), "{errors}");
}
