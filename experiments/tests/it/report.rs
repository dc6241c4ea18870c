//! The report of a results folder.

use crate::{
    claims::{store, table1},
    page::{assert_loads_nothing, elements},
    program::{Noise, TINY, assert_nothing_half_written, bytes, command, run, text},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{collections::BTreeSet, fs, path::Path};

const WRITTEN: [&str; 4] = ["claims.csv", "claims.md", "report.html", "report.tex"];

/// Every section is in the list of contents, and nothing else is linked to.
#[track_caller]
fn assert_well_made(page: &str) {
    elements(page);
    assert_loads_nothing(page);
    let of = |mark: &str| -> Vec<String> {
        page.split(mark).skip(1).map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    let (links, sections) = (of("<a href=\""), of("<section id=\""));
    assert_eq!(links, sections.iter().map(|id| format!("#{id}")).collect::<Vec<_>>());
    assert_eq!(sections.iter().collect::<BTreeSet<_>>().len(), sections.len());
    assert!(
        of("<img ").len() == page.matches(" alt=\"").count() && !page.contains(" alt=\"\""),
        "a picture without words"
    );
    // Whatever is wider than a telephone scrolls in a box that the keyboard reaches.
    assert_eq!(
        page.matches("<table>").count(),
        page.matches("<div class=\"scroll\" role=\"region\" tabindex=\"0\"").count()
    );
}

#[test]
fn a_folder_without_results_is_reported_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run("report", &[], folder.path());
    assert_eq!(printed, text(&folder.path().join("claims.md")));
    assert_eq!(printed.matches("| not measured |").count(), 7, "{printed}");
    let page = text(&folder.path().join("report.html"));
    assert_well_made(&page);
    assert!(page.contains("<h3>nothing measured</h3>") && !page.contains("<section id=\"table1\">"));
    // A header and one line for each claim.
    assert_eq!(text(&folder.path().join("claims.csv")).lines().count(), 1 + 7);
}

#[test]
fn everything_stored_is_on_the_page() {
    let noise = Noise::new();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    run("table1", &[&TINY[..], &noise.arguments(), &["--only", "pgd-at", "--columns", "clean,pgd-20"]].concat(), out);
    run("report", &[], out);
    let page = text(&out.join("report.html"));
    assert_well_made(&page);
    assert!(page.contains(&BASE64_STANDARD.encode(bytes(&out.join("table1.svg")))));
    // A table of one's own is known by its measurements.
    fs::create_dir(out.join("mine")).unwrap();
    fs::copy(out.join("table1/cells.csv"), out.join("mine/cells.csv")).unwrap();
    fs::write(out.join("mine.md"), "**mine.** My own comparison.\n").unwrap();
    run("report", &[], out);
    let with_mine = text(&out.join("report.html"));
    assert_well_made(&with_mine);
    assert!(with_mine.contains("<section id=\"mine\">") && with_mine.contains("My own comparison."));
    let record: serde_json::Value =
        serde_json::from_slice(&bytes(&crate::program::runs(out)[0].join("run.json"))).unwrap();
    for told in ["commit", "train_sha256", "test_sha256", "cargo_lock_sha256", "isa"] {
        assert!(page.contains(record["provenance"][told].as_str().unwrap()), "{told}");
    }
    assert!(page.contains(record["id"].as_str().unwrap()) && page.contains("2 networks were audited"), "{page}");
    // Ours stand beside what others published, and apart from it.
    assert!(page.contains("<tr class=\"ours\"><th scope=\"row\">pgd-at + i2fr"));
    assert!(page.contains("<tr class=\"theirs\">") && page.contains("fra31/auto-attack"));
    assert!(page.contains("divided by their Euclidean norm"), "the deviations");
    assert!(text(&out.join("report.tex")).contains("\\input{table1.tex}"));

    let first = WRITTEN.map(|name| bytes(&out.join(name)));
    run("report", &[], out);
    assert!(WRITTEN.map(|name| bytes(&out.join(name))) == first, "the same results give the same bytes");
    assert_nothing_half_written(out);
}

#[test]
fn verdicts_come_with_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    store(out, &table1(11, 2.0), &[]);
    let printed = run("report", &[], out);
    let effects = ["pgd-at", "trades", "mart", "alp", "fast-at"].map(|f| format!("{f}: +2.00 [+2.00, +2.00] points"));
    let row = format!("| supported | {} |", effects.join("<br>"));
    assert!(printed.contains(&row), "{printed}");
    assert!(printed.contains("## profile cpu: cifar10, resnet8, linf 8/255"), "{printed}");
    let page = text(&out.join("report.html"));
    assert_well_made(&page);
    assert!(page.contains("<span class=\"verdict pass\">✓ supported</span>") && page.contains("without a record"));
    // 1/1024, times five frameworks, times seven claims.
    let lines = text(&out.join("claims.csv"));
    let line = lines.lines().find(|line| line.starts_with("f,cpu,cifar10,resnet8,linf,8/255,supported,")).unwrap();
    assert!(line.starts_with("f,cpu,cifar10,resnet8,linf,8/255,supported,0.0048828125,0.0341796875,"), "{line}");

    store(out, &table1(11, 2.0), &["trades-i2fr-resnet8-s2"]);
    run("report", &[], out);
    let page = text(&out.join("report.html"));
    assert_well_made(&page);
    assert!(page.contains("1 failed a check") && page.contains("Failed checks"), "{page}");
    assert!(page.contains("made &lt;up&gt;") && page.contains("trades-i2fr-resnet8-s2 fails its audit (black box)"));
    let ours = |name: &str| page.contains(&format!("<tr class=\"ours\"><th scope=\"row\">{name}</th>"));
    assert!(
        ours("trades + i2fr ‡") && ours("trades") && !ours("trades + i2fr") && page.contains(" (11 × 1,000)"),
        "{page}"
    );
}

/// Settings may be chosen by them.
#[test]
fn held_out_images_are_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    store(out, &table1(11, 2.0), &[]);
    let ours = "ours: table1, profile cpu";
    let said = |out| (run("report", &[], out), text(&out.join("report.html")));
    let (printed, page) = said(out);
    assert!(printed.contains("+2.00 [+2.00, +2.00] points") && page.contains(ours), "{printed}");
    let cells = out.join("table1/cells.csv");
    fs::write(&cells, text(&cells).replace(",best,test,", ",best,held-out,")).unwrap();
    let (printed, page) = said(out);
    assert!(!printed.contains("points") && !page.contains(ours), "{printed}");
}

#[test]
fn figures_are_shown_with_their_captions() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let dot = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    let files = [
        ("figure1.md", "**Figure 1.** Features & <b>more</b>.\n\n| | n |\n|---|---:|\n| a | 1 |\n"),
        ("figure1.svg", dot),
        ("figure1-trades.svg", dot),
        ("figure2.png", "pixels"),
        ("table1.md", "**Table 1.** Tested.\n"),
        ("table1-held-out.md", "**Table 1.** Chosen.\n"),
        ("table1-held-out-gains.png", "gained"),
        ("table1x.svg", dot),
        ("notes.md", "# Not a figure"),
    ];
    for (name, content) in files {
        fs::write(out.join(name), content).unwrap();
    }
    run("report", &[], out);
    let page = text(&out.join("report.html"));
    assert_well_made(&page);
    assert_eq!(page.matches(&format!("src=\"data:image/svg+xml;base64,{}\"", BASE64_STANDARD.encode(dot))).count(), 2);
    assert!(page.contains("alt=\"figure1-trades: Figure 1. Features &amp; more.\""), "{page}");
    assert!(page.contains(&format!("data:image/png;base64,{}", BASE64_STANDARD.encode("pixels"))));
    assert!(page.contains("alt=\"table1-held-out-gains: Table 1. Chosen.\""), "{page}");
    assert!(
        page.contains("&lt;b&gt;more")
            && page.contains("<td class=\"number\">1</td>")
            && !page.contains("Not a figure")
    );
}

#[test]
fn what_cannot_be_reported_is_an_error_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |arguments: &[&str], out: &Path, said: &str| {
        let output = command("report").args(arguments).arg("--out").arg(out).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 1), "{errors}");
        assert!(errors.contains(said), "{said}: {errors}");
    };
    fails(&[], &folder.path().join("absent"), "no such folder; choose the folder of results with --out");
    fails(&["--claims", "absent.toml"], folder.path(), "cannot read absent.toml");
    let claims = folder.path().join("claims.toml");
    fs::write(&claims, "level = 0.05\n[[claim]]\nid = \"x\"\nworth = 3\n").unwrap();
    fails(
        &["--claims", claims.to_str().unwrap()],
        folder.path(),
        "claims.toml, line 4, claim `x`: unknown field `worth`",
    );
    store(folder.path(), &table1(1, 0.0), &[]);
    let run = folder.path().join("runs/trades-none-resnet8-s0");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("run.json"), "{").unwrap();
    fails(&[], folder.path(), "run.json: not the record of a run");
}
