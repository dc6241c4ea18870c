//! The page of all runs, `index.html` in the results folder.

use super::{NAME, html};
use crate::{
    audit::{Audit, Verdict},
    findings,
    run::{Checkpoint, Run},
    verdicts::{CLEAN, Outcome},
};
use anyhow::Result;
use html::escape;

/// A run in the list.
pub struct Listed {
    /// Which.
    pub run: Run,
    /// What is known of its selected weights.
    outcomes: Vec<Outcome>,
    /// Of their audit, if there was one.
    audit: Option<Verdict>,
}

impl Listed {
    /// Reads what is measured of `run`.
    ///
    /// # Errors
    /// When a file is broken.
    pub fn of(run: Run) -> Result<Self> {
        let outcomes = findings::outcomes(&run, Checkpoint::Best, &run.verdicts()?).collect();
        let audit = Audit::read(&run.audit(Checkpoint::Best))?.map(|audit| audit.verdict());
        Ok(Self { run, outcomes, audit })
    }
}

/// The page that lists `runs`, in this order, and links to the page of each.
///
/// # Errors
/// When a configuration is none.
pub fn index(runs: &[Listed]) -> Result<String> {
    let rows = runs.iter().map(row).collect::<Result<String>>()?;
    let table = format!(
        "<table>\n<caption>Selected weights; each run is one training</caption>\n<thead><tr>\
         <th scope=\"col\">run</th><th scope=\"col\">on</th><th scope=\"col\" class=\"number\">seed</th>\
         <th scope=\"col\" class=\"number\">clean</th><th scope=\"col\">least, under</th>\
         <th scope=\"col\" class=\"wide\">audit</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    );
    Ok(html::page("Runs", "Runs", "", &table, &format!("{} run{}", runs.len(), if runs.len() == 1 { "" } else { "s" })))
}

fn row(Listed { run, outcomes, audit }: &Listed) -> Result<String> {
    let config = run.config();
    let name = escape(&config.game()?.name);
    // A run from before there were pages has none.
    let name = if run.folder().join(NAME).is_file() {
        format!("<a href=\"runs/{}/{NAME}\">{name}</a>", escape(&config.id()))
    } else {
        name
    };
    let clean = outcomes.iter().find(|outcome| outcome.attack == CLEAN).map(|o| format!("{:.1} %", o.percent()));
    let least = outcomes.iter().min_by(|a, b| a.percent().total_cmp(&b.percent()));
    let least = least.map(|o| format!("{:.1} %, {}, {} images", o.percent(), escape(&o.attack), o.correct.len()));
    let audit = match audit {
        None | Some(Verdict::Skipped) => "",
        Some(Verdict::Fail) => "✗ fail",
        Some(Verdict::Warn) => "! warn",
        Some(Verdict::Pass) => "✓ pass",
    };
    let [clean, least] = [clean, least].map(|text| text.unwrap_or_else(|| "—".into()));
    Ok(format!(
        "<tr><th scope=\"row\">{name}</th><td>{}, {}</td><td class=\"number\">{}</td>\
         <td class=\"number\">{clean}</td><td>{least}</td><td class=\"wide verdict\">{audit}</td></tr>\n",
        escape(&config.dataset),
        escape(&config.arch),
        config.seed,
    ))
}
