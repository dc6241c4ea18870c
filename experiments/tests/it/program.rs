//! Running the binaries.

use crate::data::{binary, records};
use assert_cmd::Command;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Settings with which a run takes a second or so; the held-out split of this profile has 400 images.
pub const TINY: [&str; 8] =
    ["--epochs", "1", "--train-examples", "600", "--eval-examples", "40", "--attack-steps", "2"];

/// Every binary.
pub const ALL: [&str; 19] = [
    "table1",
    "table2",
    "table3",
    "table4",
    "table5",
    "table6",
    "figure1",
    "figure2",
    "figure3",
    "figure4",
    "figure5",
    "figure6",
    "train",
    "evaluate",
    "export",
    "throughput",
    "runs",
    "report",
    "data",
];

/// Where the binary called `name` is.
pub fn path(name: &str) -> &'static str {
    match name {
        "table1" => env!("CARGO_BIN_EXE_table1"),
        "table2" => env!("CARGO_BIN_EXE_table2"),
        "table3" => env!("CARGO_BIN_EXE_table3"),
        "table5" => env!("CARGO_BIN_EXE_table5"),
        "table6" => env!("CARGO_BIN_EXE_table6"),
        "figure2" => env!("CARGO_BIN_EXE_figure2"),
        "figure3" => env!("CARGO_BIN_EXE_figure3"),
        "figure4" => env!("CARGO_BIN_EXE_figure4"),
        "figure5" => env!("CARGO_BIN_EXE_figure5"),
        "figure6" => env!("CARGO_BIN_EXE_figure6"),
        "table4" => env!("CARGO_BIN_EXE_table4"),
        "figure1" => env!("CARGO_BIN_EXE_figure1"),
        "train" => env!("CARGO_BIN_EXE_train"),
        "evaluate" => env!("CARGO_BIN_EXE_evaluate"),
        "export" => env!("CARGO_BIN_EXE_export"),
        "throughput" => env!("CARGO_BIN_EXE_throughput"),
        "runs" => env!("CARGO_BIN_EXE_runs"),
        "report" => env!("CARGO_BIN_EXE_report"),
        "data" => env!("CARGO_BIN_EXE_data"),
        _ => panic!("no binary {name}"),
    }
}

/// A command that sees neither the network nor the user's own data, on one thread: tests run side by side.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(path(name));
    command.env_remove("RUST_BACKTRACE").env_remove("HF_HOME").env("HF_HUB_OFFLINE", "1");
    command.env("RAYON_NUM_THREADS", "1");
    command
}

/// Runs `name` with `arguments`, which must succeed; returns its stdout.
#[track_caller]
pub fn run(name: &str, arguments: &[&str], out: &Path) -> String {
    let output = command(name).args(arguments).arg("--out").arg(out).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A folder for results, and the run in it that `train` left with [`TINY`], `arguments` and [`Noise`].
#[track_caller]
pub fn trained(noise: &Noise, arguments: &[&str]) -> (TempDir, PathBuf) {
    let out = tempfile::tempdir().unwrap();
    run("train", &[&TINY, &noise.arguments()[..], arguments].concat(), out.path());
    let run = only_run(out.path());
    (out, run)
}

/// A CIFAR-10 of noise: it is there at once, for tests that are not about what is learnt.
pub struct Noise(TempDir);

impl Noise {
    /// Writes it.
    pub fn new() -> Self {
        Self::of(40)
    }

    /// Writes a copy with so many test images.
    pub fn of(test: usize) -> Self {
        Self(binary(&records(600), &records(test)))
    }

    /// The arguments that choose it.
    pub fn arguments(&self) -> [&str; 4] {
        ["--dataset", "cifar10", "--data-dir", self.0.path().to_str().unwrap()]
    }
}

/// The folders of all runs below `out`, sorted.
pub fn runs(out: &Path) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(out.join("runs")).into_iter().flatten();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// The folder of the only run below `out`.
#[track_caller]
pub fn only_run(out: &Path) -> PathBuf {
    let runs = runs(out);
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs[0].clone()
}

/// The text of a file.
#[track_caller]
pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The bytes of a file.
#[track_caller]
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Removes the weights of every run below `out`; what was measured on them stays.
pub fn remove_weights(out: &Path) {
    for run in runs(out) {
        ["best", "last"].iter().for_each(|name| std::fs::remove_file(run.join(format!("{name}.safetensors"))).unwrap());
    }
}

/// Every file below `folder`.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Panics if a file below `folder` was to be moved to its place and never was.
#[track_caller]
pub fn assert_nothing_half_written(folder: &Path) {
    let temporary = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with('.') || name.ends_with(".tmp")
    };
    let left: Vec<PathBuf> = files(folder).into_iter().filter(temporary).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
