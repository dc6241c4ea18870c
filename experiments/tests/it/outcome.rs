//! How a binary must fail.

use crate::program::{assert_nothing_half_written, command};
use std::path::Path;

/// Runs `name`, which must fail with exit code 1 and one line on stderr that says everything in
/// `expected`; nothing half-written may stay below `out`.
#[track_caller]
pub fn fails(name: &str, arguments: &[&str], out: &Path, expected: &[&str]) -> String {
    let output = command(name).args(arguments).arg("--out").arg(out).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{name} {arguments:?}: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    let lines: Vec<&str> = errors.lines().filter(|line| line.starts_with("error:")).collect();
    let last = errors.lines().last().unwrap_or_default();
    assert_eq!(lines, [last], "not one line of error, the last one: {errors}");
    for part in expected {
        assert!(last.contains(part), "{name} {arguments:?}\n{last}\ndoes not say {part:?}");
    }
    assert_nothing_half_written(out);
    last.to_owned()
}

/// Runs `name`, which must refuse its arguments with exit code 2 and a first line that says
/// everything in `expected`, before it prints or makes anything.
#[track_caller]
pub fn refuses(name: &str, arguments: &[&str], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = command(name).args(arguments).current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{name} {arguments:?}: {errors}");
    assert!(errors.starts_with("error: ") && !errors.contains("panicked"), "{errors}");
    // Clap wraps what it says about required arguments.
    let said = errors.split("\n\n").next().unwrap_or_default();
    for part in expected {
        assert!(said.contains(part), "{name} {arguments:?}\n{said}\ndoes not say {part:?}");
    }
    assert!(output.stdout.is_empty(), "{name} {arguments:?} prints");
    let made: Vec<_> = crate::program::files(folder.path());
    assert!(made.iter().all(|path| path.ends_with("log.txt")), "{made:?}");
}
