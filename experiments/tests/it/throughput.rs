//! The timing of a training step.

use crate::program::command;
use predicates::prelude::PredicateBooleanExt;

#[test]
fn one_json_object_stands_on_stdout() {
    let arguments = ["--arch", "tiny", "--batch", "4", "--attack-steps", "1", "--iters", "2", "--warmup", "0"];
    let output = command("throughput").args(arguments).args(["--threads", "1"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().count(), 1, "{printed}");
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap();
    for (key, value) in [("arch", "tiny"), ("device", "cpu"), ("precision", "f32")] {
        assert_eq!(report[key], value, "{key}");
    }
    for (key, value) in [("batch", 4), ("attack_steps", 1), ("threads", 1)] {
        assert_eq!(report[key], value, "{key}");
    }
    let steps: Vec<f64> = report["step_seconds"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
    assert!(steps.len() == 2 && steps.iter().all(|s| *s > 0.), "{steps:?}");
    let rate = report["images_per_second"].as_f64().unwrap();
    assert!(steps.iter().any(|s| (rate * s - 4.).abs() < 1e-6), "{rate} {steps:?}");
    // A process with a network in it takes megabytes, and not the whole machine.
    let peak = report["peak_rss_bytes"].as_u64().unwrap();
    assert!((1 << 20..1 << 34).contains(&peak) || !cfg!(target_os = "linux"), "{peak}");
    assert!(report["parameters"].as_u64().unwrap() > 0);
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let assert = command("throughput").args(["--device", "cuda"]).assert().code(1).stdout("");
    assert.stderr(predicates::str::starts_with("error: ").and(predicates::str::contains("--device cpu")));
}
