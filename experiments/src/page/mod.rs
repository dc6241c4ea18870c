//! The page of a run, `index.html` in its folder: everything that is known of it, in one file that needs no
//! other, no script and no network. So is the [report](report::Report) of all results.

mod chart;
mod html;
mod index;
pub mod report;

pub use index::{Listed, index};

use crate::{
    audit::{Audit, Check, Verdict},
    findings::{Findings, Score},
    pictures,
    provenance::Provenance,
    report::wilson,
    run::{self, Checkpoint},
};
use anyhow::Result;
use html::{escape, facts, picture, section};

/// Its name.
pub const NAME: &str = "index.html";

/// The page of a run; the same findings give the same bytes.
///
/// # Errors
/// When its configuration is none, or a chart cannot be drawn.
pub fn render(findings: &Findings) -> Result<String> {
    let config = &findings.record.config;
    let name = escape(&config.game()?.name);
    let about = format!(
        "{} on {}, {} {}, seed {}",
        escape(&config.arch),
        escape(&config.dataset),
        escape(&config.norm),
        escape(&config.epsilon),
        config.seed
    );
    let state = if findings.record.finished { "" } else { "<p><strong>Training is not finished.</strong></p>\n" };
    let sections = [
        section("Accuracy on test images", &accuracy(findings)),
        section("Training", &training(findings)?),
        section("The network at work", &at_work(findings)),
        section("Audit", &findings.audits.iter().map(|(checkpoint, a)| audit(*checkpoint, a)).collect::<String>()),
        section("Configuration", &configuration(findings)?),
        section("Provenance", &provenance(&findings.record.provenance)),
    ];
    let header = format!("<p class=\"muted\">{about}</p>\n<p>{}</p>\n{state}", escape(&findings.record.game));
    Ok(html::page(&name, &format!("{name}: {about}"), &header, &sections.concat(), &escape(&findings.record.id)))
}

/// How a reader calls the weights of `checkpoint`.
fn weights(checkpoint: Checkpoint) -> &'static str {
    match checkpoint {
        Checkpoint::Best => "selected weights",
        Checkpoint::Last => "last weights",
    }
}

fn accuracy(findings: &Findings) -> String {
    let table = |checkpoint| {
        let rows: String = findings.scores.iter().filter(|s| s.checkpoint == checkpoint).map(score).collect();
        if rows.is_empty() {
            return rows;
        }
        let (weights, epoch) = (weights(checkpoint), findings.epoch_of(checkpoint));
        format!(
            "<table>\n<caption>{weights}, of epoch {epoch}; intervals: Wilson, 95 %</caption>\n<thead><tr>\
             <th scope=\"col\">attack</th><th scope=\"col\" class=\"number\">accuracy</th>\
             <th scope=\"col\" class=\"number\">interval</th><td class=\"wide\"></td>\
             <th scope=\"col\" class=\"number\">images</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        )
    };
    Checkpoint::ALL.map(table).concat()
}

fn score(Score { outcome, .. }: &Score) -> String {
    let (percent, images) = (outcome.percent(), outcome.correct.len());
    let (low, high) = wilson(percent, images);
    let x = |percent: f64| 4. + 1.52 * percent;
    format!(
        "<tr><th scope=\"row\">{}</th><td class=\"number\">{percent:.1} %</td>\
         <td class=\"number\">{low:.1} – {high:.1}</td>\
         <td class=\"wide\"><svg class=\"strip\" viewBox=\"0 0 160 24\" aria-hidden=\"true\">\
         <path class=\"rail\" d=\"M4 12H156\"/><path class=\"range\" d=\"M{:.1} 12H{:.1}\"/>\
         <circle class=\"point\" cx=\"{:.1}\" cy=\"12\" r=\"4\"/></svg></td>\
         <td class=\"number\">{images}</td></tr>\n",
        escape(&outcome.attack),
        x(low),
        x(high),
        x(percent),
    )
}

fn training(findings: &Findings) -> Result<String> {
    let epochs = &findings.epochs;
    if epochs.is_empty() {
        return Ok(String::new());
    }
    let figure = |svg: String| format!("<figure>\n{svg}</figure>\n");
    let [accuracy, loss] = [chart::accuracy(epochs)?, chart::loss(epochs)?].map(figure);
    Ok(format!(
        "<p class=\"muted\">Held-out training images choose the epoch; test images choose nothing.</p>\n\
         <div class=\"abreast\">\n{accuracy}{loss}</div>\n"
    ))
}

fn at_work(findings: &Findings) -> String {
    let show = |shown: &pictures::Picture| {
        let attack = pictures::ATTACK;
        let caption = match shown.name {
            "examples" => format!("Test images, what {attack} makes of them, and the change, at full contrast."),
            _ => format!("Features of test images, clean and under {attack}; numbers are classes."),
        };
        // Pictures have two pixels a unit.
        picture(&shown.png, shown.size.0 / 2, &caption)
    };
    findings.pictures.iter().map(show).collect()
}

fn audit(checkpoint: Checkpoint, audit: &Audit) -> String {
    let row = |Check { name, verdict, detail }: &Check| {
        let (class, sign) = match verdict {
            Verdict::Skipped => ("skipped", "– not checked"),
            Verdict::Pass => ("pass", "✓ pass"),
            Verdict::Warn => ("warn", "! warn"),
            Verdict::Fail => ("fail", "✗ fail"),
        };
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"verdict {class}\">{sign}</td><td>{}</td></tr>\n",
            escape(name),
            escape(detail)
        )
    };
    let count = |verdict| audit.checks.iter().filter(|check| check.verdict == verdict).count();
    let [fail, warn, pass, skipped] = [Verdict::Fail, Verdict::Warn, Verdict::Pass, Verdict::Skipped].map(count);
    format!(
        "<p>{fail} failed, {warn} to look at, {pass} passed, {skipped} not checked.</p>\n\
         <table class=\"audit\">\n<caption>{}; {}</caption>\n<thead><tr><th scope=\"col\">check</th>\
         <th scope=\"col\">verdict</th><th scope=\"col\">what was found</th></tr></thead>\n\
         <tbody>\n{}</tbody>\n</table>\n",
        weights(checkpoint),
        escape(&audit.settings),
        audit.checks.iter().map(row).collect::<String>()
    )
}

fn configuration(findings: &Findings) -> Result<String> {
    let fields = run::flat(&serde_json::to_value(&findings.record.config)?);
    Ok(facts(fields.iter().map(|(path, text)| (path.as_str(), text.clone()))))
}

fn provenance(provenance: &Provenance) -> String {
    let Provenance { commit, dirty, cargo_lock_sha256, train_sha256, test_sha256, threads, .. } = provenance;
    let changes = if *dirty { ", with changes that were not committed" } else { "" };
    let memory = match provenance.peak_rss_bytes {
        0 => "unknown".to_owned(),
        bytes => format!("{:.0} MiB", bytes as f64 / 1024. / 1024.),
    };
    let earlier = provenance.earlier.iter().map(|program| ("before", program.to_string()));
    facts(earlier.chain([
        ("commit", format!("{commit}{changes}")),
        ("Cargo.lock, SHA-256", cargo_lock_sha256.clone()),
        ("training images, SHA-256", train_sha256.clone()),
        ("test images, SHA-256", test_sha256.clone()),
        ("GPU or instruction set", provenance.chip().to_owned()),
        ("threads", threads.to_string()),
        ("training", format!("{:.1} s", provenance.train_seconds)),
        ("images per second", format!("{:.1}", provenance.images_per_second)),
        ("peak memory", memory),
    ]))
}
