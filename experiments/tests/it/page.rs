//! The page of a run.

use crate::program::{Noise, TINY, bytes, run, text, trained};
use base64::{Engine, prelude::BASE64_STANDARD};
use experiments::{
    audit::{Audit, Check, Verdict},
    findings::Findings,
    page,
    run::{Checkpoint, Record, Run},
};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "img", "path", "circle"];

/// The names of a page's elements, in order; panics if one is not ended where it should be.
#[track_caller]
pub fn elements(page: &str) -> Vec<String> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for part in page.strip_prefix("<!DOCTYPE html>").unwrap().split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("<{part}"));
        assert!(tag == "style" || !text.contains('>'), "{text}");
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        match tag.strip_prefix('/') {
            Some(ended) => assert_eq!(open.pop().as_deref(), Some(ended), "{open:?}"),
            None => {
                assert!(tag.matches('"').count() % 2 == 0, "{tag}");
                assert!(!name.is_empty(), "{tag}");
                if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
                    open.push(name.clone());
                }
                found.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

/// Panics if the page needs anything but itself.
#[track_caller]
fn assert_stands_alone(page: &str) {
    for word in ["http://", "https://", "href="] {
        assert!(!page.contains(word), "{word}");
    }
    assert_loads_nothing(page);
}

/// Panics if a browser that opens the page would fetch anything.
#[track_caller]
pub fn assert_loads_nothing(page: &str) {
    let elements = elements(page);
    for foreign in ["script", "link", "iframe", "object", "base", "form"] {
        assert!(!elements.iter().any(|name| name == foreign), "{foreign}");
    }
    for word in ["url(", "@import", "javascript:", "srcset="] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.split("src=\"").skip(1).all(|source| source.starts_with("data:image/")));
    // A browser would load nothing else either, and no style but this one.
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = BASE64_STANDARD.encode(Sha256::digest(style));
    assert!(page.contains(&format!("content=\"default-src 'none'; img-src data:; style-src 'sha256-{hash}'\"")));
    assert!(!page.contains("style=\""));
}

fn findings(out: &Path, folder: &Path) -> Findings {
    let record: Record = serde_json::from_slice(&bytes(&folder.join("run.json"))).unwrap();
    Findings::of(&Run::new(record.config, out)).unwrap()
}

#[test]
fn a_run_has_a_page_that_tells_what_its_files_tell() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &["--framework", "trades", "--i2fr"]);
    let page = text(&folder.join("index.html"));
    assert_stands_alone(&page);
    let findings = findings(out.path(), &folder);
    assert_eq!(page::render(&findings).unwrap(), page);

    assert!(page.contains("<h1>TRADES + I2FR</h1>") && page.contains("tiny on cifar10, linf 8/255, seed 0"));
    let record = &findings.record;
    for told in [&record.id, &record.provenance.commit, &record.provenance.train_sha256, &record.provenance.isa] {
        assert!(page.contains(told.as_str()), "{told}");
    }
    for row in ["<th scope=\"row\">regularizer.inter</th><td>1.0</td>", "<th scope=\"row\">held_out</th><td>400</td>"] {
        assert!(page.contains(row), "{row}");
    }
    let [clean, attacked] = &findings.scores[..] else { panic!("{:?}", findings.scores) };
    for (name, score) in [("clean", clean), ("pgd-20", attacked)] {
        let row = format!("<th scope=\"row\">{name}</th><td class=\"number\">{:.1} %</td>", score.outcome.percent());
        assert!(page.contains(&row), "{row}");
    }
    for name in ["examples.png", "features.png"] {
        assert!(page.contains(&BASE64_STANDARD.encode(bytes(&folder.join(name)))), "{name}");
    }
    assert!(page.contains("selected: 1") && !page.contains("Audit"));
    let charts: Vec<&str> = page.split("<svg role=\"img\" aria-label=").skip(1).collect();
    assert!(charts.len() == 2 && charts.iter().all(|chart| !chart.split("</svg>").next().unwrap().contains("NaN")));
}

#[test]
fn what_is_told_means_itself() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &["--framework", "standard"]);
    let mut findings = findings(out.path(), &folder);
    let hostile = "</td><script>alert('1')</script>\" onload=\"x & <!--";
    findings.record.game = hostile.into();
    findings.record.id = hostile.into();
    findings.record.config.dataset = hostile.into();
    findings.record.provenance.commit = hostile.into();
    findings.scores[0].outcome.attack = hostile.into();
    findings.audits = vec![(
        Checkpoint::Best,
        Audit {
            subject: hostile.into(),
            settings: hostile.into(),
            checks: [Verdict::Pass, Verdict::Fail, Verdict::Warn, Verdict::Skipped]
                .map(|verdict| Check { name: "gradient", verdict, detail: hostile.into() })
                .into(),
        },
    )];
    let page = page::render(&findings).unwrap();
    assert_stands_alone(&page);
    let escaped = "&lt;/td&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onload=&quot;x &amp; &lt;!--";
    // Game, identity, data set (heading, title, configuration), commit, attack, settings and four details.
    assert_eq!(page.matches(escaped).count(), 12, "{page}");
    assert!(!page.contains("alert('") && page.contains("1 failed, 1 to look at, 1 passed, 1 not checked."));
    for verdict in ["✓ pass", "! warn", "✗ fail", "– not checked"] {
        assert_eq!(page.matches(verdict).count(), 1, "{verdict}");
    }
}

#[test]
fn runs_are_listed_with_links_to_their_pages() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &["--framework", "standard"]);
    let second = [&TINY[..], &noise.arguments(), &["--framework", "fast-at"]].concat();
    run("train", &second, out.path());
    let page = text(&out.path().join("index.html"));
    elements(&page);
    let links: Vec<&str> = page.split("<a href=\"").skip(1).map(|part| part.split('"').next().unwrap()).collect();
    assert_eq!(links.len(), 2, "{page}");
    assert!(links.is_sorted() && links.iter().all(|link| out.path().join(link).is_file()), "{links:?}");
    let clean = findings(out.path(), &folder).scores[0].outcome.percent();
    assert!(page.contains(&format!(
        ">Standard</a></th><td>cifar10, tiny</td><td class=\"number\">0</td><td class=\"number\">{clean:.1} %</td>"
    )));

    // A page that is gone is not linked to.
    std::fs::remove_file(folder.join("index.html")).unwrap();
    run("table1", &[&TINY[..], &noise.arguments(), &["--only", "standard", "--render-only"]].concat(), out.path());
    let page = text(&out.path().join("index.html"));
    assert!(page.matches("<a href=").count() == 1 && page.contains("<th scope=\"row\">Standard</th>"), "{page}");
}

/// A run as old results have it: no timings, no pictures, nothing measured.
#[test]
fn what_is_not_known_is_left_out() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &["--framework", "standard"]);
    for name in ["timings.csv", "examples.png", "features.png", "evaluations.csv", "epochs.csv"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    let page = page::render(&findings(out.path(), &folder)).unwrap();
    assert_stands_alone(&page);
    let headings: Vec<&str> = page.split("<h2>").skip(1).map(|part| part.split('<').next().unwrap()).collect();
    assert_eq!(headings, ["Configuration", "Provenance"]);
}
