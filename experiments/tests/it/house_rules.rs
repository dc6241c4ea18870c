//! Rules that the whole source tree keeps. Most say what is absent; `ARCHITECTURE.md` says why.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Paths, relative to the root, of the files under version control; without git (a source archive), of
/// all files but build results.
pub fn tracked() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let mut paths: Vec<String> = match listed {
        Ok(output) if output.status.success() && root().join(".git").exists() => {
            let listed = String::from_utf8(output.stdout).unwrap();
            listed.split_terminator('\0').map(str::to_owned).collect()
        }
        _ => walk(&root()),
    };
    // A file that was deleted or moved and not committed yet is still listed.
    paths.retain(|path| root().join(path).is_file());
    paths.sort();
    paths.dedup();
    assert!(paths.iter().any(|path| path == "experiments/tests/it/house_rules.rs"), "{paths:?}");
    paths
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with(".git") && name != ".hf-cache" {
            found.extend(walk(&path));
        } else if path.is_file() && !name.ends_with(".safetensors") {
            found.push(path.strip_prefix(root()).unwrap().display().to_string());
        }
    }
    found
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Tracked Rust files and their text.
fn sources() -> Vec<(String, String)> {
    let rust: Vec<String> = tracked().into_iter().filter(|path| path.ends_with(".rs")).collect();
    assert!(rust.len() > 100, "only {} files", rust.len());
    rust.into_iter().map(|path| (read(&path), path)).map(|(text, path)| (path, text)).collect()
}

/// Whether the file is part of what a user runs, and not a test, a benchmark or a build script.
fn shipped(path: &str) -> bool {
    path.split('/').any(|part| part == "src")
}

/// Panics with every line of `sources` that `allowed` does not excuse and that holds one of `words`.
#[track_caller]
fn nowhere(words: &[&str], allowed: impl Fn(&str, &str) -> bool) {
    let mut found = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| holds(line, word)) && !allowed(&path, line) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{words:?} may not stand in\n{}", found.join("\n"));
}

/// Whether `line` holds `word` and not merely a longer word that ends or begins with it.
fn holds(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(part) && word.starts_with(part);
        let after = line[at + word.len()..].chars().next().is_some_and(part) && word.ends_with(part);
        !before && !after
    })
}

/// The crates of the workspace and, for each, the workspace crates it may depend on.
const EDGES: [(&str, &[&str]); 11] = [
    ("kernels", &[]),
    ("hub", &[]),
    ("mirror", &[]),
    ("pickle", &[]),
    ("data", &["hub", "kernels", "pickle"]),
    ("models", &["kernels", "pickle"]),
    ("objectives", &["kernels", "models"]),
    ("attacks", &["data", "kernels", "models", "objectives"]),
    ("i2fr", &["kernels", "objectives"]),
    ("frameworks", &["attacks", "data", "kernels", "models", "objectives"]),
    ("experiments", &["attacks", "data", "frameworks", "hub", "i2fr", "kernels", "models", "objectives"]),
];

fn manifest(krate: &str) -> String {
    if krate == "experiments" { "experiments/Cargo.toml".into() } else { format!("crates/{krate}/Cargo.toml") }
}

/// The names in a manifest's `[dependencies]` or `[build-dependencies]`, renamed or not, tests excepted:
/// those may build networks to try a term on.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let last = section.rsplit('.').next().unwrap_or_default();
            inside = matches!(last, "dependencies" | "build-dependencies");
            // `[dependencies.data]`
            let named = section.split_once("dependencies.").filter(|(before, _)| !before.ends_with("dev-"));
            names.extend(named.map(|(_, name)| name.to_owned()));
        } else if inside && let Some((name, value)) = line.split_once('=') {
            names.push(name.split('.').next().unwrap_or_default().trim().trim_matches('"').to_owned());
            if let Some((_, renamed)) = value.split_once("package = \"") {
                names.push(renamed.split('"').next().unwrap_or_default().to_owned());
            }
            if let Some((_, path)) = value.split_once("path = \"") {
                names.push(path.split('"').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().into());
            }
        }
    }
    names
}

#[test]
fn crates_depend_in_one_direction() {
    // Fuzz targets are a workspace of their own, on top of everything.
    let ours = |path: &String| path.ends_with("/Cargo.toml") && path != "fuzz/Cargo.toml";
    let manifests: Vec<String> = tracked().into_iter().filter(ours).collect();
    let mut known: Vec<String> = EDGES.iter().map(|(krate, _)| manifest(krate)).collect();
    known.sort();
    assert_eq!(manifests, known, "a crate without a place in this test's list");
    for (krate, allowed) in EDGES {
        let found = dependencies(&read(&manifest(krate)));
        let tensors = !matches!(krate, "hub" | "mirror" | "pickle");
        assert_eq!(found.iter().any(|name| name == "candle"), tensors, "{krate}: {found:?}");
        for (other, _) in EDGES {
            let depends = found.iter().any(|name| name == other);
            assert!(!depends || allowed.contains(&other), "{krate} may not depend on {other}");
        }
    }
}

#[test]
fn the_regulariser_and_the_frameworks_do_not_know_each_other() {
    for (krate, other) in [("i2fr", "frameworks"), ("frameworks", "i2fr")] {
        let folder = format!("crates/{krate}/");
        for path in tracked().into_iter().filter(|path| path.starts_with(&folder)) {
            let text = read(&path).to_lowercase();
            assert!(!text.lines().any(|line| holds(line, other)), "{path} names {other}");
        }
    }
}

#[test]
fn only_kernels_have_unsafe_code_and_features() {
    let kernels = |path: &str| path.starts_with("crates/kernels/");
    nowhere(&[concat!("uns", "afe")], |path, _| kernels(path));
    nowhere(&[concat!("cfg(", "feature"), concat!("cfg!(", "feature"), concat!("not(", "feature")], |path, line| {
        kernels(path) || (path.starts_with("crates/data/src/") && line.contains("\"hub\""))
    });
}

#[test]
fn only_experiments_read_arguments_and_exit() {
    let words = [concat!("env::", "args"), concat!("env::", "args_os"), concat!("process::", "exit")];
    nowhere(&words, |path, _| path.starts_with("experiments/src/") || !shipped(path));
}

#[test]
fn nothing_prints_by_macros_that_panic_on_a_closed_pipe() {
    let words = [concat!("print", "ln!"), concat!("eprint", "ln!"), concat!("pri", "nt!"), concat!("epri", "nt!")];
    nowhere(&words, |path, _| !shipped(path));
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("#[ign", "ore"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("TO", "DO"),
    ];
    nowhere(&words, |_, _| false);
}

#[test]
fn names_say_what_is_inside() {
    let vague = ["util", "utils", "common", "base", "helper", "helpers", "manager", "misc"];
    let found: Vec<String> = tracked()
        .into_iter()
        .filter(|path| {
            let path = path.strip_suffix(".rs").unwrap_or(path).to_lowercase();
            path.split('/').any(|part| vague.contains(&part))
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
    for (path, text) in sources() {
        for line in text.lines() {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
            let declared = words.find(|word| *word == "mod").and_then(|_| words.next());
            let module = line.trim_start().starts_with("mod ") || line.trim_start().starts_with("pub");
            assert!(!module || !declared.is_some_and(|name| vague.contains(&name)), "{path}: {line}");
        }
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| shipped(path) && text.lines().count() > 320)
        .map(|(path, text)| format!("{path}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "more than 320 lines: {long:?}");
}

#[test]
fn every_crate_inherits_the_workspaces_rules() {
    for (krate, _) in EDGES {
        let manifest = read(&manifest(krate));
        assert!(manifest.contains(&format!("name = \"{krate}\"\n")), "{krate}");
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{krate}");
        for field in ["version", "edition", "rust-version", "license", "publish"] {
            assert!(manifest.contains(&format!("\n{field}.workspace = true\n")), "{krate} has a {field} of its own");
        }
        assert!(manifest.contains("\ndescription = \""), "{krate} does not say what it is");
    }
}

#[test]
fn every_binary_begins_with_its_command() {
    let binaries: Vec<String> = tracked()
        .into_iter()
        .filter(|path| path.starts_with("experiments/src/bin/") && path.ends_with(".rs"))
        .collect();
    assert!(binaries.len() >= 4, "{binaries:?}");
    for path in binaries {
        let name = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
        let text = read(&path);
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let command = format!("cargo run --release --bin {name}");
        assert!(header.iter().any(|line| line.contains(&command)), "{path}: no `{command}` in its header");
        assert!(text.contains(".main()") || text.contains("experiments::main("), "{path} handles errors by itself");
    }
}

#[test]
fn the_tree_is_self_contained_and_light() {
    let places = [concat!("/wo", "rk/"), concat!("../sha", "red")];
    for path in tracked() {
        let bytes = fs::read(root().join(&path)).unwrap();
        assert!(bytes.len() <= 2_000_000, "{path} has {} bytes", bytes.len());
        let text = String::from_utf8_lossy(&bytes);
        for place in places.iter().filter(|_| !path.starts_with(".ci/")) {
            assert!(!text.contains(place), "{path} mentions {place}, which is nowhere else");
        }
    }
}

/// `PGD-AT + I2FR`, broken before the plus, would be a list.
#[test]
fn no_line_of_prose_begins_with_a_plus() {
    for path in tracked().into_iter().filter(|path| path.ends_with(".md")) {
        let line = read(&path).lines().position(|line| line.trim_start().starts_with("+ "));
        assert_eq!(line, None, "{path}: the line after so many is taken for an item of a list");
    }
}

#[test]
fn the_readmes_test_command_is_the_one_that_runs_before_changes_land() {
    let command = "cargo nextest run --workspace";
    for path in ["README.md", ".ci/run"] {
        // A comment may follow.
        let runs = |line: &str| line.split('#').next().unwrap_or_default().trim() == command;
        assert!(read(path).lines().any(runs), "{path} does not have the line `{command}`");
    }
}

/// The rules would hold of anything if what they look for were never found.
#[test]
fn the_search_finds_what_it_looks_for() {
    assert!(holds(concat!("x = db", "g!(y)"), concat!("db", "g!(")) && holds("std::process::exit(1)", "process::exit"));
    assert!(holds("mod a; use frameworks::b;", "frameworks") && !holds("my_frameworks", "frameworks"));
    let print = concat!("pri", "nt!");
    assert!(holds(&format!("{print}(1)"), print) && !holds(&format!("e{print}(1)"), print));
    let sample = "[dependencies]\ncandle.workspace = true\nother = { package = \"data\", path = \"../x/models\" }\n\
                  [dev-dependencies]\nattacks.workspace = true\n[dependencies.i2fr]\nworkspace = true\n";
    assert_eq!(dependencies(sample), ["candle", "other", "data", "models", "i2fr"]);
    assert!(
        sources()
            .iter()
            .any(|(path, text)| path.starts_with("crates/kernels/") && text.contains(concat!("uns", "afe")))
    );
}
