//! Audits of a table's runs, and what they need.

use crate::program::{TINY, only_run, remove_weights, run, runs, text};
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

#[test]
fn one_training_is_attacked_and_audited_if_it_is_asked_for() {
    let out = tempfile::tempdir().unwrap();
    let train = [&TINY[..], &["--framework", "pgd-at", "--autoattack-examples", "4"]].concat();
    let printed = run("train", &train, out.path());
    assert!(printed.contains("| Clean | PGD-20 |") && !printed.contains("udit"), "{printed}");
    let audit = only_run(out.path()).join("audit-best.csv");
    assert!(!audit.exists());
    let printed = run("train", &[&train[..], &["--columns", "clean,autoattack", "--audit"]].concat(), out.path());
    assert!(printed.contains("| Clean | AutoAttack |") && printed.contains("udits looked at"), "{printed}");
    assert!(text(&audit).contains("; 4 images of synthetic"), "{}", text(&audit));
}
