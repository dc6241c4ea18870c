use std::fs;
use std::path::Path;

use super::*;
use crate::run::Split;

pub(super) fn cell(framework: &str, regularizer: &str, attack: &str, seed: u64, value: f64) -> Cell {
    Cell {
        table: "table1".into(),
        framework: framework.into(),
        regularizer: regularizer.into(),
        dataset: "cifar10".into(),
        arch: "resnet18".into(),
        norm: "linf".into(),
        epsilon: "8/255".into(),
        attack: attack.into(),
        checkpoint: "best".into(),
        split: Split::Test,
        seed,
        examples: 1000,
        value_percent: value,
        run: "0123abcd".into(),
        profile: "gpu".into(),
        seconds: 1.5,
    }
}

pub(super) fn row(framework: &str, regularizer: &str, label: &str) -> Row {
    Row { framework: framework.into(), regularizer: regularizer.into(), label: label.into(), audits: Vec::new() }
}

pub(super) fn column(attack: &str, label: &str) -> Column {
    Column { attack: attack.into(), label: label.into() }
}

/// A control and one pair; two seeds, one of two attacks, one gap.
pub(super) fn small() -> Table {
    Table {
        name: "table1".into(),
        caption: "Made-up accuracies, 100% & more_or_less".into(),
        split: Split::Test,
        rows: vec![
            row("standard", "none", "Standard"),
            row("pgd-at", "none", "PGD-AT"),
            row("pgd-at", "i2fr", "PGD-AT + I2FR"),
        ],
        columns: vec![column("clean", "Clean"), column("pgd-20", "PGD-20")],
        cells: vec![
            cell("standard", "none", "clean", 0, 95.0),
            cell("standard", "none", "pgd-20", 0, 60.0),
            cell("pgd-at", "none", "clean", 0, 81.5),
            cell("pgd-at", "none", "clean", 1, 82.5),
            cell("pgd-at", "none", "pgd-20", 0, 48.0),
            cell("pgd-at", "none", "pgd-20", 1, 49.0),
            cell("pgd-at", "i2fr", "clean", 0, 83.0),
        ],
    }
}

#[test]
fn a_cell_counts_each_seed_once_and_prefers_the_selected_checkpoint() {
    let mut table = small();
    let mut last = cell("pgd-at", "none", "pgd-20", 0, 1.0);
    last.checkpoint = "last".into();
    table.cells.push(last.clone());
    table.cells.push(cell("pgd-at", "none", "pgd-20", 1, 50.0));
    let summary = table.value(1, 1).unwrap();
    assert_eq!((summary.mean, summary.seeds), (49.0, 2));
    table.cells = vec![last];
    assert_eq!(table.value(1, 1).unwrap().mean, 1.0);
    assert_eq!(table.value(9, 0), None);
    assert_eq!(table.value(0, 9), None);
}

#[test]
fn a_table_by_which_settings_are_chosen_says_so() {
    let split = Split::HeldOut;
    let markdown = markdown::render(&Table { name: split.named("table1"), split, ..small() });
    assert!(markdown.starts_with("**Table 1, held-out images.**"), "{markdown}");
    assert!(markdown.contains("; 1,000 held-out training images; seeds 0, 1;"), "{markdown}");
    assert!(markdown.contains("One held-out set of 1,000 images: "), "{markdown}");
    assert!(!markdown.contains("test"), "{markdown}");
}

#[test]
fn markdown() {
    insta::assert_snapshot!(markdown::page(&small()), @r#"
    **Table 1.** Made-up accuracies, 100% & more_or_less.

    ![Table 1, CIFAR-10: Made-up accuracies, 100% & more_or_less](table1.svg)

    Accuracy in %; L∞, ε = 8/255; CIFAR-10; ResNet-18; 1,000 test images; seeds 0, 1; profile gpu (20 epochs on 49,000 images); checkpoint selected on held-out training images.

    | | Clean | PGD-20 |
    |---|---:|---:|
    | Standard | 95.0 | 60.0 |
    | PGD-AT | 82.0 ± 6.4 | **48.5 ± 6.4** |
    | PGD-AT + I2FR | 83.0 | — |

    Bold: the best defended value under attack in each column.

    ± is half the 95 % interval of the mean over the row's seeds (Student): Standard 1, PGD-AT 2, PGD-AT + I2FR 1.

    One test set of 1,000 images: ±3.1 points at 50 % (95 %, Wilson).

    — not measured yet (1 of 6); what measures it, run without --render-only, fills the gaps and keeps what is there.
    "#);
}

#[test]
fn latex() {
    insta::assert_snapshot!(latex::render(&small()), @r#"
    \begin{table}
      \centering
      \caption{Made-up accuracies, 100\% \& more\_or\_less. Accuracy in \%; L$_\infty$, $\varepsilon$ = 8/255; CIFAR-10; ResNet-18; 1,000 test images; seeds 0, 1; profile gpu (20 epochs on 49,000 images); checkpoint selected on held-out training images.}
      \label{tab:table-1-cifar-10}
      \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%
      \begin{tabular}{lrr}
        \toprule
        & Clean & PGD-20 \\
        \midrule
        Standard & 95.0 & 60.0 \\
        \addlinespace
        PGD-AT & 82.0 $\pm$ 6.4 & \textbf{48.5} $\pm$ 6.4 \\
        PGD-AT + I2FR & 83.0 & --- \\
        \bottomrule
      \end{tabular}}

      \footnotesize Bold: the best defended value under attack in each column.

      \footnotesize $\pm$ is half the 95 \% interval of the mean over the row's seeds (Student): Standard 1, PGD-AT 2, PGD-AT + I2FR 1.

      \footnotesize One test set of 1,000 images: $\pm$3.1 points at 50 \% (95 \%, Wilson).

      \footnotesize --- not measured yet (1 of 6); what measures it, run without -{}-render-only, fills the gaps and keeps what is there.
    \end{table}
    "#);
}

#[test]
fn latex_escapes_special_characters() {
    let mut table = small();
    table.rows[0].label = r"a&b%c$d#e_f{g}~^\<".into();
    let rendered = latex::render(&table);
    let expected = r"a\&b\%c\$d\#e\_f\{g\}\textasciitilde{}\textasciicircum{}\textbackslash{}$<$ & ";
    assert!(rendered.contains(expected), "{rendered}");
    table.rows[0].label = "a|b*c".into();
    assert!(markdown::render(&table).contains(r"| a\|b\*c | 95.0 |"));
}

#[test]
fn ties_are_all_bold_and_large_test_sets_get_two_digits() {
    let mut table = small();
    table.cells.extend([0, 1].map(|seed| cell("pgd-at", "i2fr", "pgd-20", seed, 48.52)));
    assert_eq!(table.best(1), [1, 2]);
    assert!(table.best(0).is_empty());
    for cell in &mut table.cells {
        cell.examples = 10_000;
    }
    assert_eq!(table.best(1), [2]);
    assert!(markdown::render(&table).contains("| **48.52 ± 0.00** |"));
}

#[test]
fn a_cell_on_fewer_images_is_named_and_never_the_best() {
    let mut table = small();
    table.cells.extend([0, 1].map(|seed| cell("pgd-at", "i2fr", "pgd-20", seed, 99.)));
    assert_eq!(table.best(1), [2]);
    assert!(
        !markdown::render(&table).contains("fewer images")
            && drawing::svg(&plot::Picture::of(&table)).unwrap().contains("+50.5")
    );
    table.cells.iter_mut().rev().take(2).for_each(|cell| cell.examples = 500);
    assert_eq!(table.best(1), [1]);
    let rendered = markdown::render(&table);
    let expected =
        "On fewer images than others of their column, and not compared with them: PGD-AT + I2FR, PGD-20 (500).";
    assert!(rendered.contains(expected), "{rendered}");
    assert!(
        !drawing::svg(&plot::Picture::of(&table)).unwrap().contains("+5"),
        "a difference between numbers of images"
    );
}

#[test]
fn a_row_of_fewer_seeds_is_never_the_best() {
    let mut table = small();
    assert!(!markdown::render(&table).contains("fewer seeds"));
    table.cells.push(cell("pgd-at", "i2fr", "pgd-20", 0, 99.));
    assert_eq!(table.best(1), [1]);
    assert!(markdown::render(&table).contains("under attack in each column, rows of fewer seeds aside."));
    // More images tell more than more seeds.
    table.cells.iter_mut().rev().take(1).for_each(|cell| cell.examples = 10_000);
    assert_eq!(table.best(1), [2]);
    assert!(!markdown::render(&table).contains("rows of fewer seeds"));
}

#[test]
fn wide_csv() {
    insta::assert_snapshot!(cells::wide(&small()).unwrap(), @r#"
    label,clean_mean,clean_half_width,clean_deviation,clean_seeds,clean_examples,pgd-20_mean,pgd-20_half_width,pgd-20_deviation,pgd-20_seeds,pgd-20_examples
    Standard,95.000,,,1,1000,60.000,,,1,1000
    PGD-AT,82.000,6.353,0.707,2,1000,48.500,6.353,0.707,2,1000
    PGD-AT + I2FR,83.000,,,1,1000,,,,,
    "#);
}

#[test]
fn written_files_read_back_and_render_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/results");
    let table = small();
    let written = table.write(&out).unwrap();
    let names: Vec<_> = written.iter().map(|path| path.strip_prefix(&out).unwrap()).collect();
    let expected = [
        "table1/cells.csv",
        "table1.csv",
        "table1.md",
        "table1.tex",
        "table1.svg",
        "table1/differences.csv",
        "table1.png",
    ];
    assert_eq!(names, expected.map(Path::new));
    let first: Vec<Vec<u8>> = written.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(first[0].starts_with(
        b"table,framework,regularizer,dataset,arch,norm,epsilon,attack,checkpoint,split,seed,examples,\
          value_percent,run,profile,seconds\ntable1,standard,none,cifar10,resnet18,linf,8/255,clean,\
          best,test,0,1000,95.0,0123abcd,gpu,1.5\n"
    ));
    assert!(first[6].starts_with(b"\x89PNG\r\n\x1a\n"));
    let cells = read_cells(&written[0]).unwrap();
    assert_eq!(cells, table.cells);
    let again = Table { cells, ..table }.write(&out).unwrap();
    let second: Vec<Vec<u8>> = again.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(first == second, "the same cells give the same files");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 6, "nothing temporary is left");
}

#[test]
fn a_table_without_cells_is_written_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let table = Table { cells: Vec::new(), ..small() };
    let written = table.write(folder.path()).unwrap();
    assert!(read_cells(&written[0]).unwrap().is_empty());
    assert!(markdown::render(&table).contains("— not measured yet (6 of 6)"));
    let bare = Table { rows: Vec::new(), columns: Vec::new(), ..table };
    bare.write(folder.path()).unwrap();
}

#[test]
fn bad_values_and_files_are_refused_with_a_name() {
    let folder = tempfile::tempdir().unwrap();
    for value in [f64::NAN, -0.1, 100.1, f64::INFINITY] {
        let mut table = small();
        table.cells[4].value_percent = value;
        let text = table.write(folder.path()).unwrap_err().to_string();
        assert!(text.starts_with("table1: pgd-20 of pgd-at + none (seed 0, run 0123abcd)"), "{text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    // A file where a folder is needed: refused even for root, whom permissions do not stop.
    let file = folder.path().join("file");
    fs::write(&file, "table,framework\nx,y\n").unwrap();
    let text = format!("{:#}", small().write(&file.join("results")).unwrap_err());
    assert!(text.contains("file/results; choose another folder with --out"), "{text}");
    let text = format!("{:#}", read_cells(&file).unwrap_err());
    assert!(text.contains(&file.display().to_string()) && text.contains("missing field"), "{text}");
    assert!(read_cells(&folder.path().join("absent.csv")).is_err());
}
