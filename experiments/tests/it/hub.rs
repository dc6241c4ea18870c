//! Data from a Hub on loopback trains as a local copy does.

use crate::{
    data::{parquet, records},
    interrupted::{assert_interrupted, signal, wait_until},
    program::{bytes, command, only_run, path},
};
use image::{ImageFormat, RgbImage};
use mirror::{Fault, Mirror};
use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// The commit of CIFAR-10 that is read.
const COMMIT: &str = "0b2714987fa478483af9968de7c934580d0bb9a2";

const SETTINGS: [&str; 12] = [
    "--framework",
    "pgd-at",
    "--dataset",
    "cifar10",
    "--epochs",
    "2",
    "--train-examples",
    "600",
    "--eval-examples",
    "40",
    "--attack-steps",
    "2",
];

/// A mirror of the CIFAR-10 in `folder`, which has the Hub's layout.
fn mirror(folder: &Path) -> Mirror {
    let mirror = Mirror::start();
    for entry in fs::read_dir(folder.join("plain_text")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("plain_text/{}", path.file_name().unwrap().to_string_lossy());
        mirror.put("datasets", "uoft-cs/cifar10", COMMIT, &name, &fs::read(path).unwrap());
    }
    mirror.put("datasets", "uoft-cs/cifar10", COMMIT, "README.md", b"not wanted");
    mirror
}

/// A CIFAR-10 of noise in the Hub's layout.
fn noise() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let parts = folder.path().join("plain_text");
    fs::create_dir(&parts).unwrap();
    for (name, count) in [("train-00000-of-00001.parquet", 600), ("test-00000-of-00001.parquet", 40)] {
        let png = |record: &[u8]| {
            let mut png = Cursor::new(Vec::new());
            let image = RgbImage::from_raw(32, 32, record[1..].to_vec()).unwrap();
            image.write_to(&mut png, ImageFormat::Png).unwrap();
            png.into_inner()
        };
        let images: Vec<Vec<u8>> = records(count).chunks(3073).map(png).collect();
        parquet(&parts.join(name), &images.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    folder
}

/// A `train` that knows the Hub at `endpoint` only, with its cache in `home`.
fn train(endpoint: &str, home: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(path("train"));
    command.args(SETTINGS).args(more).arg("--out").arg(out).env("RAYON_NUM_THREADS", "1");
    command.env("HF_ENDPOINT", endpoint).env("HF_HOME", home).env_remove("HF_HUB_OFFLINE").env_remove("HF_HUB_CACHE");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn succeeds(mut command: Command, out: &Path) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    bytes(&only_run(out).join("last.safetensors"))
}

#[track_caller]
fn fails(mut command: Command, parts: &[&str]) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let errors = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{errors}");
    let message = errors.lines().last().unwrap_or_default();
    assert!(message.starts_with("error: cifar10: ") && message.contains("--data-dir DIR"), "{errors}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {errors}");
    }
}

/// Trains on the CIFAR-10 in `folder` and on that of a mirror of it, cold, warm and without network.
#[track_caller]
fn trains_the_same(folder: &Path) {
    let place = tempfile::tempdir().unwrap();
    let (home, out) = (place.path().join("home"), |name: &str| place.path().join(name));
    let mirror = mirror(folder);
    let local = succeeds(
        train("http://127.0.0.1:9", &home, &out("local"), &["--data-dir", folder.to_str().unwrap()]),
        &out("local"),
    );
    let cold = succeeds(train(mirror.endpoint(), &home, &out("cold"), &[]), &out("cold"));
    assert!(cold == local, "other weights from the Hub");
    let asked = mirror.requests();
    assert!(!asked.iter().any(|line| line.contains("README")), "{asked:?}");
    let warm = succeeds(train(mirror.endpoint(), &home, &out("warm"), &["--offline"]), &out("warm"));
    assert!(warm == local && mirror.requests() == asked);
    fails(train(mirror.endpoint(), &out("empty"), &out("offline"), &["--offline"]), &["cache", "--offline"]);
    assert_eq!(mirror.requests(), asked);
}

#[test]
fn the_hub_and_a_local_copy_train_the_same_weights() {
    trains_the_same(noise().path());
}

/// Where `I2FR_DATA` names a folder with copies; in CI it must.
#[test]
fn the_real_cifar10_from_a_mirror_trains_the_same_weights() {
    match std::env::var_os("I2FR_DATA") {
        Some(data) => trains_the_same(&PathBuf::from(data).join("cifar10")),
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("CI must set I2FR_DATA"),
        None => {}
    }
}

#[test]
fn an_interrupted_download_is_gone_on_with() {
    let (folder, place) = (noise(), tempfile::tempdir().unwrap());
    let (home, out) = (place.path().join("home"), place.path().join("out"));
    let mirror = mirror(folder.path());
    mirror.fault("/store/", 1, Fault::Slow(200, Duration::from_millis(50)));
    let mut child = train(mirror.endpoint(), &home, &out, &[]).spawn().unwrap();
    let blobs = home.join("hub/datasets--uoft-cs--cifar10/blobs");
    let partial = || {
        let mut files = fs::read_dir(&blobs).into_iter().flatten().flatten();
        files.find(|file| file.metadata().is_ok_and(|about| about.len() > 0))
    };
    wait_until(&mut child, || partial().is_some());
    signal(&child, "INT");
    assert_interrupted(&child.wait_with_output().unwrap());
    let have = partial().unwrap().metadata().unwrap().len();
    succeeds(train(mirror.endpoint(), &home, &out, &[]), &out);
    let asked = mirror.requests();
    assert!(asked.iter().any(|line| line.ends_with(&format!(" from {have}"))), "{have} of {asked:?}");
}

#[test]
fn a_token_stays_at_home_if_the_environment_says_so() {
    let place = tempfile::tempdir().unwrap();
    let mirror = mirror(noise().path());
    // Nobody may, so that it ends after the first question.
    mirror.require_token("another");
    let ask = |implicit: &str| {
        let mut command = train(mirror.endpoint(), place.path(), &place.path().join("out"), &[]);
        command.env("HF_TOKEN", "secret").env("HF_HUB_DISABLE_IMPLICIT_TOKEN", implicit);
        fails(command, &["HTTP 401"]);
        mirror.requests().last().unwrap().ends_with(" with token")
    };
    assert!(ask("0") && !ask("1"), "{:?}", mirror.requests());
}

#[test]
fn a_hub_that_is_none_is_told_apart() {
    let place = tempfile::tempdir().unwrap();
    let (home, out) = (place.path().join("home"), place.path().join("out"));
    let mirror = mirror(noise().path());
    mirror.fault("/api/", 1, Fault::Page);
    fails(train(mirror.endpoint(), &home, &out, &[]), &["does not answer like the Hub", mirror.endpoint()]);
    mirror.fault("/store/", 2, Fault::Wrong);
    fails(train(mirror.endpoint(), &home, &out, &[]), &["plain_text/", "checksum"]);
    fails(train("nonsense", &home, &out, &[]), &["HF_ENDPOINT"]);
    // What passes is no error.
    mirror.fault("/api/", 1, Fault::Status(503, None));
    let output = train(mirror.endpoint(), &place.path().join("other"), &out, &[]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.contains("HTTP 503; asking again") && !errors.contains("exhausted"),
        "{errors}"
    );
    // `--data-dir` asks nobody.
    let output = command("train").args(SETTINGS).args(["--data-dir", "nowhere", "--out"]).arg(&out).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere: no such folder"));
}
