use crate::report::tests::{cell, column, row, small};
use crate::report::{Cell, Table, latex, markdown, plot};

use super::significant;

/// One pair of rows under two attacks, with three seeds.
fn three() -> Table {
    let mut table = small();
    table.cells.clear();
    for (seed, (before, after)) in [(80.0, 81.0), (81.0, 83.0), (82.0, 85.0)].into_iter().enumerate() {
        table.cells.push(cell("pgd-at", "none", "clean", seed as u64, before));
        table.cells.push(cell("pgd-at", "i2fr", "clean", seed as u64, after));
        table.cells.push(cell("pgd-at", "none", "pgd-20", seed as u64, 50.0));
        table.cells.push(cell("pgd-at", "i2fr", "pgd-20", seed as u64, 47.9 + 0.1 * seed as f64));
    }
    table
}

#[test]
fn differences_pair_equal_seeds_by_hand() {
    let table = three();
    // 1, 2, 3: deviation 1, error 1 / sqrt(3), t(2) = 4.30265. And -2.1, -2.0, -1.9: a tenth of that.
    insta::assert_snapshot!(table.differences_csv().unwrap(), @"
    framework,regularizer,attack,checkpoint,seeds,examples,mean_difference,low,high,p_value,smallest_p,test
    pgd-at,i2fr,clean,best,3,1000,2.000,-0.484,4.484,0.25,0.25,exact
    pgd-at,i2fr,pgd-20,best,3,1000,-2.000,-2.248,-1.752,0.25,0.25,exact
    ");
    let markdown = markdown::render(&table);
    let (_, differences) = markdown.split_once("**Differences**").unwrap();
    insta::assert_snapshot!(differences, @"
     to the same framework alone in points, paired over n seeds, 1,000 test images: mean ± half the 95 % interval (Student), and p of the two-sided sign-flip test.

    | | Clean | PGD-20 |
    |---|---:|---:|
    | PGD-AT + I2FR | +2.0 ± 2.5 (n = 3, p = 0.25) | −2.0 ± 0.2 (n = 3, p = 0.25) |

    With 3 seeds no p is below 0.25, so none is below 0.05. p is not corrected for there being 2 tests.
    ");
    let row = "PGD-AT + I2FR & +2.0 $\\pm$ 2.5 (n = 3, p = 0.25) & $-$2.0 $\\pm$ 0.2 (n = 3, p = 0.25) \\\\\n";
    let latex = latex::render(&table);
    assert!(latex.contains(row) && latex.contains("so none is below 0.05"), "{latex}");
}

#[test]
fn only_what_both_rows_have_is_compared() {
    let mut table = three();
    // A fourth seed of one row, a third of other images, a second of other weights: one pair is left.
    table.cells.push(cell("pgd-at", "i2fr", "clean", 3, 0.0));
    let at = |seed: u64| move |c: &&mut super::Cell| c.regularizer == "none" && c.attack == "clean" && c.seed == seed;
    table.cells.iter_mut().find(at(2)).unwrap().examples = 500;
    table.cells.retain(|c| !(c.regularizer == "none" && c.attack == "clean" && c.seed == 1));
    let lines = table.differences_csv().unwrap();
    assert!(lines.contains("\npgd-at,i2fr,clean,best,1,1000,1.000,,,,1.0,exact\n"), "{lines}");
    // Nothing is said of one seed below the table, and a gap stays one.
    assert!(markdown::render(&table).contains("| PGD-AT + I2FR | — | −2.0 ± 0.2 (n = 3, p = 0.25) |"));
    assert!(!markdown::render(&small()).contains("**Differences**"));
    let mut last = three();
    last.cells.retain(|c| c.attack == "clean");
    last.cells.iter_mut().filter(|c| c.regularizer == "i2fr").for_each(|c| c.checkpoint = "last".into());
    assert_eq!(last.differences_csv().unwrap().lines().count(), 1);
}

/// What stands in the same place of both rows may be of two seeds.
#[test]
fn seeds_are_paired_by_their_number() {
    let mut table = three();
    table.cells.retain(|c| c.attack == "clean" && !(c.regularizer == "none" && c.seed == 0));
    let lines = table.differences_csv().unwrap();
    // 83 - 81 and 85 - 82; in order it would be 81 - 81 and 83 - 82.
    assert!(lines.contains("\npgd-at,i2fr,clean,best,2,1000,2.500,"), "{lines}");
}

#[test]
fn a_table_without_pairs_has_a_header() {
    let table = Table { rows: vec![row("standard", "none", "S"), row("x", "i2fr", "X")], ..small() };
    assert_eq!(table.differences_csv().unwrap().lines().count(), 1);
    let bare = Table { columns: vec![column("fgsm", "FGSM")], ..three() };
    assert_eq!(bare.differences_csv().unwrap().lines().count(), 1);
}

/// Seeds that move both rows alike leave a difference sure that the rows' own intervals would hide.
#[test]
fn the_picture_greys_what_paired_seeds_leave_open() {
    let mut table = three();
    // Six seeds of one attack; the three of the other can show nothing.
    let attacked = table.cells.iter().filter(|c| c.attack == "pgd-20");
    let further: Vec<Cell> = attacked.map(|c| Cell { seed: c.seed + 3, ..c.clone() }).collect();
    table.cells.extend(further);
    for c in table.cells.iter_mut().filter(|c| c.attack == "pgd-20") {
        c.value_percent += 5.0 * c.seed as f64;
    }
    let svg = crate::drawing::svg(&plot::Picture::of(&table)).unwrap();
    let color = |text: &str| {
        let (before, _) = svg.split_once(&format!(">\n{text}\n</text>")).unwrap();
        before.rsplit_once("fill=\"").unwrap().1[..7].to_owned()
    };
    assert_eq!([color("+2.0"), color("−2.0")], ["#626A73", "#C44E00"]);
    let words = svg.lines().filter(|line| !line.starts_with('<')).collect::<Vec<_>>().join(" ");
    assert!(words.contains("grey where p of the sign-flip test is above 0.05"), "{svg}");
}

#[test]
fn p_has_two_digits() {
    let shown = [1.0, 0.25, 0.0625, 0.031_25, 1.0 / 128.0, 1.0 / 65_536.0].map(significant);
    assert_eq!(shown, ["1", "0.25", "0.062", "0.031", "0.0078", "0.000015"]);
}
