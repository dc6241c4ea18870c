//! Weights of the Hub: evaluated as if they were here.

use crate::{
    outcome::refuses,
    program::{Noise, bytes, command, run, text, trained},
};
use mirror::Mirror;
use std::path::Path;

/// Runs `evaluate` on `checkpoint` with the Hub at `endpoint` and its cache in `cache`; exit code and what it said.
fn evaluate(
    noise: &Noise,
    [checkpoint, endpoint]: [&str; 2],
    more: &[&str],
    cache: &Path,
    out: &Path,
) -> (Option<i32>, String) {
    let mut command = command("evaluate");
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", endpoint).env("HF_HUB_CACHE", cache);
    command.args(["--checkpoint", checkpoint]).args(&noise.arguments()[2..]).args(more).arg("--out").arg(out);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_network_of_the_hub_is_the_network_it_was_here() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &["--framework", "pgd-at"]);
    let exported = out.path().join("export");
    run("export", &["--run", folder.to_str().unwrap()], &exported);
    let weights = exported.join("model.safetensors");
    let here = out.path().join("here");
    let local = ["--checkpoint", weights.to_str().unwrap(), "--attack", "pgd-2"];
    run("evaluate", &[&local[..], &noise.arguments()[2..]].concat(), &here);
    let expected = text(&here.join("examples.csv"));

    let mirror = Mirror::start();
    let put = |path: &str, bytes: &[u8]| mirror.put("models", "someone/robust", "main", path, bytes);
    put("pgd-at/model.safetensors", &bytes(&weights));
    put("pgd-at/config.json", &bytes(&exported.join("config.json")));
    let commit = put("pgd-at/README.md", b"nobody asks for it");
    let cache = out.path().join("cache");
    let address = "hf://someone/robust/pgd-at/model.safetensors";
    let pinned = format!("{address}@{commit}");
    for (name, checkpoint, endpoint) in [
        ("main", address, mirror.endpoint()),
        ("commit", &pinned, mirror.endpoint()),
        // From the cache, with nobody there.
        ("cached", address, "http://127.0.0.1:9"),
    ] {
        let place = out.path().join(name);
        let (code, said) = evaluate(&noise, [checkpoint, endpoint], &["--attack", "pgd-2"], &cache, &place);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert_eq!(text(&place.join("examples.csv")), expected, "{name}");
        let report = text(&place.join("robustbench.json"));
        let full = if name == "commit" { pinned.clone() } else { format!("{address}@main") };
        assert!(report.contains(&format!("\"name\": \"{full}\"")), "{report}");
    }
    assert!(mirror.requests().iter().all(|request| !request.contains("README.md")), "{:?}", mirror.requests());

    // The same file can be what attacks come from and what they are compared with.
    let others = ["--attack", "transfer", "--surrogate", address, "--control", address];
    let place = out.path().join("others");
    let (code, said) = evaluate(&noise, [address, mirror.endpoint()], &others, &cache, &place);
    assert_eq!(code, Some(0), "{said}");

    for (file, part) in
        [("hf://someone/robust/last.pt", "someone/robust"), ("hf://someone/else/last.pt", "someone/else")]
    {
        let place = out.path().join("missing");
        let (code, said) = evaluate(&noise, [file, mirror.endpoint()], &["--arch", "tiny"], &cache, &place);
        let last = said.lines().last().unwrap_or_default();
        assert!(code == Some(1) && last.starts_with("error: ") && last.contains(part), "{said}");
    }
}

#[test]
fn an_address_that_is_none_is_told_the_form() {
    for option in ["--checkpoint", "--surrogate", "--control"] {
        let rest = ["--checkpoint", "nowhere.pt", "--out", "out"];
        let rest = if option == "--checkpoint" { &rest[2..] } else { &rest[..] };
        let arguments = [&[option, "hf://someone/robust"], rest].concat();
        refuses("evaluate", &arguments, &["hf://someone/robust", option, "hf://OWNER/REPO/FILE@REVISION"]);
    }
}
