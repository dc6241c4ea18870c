//! Audits of a table's runs, and what they need.

use crate::program::{TINY, remove_weights, run, runs, text};
use std::fs;

/// An audit that another network has to be asked for is made anew once that is there, and weights that are gone come back
/// for it.
#[test]
fn a_run_without_weights_is_trained_again_when_its_audit_asks_for_them() {
    let out = tempfile::tempdir().unwrap();
    let rows = |only: &'static str| {
        [&TINY[..], &["--autoattack-examples", "4", "--columns", "clean,pgd-20", "--only", only]].concat()
    };
    run("table1", &rows("=pgd-at"), out.path());
    let pgd_at = runs(out.path()).remove(0);
    let weights = fs::read(pgd_at.join("best.safetensors")).unwrap();
    let asked_of = || text(&pgd_at.join("audit-best.csv"));
    assert!(asked_of().contains("transfer from nowhere"), "{}", asked_of());
    remove_weights(out.path());
    run("table1", &rows("=pgd-at,=trades"), out.path());
    assert!(asked_of().contains("transfer from trades-"), "{}", asked_of());
    assert!(fs::read(pgd_at.join("best.safetensors")).unwrap() == weights);
}
