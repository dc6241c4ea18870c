//! Where the numbers come from: commits, data, machines, hours.

use super::gathered::Gathered;
use crate::{
    page::html::{escape, facts, scroll},
    provenance::Program,
    run::Record,
};
use std::collections::BTreeSet;

pub(super) fn html(gathered: &Gathered) -> String {
    if gathered.runs.is_empty() {
        return String::new();
    }
    let records: Vec<&Record> = gathered.runs.values().filter_map(|(_, record)| record.as_ref()).collect();
    let distinct = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>().join("; ");
    let all = |text: &dyn Fn(&Record) -> String| distinct(records.iter().map(|record| text(record)).collect());
    let commits = records.iter().flat_map(|record| record.provenance.programs()).map(|program| program.commit);
    let missing: Vec<&str> =
        gathered.runs.iter().filter(|(_, (_, record))| record.is_none()).map(|(run, _)| run.as_str()).collect();
    let hours = records.iter().map(|record| record.provenance.train_seconds).sum::<f64>() / 3600.;
    let dirty = records.iter().filter(|record| record.provenance.programs().iter().any(|p| p.dirty)).count();
    let mut rows = vec![
        ("runs", format!("{} behind the numbers of this page", gathered.runs.len())),
        ("training", format!("{hours:.2} hours in all")),
        ("attacks", format!("{:.2} hours in all", gathered.seconds / 3600.)),
        ("commits", distinct(commits.collect())),
        ("uncommitted changes", format!("in the programs of {dirty} runs")),
        ("Cargo.lock, SHA-256", all(&|record| record.provenance.cargo_lock_sha256.clone())),
        ("training images, SHA-256", all(&|r| format!("{}: {}", r.config.dataset, r.provenance.train_sha256))),
        ("test images, SHA-256", all(&|r| format!("{}: {}", r.config.dataset, r.provenance.test_sha256))),
        ("devices", all(&|r| format!("{} ({}), {}", r.config.device, r.provenance.chip(), r.config.precision))),
    ];
    if !missing.is_empty() {
        rows.push(("without a record", missing.join(", ")));
    }
    let runs: String = gathered.runs.values().filter_map(|(profile, r)| Some(row(profile, r.as_ref()?))).collect();
    let heads =
        ["run", "profile", "commit", "changes", "device"].map(|head| format!("<th scope=\"col\">{head}</th>")).concat();
    let numbers =
        ["epochs", "threads", "hours"].map(|head| format!("<th scope=\"col\" class=\"number\">{head}</th>")).concat();
    let table = format!(
        "<table>\n<caption>Runs; hours are of training</caption>\n<thead><tr>{heads}{numbers}</tr></thead>\n\
         <tbody>\n{runs}</tbody>\n</table>\n"
    );
    facts(rows) + &scroll("Runs", &table)
}

fn row(profile: &str, record: &Record) -> String {
    let Record { id, config, provenance, .. } = record;
    let programs = provenance.programs();
    let short = |program: &Program| program.commit.chars().take(10).collect::<String>();
    let commits = programs.iter().map(short).collect::<Vec<_>>().join(", ");
    format!(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td><code>{}</code></td><td>{}</td><td>{} ({}), {}</td>\
         <td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{:.2}</td></tr>\n",
        escape(id),
        escape(profile),
        escape(&commits),
        if programs.iter().any(|program| program.dirty) { "uncommitted" } else { "none" },
        escape(&config.device),
        escape(provenance.chip()),
        escape(&config.precision),
        config.epochs,
        provenance.threads,
        provenance.train_seconds / 3600.,
    )
}
