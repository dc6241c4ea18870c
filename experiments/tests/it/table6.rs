//! One attack over several folders of results.

use crate::{
    outcome::{fails, refuses},
    program::{Noise, TINY, run, runs, text},
};

#[test]
fn settings_are_columns_and_frameworks_rows() {
    let noise = Noise::new();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let table = [&TINY[..], &noise.arguments(), &["--columns", "clean,autoattack", "--autoattack-examples", "20"]];
    let table = [&table.concat()[..], &["--no-audit", "--seeds", "0,1"]].concat();
    fails("table6", &["--of", "."], out, &["table1/cells.csv", "is needed: table1 --out"]);
    run("table1", &[&table[..], &["--only", "=pgd-at,=pgd-at+longer"]].concat(), out);
    // An hour later, in a folder of its own: two epochs, with I2FR.
    let longer = [&table[2..], &["--epochs", "2", "--only", "standard,=pgd-at,=pgd-at+i2fr"]].concat();
    run("table1", &longer, &out.join("longer"));
    let printed = run("table6", &["--of", ".,longer"], out);
    assert_eq!(printed, text(&out.join("table6.md")));
    assert!(
        printed.contains("| | CIFAR-10, 200 × 1, --attack-steps 2 | CIFAR-10, 200 × 2, --attack-steps 2 |\n"),
        "{printed}"
    );
    let rows: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    let expected = ["PGD-AT", "PGD-AT + I2FR", "PGD-AT (more epochs)", "Standard"];
    assert_eq!(rows[1..5], expected, "{printed}");
    // Each folder's number is that of its own table.
    let of = |csv: String, column: &str| {
        let mut table = csv::Reader::from_reader(csv.as_bytes());
        let at = table.headers().unwrap().iter().position(|header| header == column).unwrap();
        let alone = table.records().map(Result::unwrap).find(|row| &row[0] == "PGD-AT").unwrap();
        alone[at].to_owned()
    };
    for (folder, setting) in
        [(".", "CIFAR-10, 200 × 1, --attack-steps 2"), ("longer", "CIFAR-10, 200 × 2, --attack-steps 2")]
    {
        let own = of(text(&out.join(folder).join("table1.csv")), "autoattack_mean");
        assert_eq!(of(text(&out.join("table6.csv")), &format!("{setting}_mean")), own);
    }
    assert!(out.join("table6-gains.svg").is_file() && out.join("table6.tex").is_file());

    // Trained otherwise in a setting that is there: rows of its column. The control is trained as before, and there once.
    let otherwise = [&table[2..], &["--epochs", "2", "--beta", "1", "--only", "standard,=trades"]].concat();
    run("table1", &otherwise, &out.join("otherwise"));
    let printed = run("table6", &["--of", ".,longer,otherwise"], out);
    let header = "| | CIFAR-10, 200 × 1, --attack-steps 2 | CIFAR-10, 200 × 2, --attack-steps 2 |\n";
    assert!(printed.contains(header), "{printed}");
    let named = |name: &str| printed.lines().filter(|line| line.starts_with(&format!("| {name} |"))).count();
    assert_eq!((named("TRADES (beta 1)"), named("Standard"), named("Standard (beta 1)")), (1, 1, 0), "{printed}");
    // Alone, or first, it is a setting of its own.
    let printed = run("table6", &["--of", "otherwise,longer"], out);
    assert!(printed.contains("--attack-steps 2, --beta 1 | CIFAR-10, 200 × 2, --attack-steps 2 |\n"), "{printed}");

    run("table6", &["--of", "longer"], out);
    assert!(!out.join("table6/cells.gone.csv").exists());
    fails("table6", &["--of", ".,./"], out, &["CIFAR-10, 200 × 1, --attack-steps 2: two folders have this setting"]);
    std::fs::remove_file(runs(out)[0].join("run.json")).unwrap();
    fails("table6", &["--of", ".,longer"], out, &["run.json: not the record of a run"]);
    refuses("table6", &["--render-only"], &["unexpected argument '--render-only'"]);
}
