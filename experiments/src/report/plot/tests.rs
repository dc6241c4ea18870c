use std::fs;
use std::path::Path;

use crate::audit::Verdict;
use crate::report::marks::tests::audit;
use crate::report::tests::{cell, column, row, small};
use crate::report::{Cell, Table};

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

/// Its texts in a line.
fn wrapped(svg: &str) -> String {
    svg.lines().filter(|line| !line.starts_with('<')).collect::<Vec<_>>().join(" ")
}

/// What every `element` has as its attribute `name`, in the order they are drawn.
fn attributes<'a>(svg: &'a str, element: &str, name: &str) -> Vec<&'a str> {
    let (element, name) = (format!("<{element} "), format!(" {name}=\""));
    let value = |rest: &'a str| rest.split_once(&name).unwrap().1.split('"').next().unwrap();
    svg.split(&element).skip(1).map(value).collect()
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
    // 1 - c points and 3 from one row to the next, the same for every seed.
    for text in ["Fast-AT + I2FR", "+4.0 ± 0.0", "+3.0 ± 0.0", "0", "+5"] {
        assert!(svg.contains(&format!(">\n{text}\n</text>")), "{text} in {svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains(">\nStandard\n<"));
    let once = Table { cells: table.cells.iter().filter(|cell| cell.seed == 0).cloned().collect(), ..table };
    once.write(folder.path()).unwrap();
    assert!(!file("svg").exists() && !file("png").exists());
}

/// A table whose differences, of six seeds, are 4 points: of TRADES a loss, of MART now this, now that, of Feature Scattering
/// one seed, and of Fast-AT with I2FR a failed audit.
fn differing() -> Table {
    let mut table = large(1);
    table.columns = vec![column("pgd-20", "PGD-20")];
    table.cells.iter_mut().for_each(|cell| cell.attack = "pgd-20".into());
    let further: Vec<Cell> = table.cells.iter().map(|cell| Cell { seed: cell.seed + 3, ..cell.clone() }).collect();
    table.cells.extend(further);
    let nearly = |seed: u64| [-0.1, 0.0, 0.1][seed as usize % 3];
    for cell in table.cells.iter_mut().filter(|cell| cell.regularizer == "i2fr") {
        cell.value_percent += match cell.framework.as_str() {
            "pgd-at" | "fast-at" => nearly(cell.seed),
            "trades" => -9.0 + nearly(cell.seed),
            "mart" => [-9.0, 0.0, 1.0][cell.seed as usize % 3],
            _ => 0.0,
        };
    }
    table.cells.retain(|cell| cell.framework != "feature-scattering" || cell.seed == 0);
    table.rows.last_mut().unwrap().audits = vec![audit(&[("black box", Verdict::Fail)])];
    table
}

#[test]
fn gains_are_coloured_by_their_tests_and_audits() {
    let table = differing();
    let svg = crate::drawing::svg(&super::Gains::of(&table).unwrap()).unwrap();
    // The mean is the largest disc of a row; a row of one seed has none.
    let discs = attributes(&svg, "circle", "r").into_iter().zip(attributes(&svg, "circle", "fill"));
    let means: Vec<&str> = discs.filter(|(radius, _)| *radius == "3").skip(3).map(|(_, fill)| fill).collect();
    assert_eq!(means, ["#0072B2", "#C44E00", "#626A73", "#626A73"], "{svg}");
    assert!(svg.contains(">\n+4.0\n</text>") && svg.contains("MART + I2FR 6"), "{svg}");
    let svg = crate::drawing::svg(&super::Picture::of(&table)).unwrap();
    for text in ["grey where p of the sign-flip test is above 0.05 (of one seed", "or one side is ‡"] {
        assert!(wrapped(&svg).contains(text), "{text} in {svg}");
    }
    // Five seeds can show nothing by that test, whatever their interval.
    let few = Table { cells: table.cells.into_iter().filter(|cell| cell.seed < 5).collect(), ..table };
    let svg = crate::drawing::svg(&super::Gains::of(&few).unwrap()).unwrap();
    let blue = attributes(&svg, "circle", "fill").into_iter().filter(|fill| *fill == "#0072B2").count();
    assert_eq!(blue, 1, "the legend's alone: {svg}");
}

#[test]
fn a_seed_far_from_the_others_is_an_arrowhead() {
    let drawn = |far: f64| {
        let mut table = small();
        table.columns.truncate(1);
        table.cells.clear();
        for seed in 0..12 {
            let gained = if seed == 11 { far } else { 4.0 };
            table.cells.push(cell("pgd-at", "none", "clean", seed, 20.0));
            table.cells.push(cell("pgd-at", "i2fr", "clean", seed, 20.0 + gained));
        }
        let svg = crate::drawing::svg(&super::Gains::of(&table).unwrap()).unwrap();
        let three = |line: &&str| line.split_whitespace().count() == 3;
        let arrowheads = attributes(&svg, "polyline", "points").into_iter().filter(three).count();
        (arrowheads, ["+10", "+20", "+70"].map(|end| svg.contains(&format!(">\n{end}\n</text>"))), wrapped(&svg))
    };
    // Intervals from -1.6 to 18.9 and from 3.4 to 5.6, so from -2 to 20 and from -1 to 7; all would be to 70, and to 10.
    let (arrowheads, ends, words) = drawn(60.0);
    assert_eq!((arrowheads, ends), (1, [false, true, false]));
    assert!(words.contains("an arrowhead is what lies beyond the panel"), "{words}");
    let (arrowheads, ends, words) = drawn(10.0);
    assert_eq!((arrowheads, ends), (0, [true, false, false]));
    assert!(!words.contains("arrowhead"), "{words}");
}

#[test]
fn an_interval_beyond_the_axis_is_cut() {
    let mut table = small();
    table.cells.extend([cell("pgd-at", "i2fr", "pgd-20", 0, 45.2), cell("pgd-at", "i2fr", "pgd-20", 1, 50.0)]);
    table.columns.retain(|column| column.attack == "pgd-20");
    let svg = crate::drawing::svg(&super::Gains::of(&table).unwrap()).unwrap();
    // -2.8 and 1.0 points: an interval of 24.1 either way, on an axis from -3 to 1, and an arrowhead at each end.
    assert!(svg.contains(">\n−0.9 ± 24.1\n</text>") && svg.contains(">\n−3\n</text>"), "{svg}");
    let lines = attributes(&svg, "polyline", "points");
    let [least, zero, most, interval, _, _] = lines[..] else { panic!("ticks, an interval, arrowheads: {lines:?}") };
    let ends = |line: &str| -> Vec<f64> {
        line.split_whitespace().map(|point| point.split_once(',').unwrap().0.parse().unwrap()).collect()
    };
    assert!(ends(least)[0] < ends(zero)[0] && ends(zero)[0] < ends(most)[0], "{lines:?}");
    assert_eq!(ends(interval), [ends(least)[0], ends(most)[0]]);
}

#[test]
fn three_seeds_do_not_squeeze_the_intervals_of_more() {
    let end = |others: u64| {
        let mut table = small();
        table.columns.truncate(1);
        table.cells.clear();
        table.rows.extend([row("trades", "none", "TRADES"), row("trades", "i2fr", "TRADES + I2FR")]);
        for (framework, seeds, gained) in [("pgd-at", 3, [0.0, 2.0, 22.0]), ("trades", others, [0.0, 2.0, 1.0])] {
            for seed in 0..seeds {
                table.cells.push(cell(framework, "none", "clean", seed, 20.0));
                table.cells.push(cell(framework, "i2fr", "clean", seed, 20.0 + gained[seed as usize % 3]));
            }
        }
        let svg = crate::drawing::svg(&super::Gains::of(&table).unwrap()).unwrap();
        ["+3", "+40"].into_iter().find(|end| svg.contains(&format!(">\n{end}\n</text>"))).unwrap()
    };
    // 8.0 ± 30.2 of three seeds, and of five 1.0 ± 1.2.
    assert_eq!((end(0), end(3), end(5)), ("+40", "+40", "+3"));
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
