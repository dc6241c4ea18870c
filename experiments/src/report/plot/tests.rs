use std::fs;
use std::path::Path;

use crate::report::Table;
use crate::report::tests::{cell, column, row, small};

/// As many rows and columns as the largest table has.
fn large(columns: usize) -> Table {
    let mut table = Table {
        split: crate::run::Split::Test,
        name: "table3".into(),
        caption: "Accuracy with and without I2FR, clean and under attack.".into(),
        rows: vec![row("standard", "none", "Standard")],
        columns: ["Clean", "FGSM", "PGD-20", "CW", "AutoAttack", "APGD-T", "Square", "FAB-T"][..columns]
            .iter()
            .map(|label| column(&label.to_lowercase(), label))
            .collect(),
        cells: Vec::new(),
    };
    for (framework, label) in [
        ("pgd-at", "PGD-AT"),
        ("trades", "TRADES"),
        ("mart", "MART"),
        ("feature-scattering", "Feature Scattering"),
        ("fast-at", "Fast-AT"),
    ] {
        table.rows.push(row(framework, "none", label));
        table.rows.push(row(framework, "i2fr", &format!("{label} + I2FR")));
    }
    for (r, row) in table.rows.iter().enumerate() {
        for (c, column) in table.columns.iter().enumerate() {
            let mean = match (row.framework.as_str(), c) {
                ("standard", 0) => 100.0,
                ("standard", _) => 0.0,
                _ => 80.0 - 9.0 * c as f64 + r as f64 + if r % 2 == 0 { 3.0 - c as f64 } else { 0.0 },
            };
            for seed in 0..3 {
                let noise = if mean % 100.0 == 0.0 { 0.0 } else { 0.3 * (c + 1) as f64 * seed as f64 };
                let made = cell(&row.framework, &row.regularizer, &column.attack, seed, mean + noise);
                table.cells.push(made);
            }
        }
    }
    table
}

#[test]
fn pictures_hold_every_label_and_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    // Set to look at the pictures.
    let out = std::env::var_os("I2FR_PLOTS");
    let out = out.as_ref().map_or(folder.path(), Path::new);
    for (i, table) in [small(), large(5), large(8), large(2)].into_iter().enumerate() {
        let written = table.write(&out.join(i.to_string())).unwrap();
        let svg = fs::read_to_string(&written[4]).unwrap();
        let labels = table.rows.iter().map(|row| &row.label);
        for label in labels.chain(table.columns.iter().map(|column| &column.label)) {
            assert!(svg.contains(&format!(">\n{label}\n</text>")), "{label}");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(svg.contains("CIFAR-10; ResNet-18"));
    }
}

#[test]
fn gains_are_drawn_where_seeds_repeat_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = |kind: &str| folder.path().join(format!("table3-gains.{kind}"));
    let table = large(2);
    assert!(table.write(folder.path()).unwrap().ends_with(&["svg", "png"].map(file)));
    let svg = fs::read_to_string(file("svg")).unwrap();
    let changed = table.rows.iter().filter(|row| row.is_regularized()).count();
    // Every seed, its mean, and the three dots of the legend.
    assert_eq!(svg.matches("<circle").count(), changed * 2 * (3 + 1) + 3, "{svg}");
    // 3 - c points and as many from one row to the next, the same for every seed.
    for text in ["Fast-AT + I2FR", "+4.0 ± 0.0", "+3.0 ± 0.0", "0", "+5"] {
        assert!(svg.contains(&format!(">\n{text}\n</text>")), "{text} in {svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains(">\nStandard\n<"));
    let once = Table { cells: table.cells.iter().filter(|cell| cell.seed == 0).cloned().collect(), ..table };
    once.write(folder.path()).unwrap();
    assert!(!file("svg").exists() && !file("png").exists());
}

#[test]
fn an_interval_beyond_the_axis_is_cut() {
    let mut table = small();
    table.cells.extend([cell("pgd-at", "i2fr", "pgd-20", 0, 45.2), cell("pgd-at", "i2fr", "pgd-20", 1, 50.0)]);
    let svg = crate::drawing::svg(&super::Gains::of(&table).unwrap()).unwrap();
    // -2.8 and 1.0 points: an interval of 24.1 either way, on an axis from -5 to 1.
    assert!(svg.contains(">\n−0.9 ± 24.1\n</text>") && svg.contains(">\n−5\n</text>"), "{svg}");
}

#[test]
fn the_picture_prints_differences() {
    let mut table = small();
    table.cells.push(cell("pgd-at", "i2fr", "pgd-20", 0, 45.3));
    let svg = crate::drawing::svg(&super::Picture::of(&table)).unwrap();
    // Only seed 0 has both: 83 against 81.5, and 45.3 against 48.
    for text in ["48.5", "+1.5", "45.3", "−2.7"] {
        assert!(svg.contains(&format!(">\n{text}\n</text>")), "{text} in {svg}");
    }
}
