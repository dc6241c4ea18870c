use crate::{
    audit::{Audit, Check, Verdict},
    report::{
        Audited, Table, cells, latex, markdown, plot,
        tests::{cell, small},
    },
};

/// An audit of a run that `found` this.
pub(in crate::report) fn audit(found: &[(&'static str, Verdict)]) -> Audited {
    let check = |&(name, verdict)| Check { name, verdict, detail: "made up".into() };
    let audit = Audit {
        subject: "s".into(),
        settings: "linf; 64 images of it".into(),
        checks: found.iter().map(check).collect(),
    };
    Audited { runs: "runs".into(), column: None, run: "pgd-at-0123".into(), seed: 0, checkpoint: "best".into(), audit }
}

fn audited() -> Table {
    let mut table = small();
    table.cells.push(cell("pgd-at", "i2fr", "pgd-20", 0, 90.0));
    table.rows[1].audits = vec![
        audit(&[("more steps", Verdict::Warn), ("sample", Verdict::Warn)]),
        audit(&[("more steps", Verdict::Pass), ("own terms", Verdict::Warn), ("control", Verdict::Skipped)]),
    ];
    let passed = Audited { run: "pgd-at-4567".into(), seed: 1, ..audit(&[("black box", Verdict::Pass)]) };
    table.rows[2].audits = vec![passed, audit(&[("black box", Verdict::Fail), ("more steps", Verdict::Warn)])];
    table
}

#[test]
fn a_row_that_fails_its_audit_is_marked_and_never_the_best() {
    let table = audited();
    assert_eq!(small().best(1), [1]);
    assert_eq!(table.best(1), [1]);
    let markdown = markdown::render(&table);
    assert!(markdown.contains("| | Clean | PGD-20 | Audit |\n|---|---:|---:|---|\n"), "{markdown}");
    assert!(markdown.contains("| Standard | 95.0 | 60.0 | — |"), "{markdown}");
    assert!(markdown.contains("| PGD-AT | 82.0 ± 6.4 | **48.5 ± 6.4** | warn |"), "{markdown}");
    assert!(markdown.contains("| PGD-AT + I2FR ‡ | 83.0 | 90.0 | fail |"), "{markdown}");
    assert!(markdown.contains(
        "‡ PGD-AT + I2FR fails its audit in 1 of 2 audited runs (black box): its robust accuracy is no evidence until \
         that is explained, see `runs/pgd-at-0123/audit-best.md`."
    ));
    assert!(markdown.contains("Audit warnings: more steps (PGD-AT, PGD-AT + I2FR); own terms (PGD-AT)."), "{markdown}");
    assert!(markdown.contains("Audit checks not made: control (PGD-AT)."), "{markdown}");
    assert!(markdown.contains("Audits looked at the first 64 test images."), "{markdown}");
    assert!(
        markdown.contains("Bold: the best defended value under attack in each column, rows marked ‡ aside."),
        "{markdown}"
    );
    assert!(!markdown.contains("Not all runs were audited"), "{markdown}");
    // Those of fewer seeds are not the best because the others fail.
    let mut more = audited();
    more.cells.extend([1, 2].map(|seed| cell("pgd-at", "i2fr", "pgd-20", seed, 90.0)));
    assert!(more.best(1).is_empty());
    let mut alone = audited();
    alone.rows[1].audits[0].audit.settings += "; seed 0; transfer from nowhere; control 0.00 %";
    let told = "Audits without images made for another network: PGD-AT (1 of 2).";
    assert!(markdown::render(&alone).contains(told) && !markdown.contains("Audits without"));
    // What nothing speaks against, but not all was asked.
    let row = "| PGD-AT | 82.0 ± 6.4 | **48.5 ± 6.4** | partly |";
    alone.rows[1].audits.remove(0);
    alone.rows[1].audits[0].audit.checks.retain(|check| check.name != "own terms");
    assert!(markdown::render(&alone).contains(row));
    let mut partly = audited();
    partly.rows[1].audits.pop();
    assert!(markdown::render(&partly).contains("Not all runs were audited: PGD-AT (1 of 2)."));
    let latex = latex::render(&table);
    assert!(latex.contains("{lrrl}") && latex.contains("PGD-AT + I2FR $\\ddagger$ & 83.0 & 90.0 & fail"), "{latex}");
    assert!(cells::wide(&table).unwrap().ends_with("PGD-AT + I2FR,83.000,,,1,1000,90.000,,,1,1000,fail\n"));
    assert!(crate::drawing::svg(&plot::Picture::of(&table)).unwrap().contains("PGD-AT + I2FR ‡"));
    let long = table.audit_csv().unwrap();
    assert_eq!(long.lines().count(), 1 + 8);
    assert!(long.contains("\ntable1,pgd-at,i2fr,best,0,pgd-at-0123,64,black box,fail,made up\n"), "{long}");
}

/// Where columns are settings, a network of one says nothing of another.
#[test]
fn an_audit_of_a_column_marks_its_values_alone() {
    let mut table = audited();
    table.rows.iter_mut().flat_map(|row| &mut row.audits).for_each(|one| one.column = Some("pgd-20".into()));
    assert_eq!(table.best(1), [1]);
    let markdown = markdown::render(&table);
    assert!(markdown.contains("| | Clean | PGD-20 |\n|---|---:|---:|\n"), "{markdown}");
    assert!(markdown.contains("| PGD-AT + I2FR | 83.0 | 90.0 ‡ |"), "{markdown}");
    assert!(markdown.contains("‡ PGD-AT + I2FR (pgd-20) fails its audit in 1 of 2 audited runs"), "{markdown}");
    assert!(
        markdown.contains("Bold: the best defended value under attack in each column, values marked ‡ aside."),
        "{markdown}"
    );
    assert!(latex::render(&table).contains("PGD-AT + I2FR & 83.0 & 90.0 $\\ddagger$ \\\\"));
    let svg = crate::drawing::svg(&plot::Picture::of(&table)).unwrap();
    assert!(svg.contains(">\n90.0 ‡\n") && svg.contains(">\nPGD-AT + I2FR\n"), "{svg}");
    // One of two audits of a column is told where the other columns have both.
    table.rows[1].audits.pop();
    assert!(markdown::render(&table).contains("Not all runs were audited: PGD-AT (pgd-20) (1 of 2)."));
}

/// A difference to a value that is no evidence is none.
#[test]
fn a_difference_is_marked_if_either_of_its_rows_fails_there() {
    for failing in [1, 2] {
        let mut table = audited();
        let failed = Audited { column: Some("pgd-20".into()), ..table.rows[2].audits[1].clone() };
        table.rows.iter_mut().for_each(|row| row.audits.clear());
        table.rows[failing].audits.push(failed);
        assert_eq!((table.mark_of_difference(2, 1).as_str(), table.mark_of_difference(2, 0).as_str()), (" ‡", ""));
    }
}
