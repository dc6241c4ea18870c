//! `cells.csv`, and the table that comes of it.
#![no_main]

use experiments::report::{Column, Row, Table, read_cells};
use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

fuzz_target!(|bytes: &[u8]| {
    let Ok(cells) = read_cells(&FOLDER.write("cells.csv", bytes)) else { return };
    let row = |regularizer: &str| Row {
        framework: "pgd-at".into(),
        regularizer: regularizer.into(),
        label: format!("PGD-AT + {regularizer}"),
        audits: Vec::new(),
    };
    let column = |attack: &str| Column { attack: attack.into(), label: attack.to_uppercase() };
    let table = Table {
        name: "table1".into(),
        caption: "Fuzzed".into(),
        rows: vec![row("none"), row("i2fr")],
        columns: vec![column("clean"), column("pgd-20")],
        cells,
        notes: Vec::new(),
    };
    assert!(!table.markdown().is_empty());
});
