//! The claims, from their file and stored results to verdicts.

use crate::program::{command, text};
use experiments::{
    claims::{BUILT_IN, Claims, Finding, Judged, Rule, Verdict},
    report::{Measure, write_measures},
};
use std::{fmt::Write, path::Path};

const HEADER: &str = "table,framework,regularizer,dataset,arch,norm,epsilon,attack,checkpoint,split,seed,examples,\
                      value_percent,run,profile,seconds\n";

const FRAMEWORKS: [&str; 5] = ["pgd-at", "trades", "mart", "alp", "fast-at"];

/// A line of `cells.csv` of one framework, l-infinity 8/255.
#[derive(Clone, Copy)]
pub struct Line {
    pub framework: &'static str,
    pub regularizer: &'static str,
    pub seed: u64,
    pub examples: usize,
    pub value: f64,
    pub arch: &'static str,
    pub checkpoint: &'static str,
}

impl Line {
    fn run(&self) -> String {
        format!("{}-{}-{}-s{}", self.framework, self.regularizer, self.arch, self.seed)
    }
}

/// Table 1 under AutoAttack with `seeds` seeds, where I2FR adds `gain` points to each framework.
pub fn table1(seeds: u64, gain: f64) -> Vec<Line> {
    let mut lines = Vec::new();
    for framework in FRAMEWORKS {
        for (regularizer, value) in [("none", 26.0), ("i2fr", 26.0 + gain)] {
            lines.extend((0..seeds).map(|seed| Line {
                framework,
                regularizer,
                seed,
                examples: 1000,
                value: value + seed as f64 / 8.0,
                arch: "resnet8",
                checkpoint: "best",
            }));
        }
    }
    lines
}

/// Writes `lines` as `table1/cells.csv`, and an audit in which every run passes but those in `failed`.
pub fn store(out: &Path, lines: &[Line], failed: &[&str]) {
    let mut cells = HEADER.to_owned();
    let mut audit = "table,framework,regularizer,checkpoint,seed,run,check,verdict,detail\n".to_owned();
    for line in lines {
        let (run, Line { framework, regularizer, seed, examples, value, arch, checkpoint }) = (line.run(), *line);
        writeln!(
            cells,
            "table1,{framework},{regularizer},cifar10,{arch},linf,8/255,autoattack,{checkpoint},test,{seed},{examples},{value},\
             {run},cpu,1.5"
        )
        .unwrap();
        let verdict = if failed.contains(&run.as_str()) { "fail" } else { "pass" };
        writeln!(audit, "table1,{framework},{regularizer},best,{seed},{run},black box,{verdict},made <up>").unwrap();
    }
    std::fs::create_dir_all(out.join("table1")).unwrap();
    std::fs::write(out.join("table1/cells.csv"), cells).unwrap();
    std::fs::write(out.join("table1/audit.csv"), audit).unwrap();
}

/// The findings on claim `id`, by setting.
#[track_caller]
fn findings(out: &Path, id: &str) -> Vec<Finding> {
    let judged = Judged::of(Claims::read(None).unwrap(), out).unwrap();
    let place = judged.claims.claims.iter().position(|claim| claim.id == id).unwrap();
    judged.settings.into_iter().map(|(_, mut findings)| findings.swap_remove(place)).collect()
}

#[track_caller]
fn the_finding(out: &Path, id: &str) -> Finding {
    let mut found = findings(out, id);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn stored_tables_get_the_verdict_that_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    for (seeds, gain, expected) in [
        (11, 2.0, Verdict::Supported),
        (11, -2.0, Verdict::Contradicted),
        (11, 0.25, Verdict::Undecided),
        (10, 2.0, Verdict::Undecided),
    ] {
        store(out, &table1(seeds, gain), &[]);
        let found = the_finding(out, "f");
        assert_eq!(found.verdict, expected, "{seeds} seeds, {gain} points: {:?}", found.remarks);
        let paired = found.tested[0].paired.unwrap();
        assert_eq!((paired.difference.mean, paired.difference.seeds as u64), (gain, seeds));
        assert!(found.tested.iter().all(|tested| tested.examples == [1000].into()));
        assert_eq!(the_finding(out, "g-robust").verdict, Verdict::NotMeasured);
    }
}

/// Settings may be chosen by held-out images, and claims are not judged by what chose them.
#[test]
fn held_out_images_are_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    store(out, &table1(11, 2.0), &[]);
    let cells = out.join("table1/cells.csv");
    std::fs::write(&cells, text(&cells).replace(",best,test,", ",best,held-out,")).unwrap();
    let judged = Judged::of(Claims::read(None).unwrap(), out).unwrap();
    let verdicts = judged.settings.iter().flat_map(|(_, findings)| findings).map(|finding| finding.verdict);
    assert!(verdicts.into_iter().all(|verdict| verdict == Verdict::NotMeasured));
}

#[test]
fn seeds_beyond_those_that_were_fixed_are_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let mut lines = table1(14, 2.0);
    lines.iter_mut().filter(|line| line.seed > 10 && line.regularizer == "i2fr").for_each(|line| line.value -= 90.);
    store(out, &lines, &[]);
    let found = the_finding(out, "f");
    assert_eq!(
        (found.verdict, &found.remarks[..]),
        (Verdict::Supported, &["seeds from 11 on are not looked at".into()][..])
    );
    let difference = found.tested[0].paired.unwrap().difference;
    assert_eq!((difference.mean, difference.seeds), (2.0, 11));
}

#[test]
fn a_failed_or_missing_audit_counts_only_against_its_own_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    for (gain, run, expected) in [
        (2.0, "mart-i2fr-resnet8-s7", Verdict::Undecided),
        (2.0, "mart-none-resnet8-s7", Verdict::Supported),
        (-2.0, "mart-i2fr-resnet8-s7", Verdict::Contradicted),
        (-2.0, "mart-none-resnet8-s7", Verdict::Undecided),
    ] {
        store(out, &table1(11, gain), &[run]);
        let found = the_finding(out, "f");
        assert_eq!(found.verdict, expected, "{gain} points, {run}");
        let said = (expected == Verdict::Undecided).then(|| format!("{run} fails its audit (black box)"));
        assert_eq!(found.remarks, said.into_iter().collect::<Vec<_>>());
    }
    store(out, &table1(11, 2.0), &[]);
    std::fs::remove_file(out.join("table1/audit.csv")).unwrap();
    let found = the_finding(out, "f");
    assert_eq!(found.verdict, Verdict::Undecided);
    assert_eq!(found.remarks, ["55 of the runs behind it were not audited, such as alp-i2fr-resnet8-s0"]);
}

#[test]
fn audits_of_fewer_images_than_were_measured_are_remarked() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    store(out, &table1(11, 2.0), &[]);
    let path = out.join("table1/audit.csv");
    let silent = text(&path);
    for (images, remarks) in [("64", &["audits looked at the first 64 images"][..]), ("1000", &[])] {
        let told =
            silent.replace("run,check", "run,images,check").replace(",black box", &format!(",{images},black box"));
        std::fs::write(&path, told).unwrap();
        let found = the_finding(out, "f");
        assert_eq!(
            (found.verdict, &found.remarks[..]),
            (Verdict::Supported, &remarks.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>()[..])
        );
    }
}

#[test]
fn settings_are_never_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    // Without I2FR on one network, with it on another: there is nothing to pair.
    let mut lines = table1(11, 20.0);
    lines.iter_mut().filter(|line| line.regularizer == "i2fr").for_each(|line| line.arch = "resnet18");
    store(out, &lines, &[]);
    let found = findings(out, "f");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|finding| finding.verdict == Verdict::NotMeasured), "{found:?}");
    assert!(found[0].remarks[0].contains("of pgd-at, trades, mart"), "{:?}", found[0].remarks);

    // Each network has its own verdict.
    let mut other = table1(11, -2.0);
    other.iter_mut().for_each(|line| line.arch = "resnet18");
    store(out, &[table1(11, 2.0), other].concat(), &[]);
    let verdicts: Vec<Verdict> = findings(out, "f").into_iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts, [Verdict::Contradicted, Verdict::Supported]);
}

#[test]
fn weights_that_were_not_selected_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = table1(11, -9.0);
    last.iter_mut().for_each(|line| line.checkpoint = "last");
    store(folder.path(), &[table1(11, 2.0), last].concat(), &[]);
    assert_eq!(the_finding(folder.path(), "f").verdict, Verdict::Supported);
}

#[test]
fn seeds_without_an_equal_partner_are_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = table1(11, 2.0);
    let of = |line: &Line| (line.framework, line.regularizer, line.seed);
    lines.retain(|line| of(line) != ("pgd-at", "none", 10));
    lines.iter_mut().filter(|line| of(line) == ("pgd-at", "i2fr", 3)).for_each(|line| line.examples = 500);
    store(folder.path(), &lines, &[]);
    let found = the_finding(folder.path(), "f");
    assert_eq!(found.tested[0].paired.unwrap().difference.seeds, 9);
    assert_eq!(found.tested[1].paired.unwrap().difference.seeds, 11);
    let said = [
        "the opposite may hold for pgd-at: fewer than 11 seeds",
        "seed 3 of pgd-at is not paired: 1000 and 500 images",
        "seed 10 of pgd-at has no partner",
    ];
    assert_eq!((found.verdict, &found.remarks[..]), (Verdict::Undecided, &said.map(str::to_owned)[..]));
}

#[test]
fn broken_evidence_is_an_error_of_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let mut impossible = table1(2, 1.0);
    impossible[3].value = f64::NAN;
    let twice = [table1(2, 1.0), vec![table1(1, 1.0)[0]]].concat();
    for (lines, said) in [
        (impossible, "autoattack, pgd-at + i2fr, seed 1, is NaN; delete the run pgd-at-i2fr-resnet8-s1 and repeat it"),
        (twice, "autoattack, pgd-at, seed 0, is listed twice (runs pgd-at-none-resnet8-s0 and pgd-at-none-resnet8-s0)"),
    ] {
        store(out, &lines, &[]);
        let output = command("report").arg("--out").arg(out).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 1), "{errors}");
        assert!(errors.contains("table1/cells.csv: ") && errors.contains(said), "{errors}");
        assert!(!out.join("report.html").exists() && !out.join("claims.csv").exists());
    }
}

/// Measures of `framework` under both subjects of Table 4, where I2FR adds `gain`.
fn measures(framework: &str, measure: &str, seeds: u64, gain: f64) -> Vec<Measure> {
    let subjects = [("plain", 0.0), ("i2fr", gain)];
    let of = |seed: u64, (subject, gain): (&str, f64)| Measure {
        source: "table4".into(),
        framework: framework.into(),
        regularizer: "none".into(),
        dataset: "cifar10".into(),
        arch: "resnet8".into(),
        norm: "linf".into(),
        epsilon: "8/255".into(),
        subject: subject.into(),
        measure: measure.into(),
        checkpoint: "best".into(),
        seed,
        examples: 200,
        value: 20.0 + seed as f64 + gain,
        run: format!("{framework}-s{seed}"),
        profile: "cpu".into(),
        seconds: 1.0,
    };
    (0..seeds).flat_map(|seed| subjects.map(|subject| of(seed, subject))).collect()
}

#[test]
fn measures_are_paired_within_a_run_and_averaged_over_frameworks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table4/measures.csv");
    // One framework loses, and the seed's mean is +1.
    let gains = [3.0, 1.0, 1.0, 1.0, -1.0];
    let all = |count: usize| -> Vec<Measure> {
        let named = FRAMEWORKS.iter().zip(gains).take(count);
        named.flat_map(|(framework, gain)| measures(framework, "error-raised-percent", 9, gain)).collect()
    };
    write_measures(&path, &all(5)).unwrap();
    let found = the_finding(folder.path(), "d-strength");
    assert_eq!(found.verdict, Verdict::Supported);
    // The mean is what was tested; its parts are told.
    let effects: Vec<(String, bool)> = found.tested.iter().map(|t| (t.effect("points"), t.p.is_some())).collect();
    let effect = |gain: &str, tested| (format!("{gain} [{gain}, {gain}] points"), tested);
    let parts = ["+3.00", "+1.00", "+1.00", "+1.00", "−1.00"].map(|gain| effect(gain, false));
    assert_eq!(effects, [&[effect("+1.00", true)], &parts[..]].concat());
    // Nine seeds: 2 of 512 signs, times seven claims.
    assert_eq!((found.p, found.adjusted_p), (1.0 / 256.0, 7.0 / 256.0));

    write_measures(&path, &all(4)).unwrap();
    let found = the_finding(folder.path(), "d-strength");
    assert_eq!(found.verdict, Verdict::NotMeasured);
    assert_eq!(found.tested[1].effect("points"), "+3.00 [+3.00, +3.00] points");
    let said = "error-raised-percent is not measured of fast-at (plain), fast-at (i2fr)";
    assert_eq!(found.remarks, [said]);
}

#[test]
fn the_claims_are_those_of_the_papers_list() {
    let claims = Claims::read(None).unwrap();
    let ids: Vec<&str> = claims.claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(ids, ["d-strength", "d-diversity", "e-clean", "e-adversarial", "f", "g-clean", "g-robust"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = text(&root.join("paper/claims.md"));
    for claim in &claims.claims {
        assert!(list.contains(&format!("`{}`", claim.id)), "paper/claims.md does not name {}", claim.id);
        let robust = claim.measure == "autoattack";
        assert_eq!(claim.audited, robust, "{}", claim.id);
        let words = claim.rule_in_words(&claims);
        assert!(words.contains(&format!("the first {} seeds", claim.seeds)), "{words}");
    }
    assert_eq!(claims.claims[4].rule, Rule::Several);
}

#[test]
fn a_claim_that_makes_no_sense_is_refused_by_name_and_line() {
    // The head of the third claim, whatever its line is.
    let line = 1 + BUILT_IN.lines().position(|line| line == "id = \"e-clean\"").unwrap();
    let third = |from: &str, to: &str| {
        let (before, after) = BUILT_IN.split_once("id = \"e-clean\"").unwrap();
        format!("{before}id = \"e-clean\"{}", after.replacen(from, to, 1))
    };
    for (text, said) in [
        (third("unit =", "units ="), "unknown field `units`"),
        (third("rule = \"mean\"", "rule = \"most\""), "unknown variant `most`"),
        (third("statement =", "# statement ="), "missing field `statement`"),
        (
            third("supports = \"more\"\n", "supports = \"more\"\nat_least = 2\n"),
            "at_least belongs to the rule `several`",
        ),
        (third("seeds = 9", "seeds = 8"), "seeds = 8, but with fewer than 9 no p can be small enough"),
        (third("matters = 0.01", "matters = -1.0"), "matters = -1 is no size"),
        (third("matters = 0.01", "matters = nan"), "matters = NaN is no size"),
        (third("[\"pgd-at\"]", "[]"), "frameworks is empty"),
        (third("[\"pgd-at\"]", "[\"pgd-at\", \"pgd-at\"]"), "a framework is listed twice"),
        (third("figure1/measures.csv", "../measures.csv"), "is neither NAME/cells.csv nor NAME/measures.csv"),
        (third("figure1/measures.csv", "figure1/cells.csv"), "have none in cells.csv"),
        (third("regularizer = \"i2fr\", subject", "regularizer = \"none\", subject"), "before and after are the same"),
        (BUILT_IN.replace("\"e-adversarial\"", "\"e-clean\""), "is listed twice"),
    ] {
        let error = format!("{:#}", Claims::parse(&text, "mine.toml").unwrap_err());
        assert!(error.contains(said) && error.contains("claim `e-clean`"), "{said}: {error}");
        let told = error.split("line ").nth(1).and_then(|rest| rest.split(',').next()?.parse::<usize>().ok());
        let told = told.unwrap_or_else(|| panic!("{error}"));
        assert!(told + 1 >= line && told < line + 35, "{error}, expected about line {line}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    for (text, said) in [
        ("level = 0.05\nclaim = []\n".to_owned(), "there is no [[claim]]"),
        (BUILT_IN.replace("level = 0.05", "level = 1.5"), "level = 1.5 is not between 0 and 1"),
        (BUILT_IN.replace("level = 0.05", "levels = 0.05"), "unknown field `levels`"),
    ] {
        let error = format!("{:#}", Claims::parse(&text, "mine.toml").unwrap_err());
        assert!(error.starts_with("mine.toml") && error.contains(said), "{said}: {error}");
    }
}
