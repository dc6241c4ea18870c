//! The report: `report.html`, everything that a results folder says, verdicts first, in one file.
//!
//! It reads what is stored and trains nothing. `report.tex` is the same for LaTeX, without pictures of runs.

mod audits;
mod gathered;
mod published;
mod shown;
mod sources;
mod tex;
mod verdicts;

pub use published::{PUBLISHED, Published, published};

use super::html;
use crate::claims::{Claims, Judged};
use anyhow::Result;
use gathered::Gathered;
use shown::Shown;
use std::path::Path;

/// What `paper/deviations.md` said when the program was built.
const DEVIATIONS: &str = include_str!("../../../../paper/deviations.md");

/// Everything that is reported.
pub struct Report {
    /// The verdicts.
    pub judged: Judged,
    gathered: Gathered,
    shown: Vec<Shown>,
    published: Vec<Published>,
}

impl Report {
    /// Reads the results folder `out`, and judges `claims` by it.
    ///
    /// # Errors
    /// When there is no such folder, or a file in it is broken.
    pub fn of(claims: Claims, out: &Path) -> Result<Self> {
        anyhow::ensure!(out.is_dir(), "{}: no such folder; choose the folder of results with --out", out.display());
        Ok(Self {
            judged: Judged::of(claims, out)?,
            gathered: Gathered::read(out)?,
            shown: Shown::find(out)?,
            published: published()?,
        })
    }

    /// `report.html`; the same results give the same bytes.
    pub fn html(&self) -> String {
        let shown: Vec<(String, String, String)> =
            self.shown.iter().map(|shown| (shown.name.clone(), shown.title(), shown.html())).collect();
        let own = |id: &str, title: &str, content: String| (id.to_owned(), title.to_owned(), content);
        let mut parts = vec![own("verdicts", "Verdicts", verdicts::html(&self.judged))];
        parts.extend(shown);
        parts.extend([
            own("published", "Published numbers", published::html(&self.published, &self.gathered)),
            own("audits", "Audits", audits::html(&self.gathered)),
            own("provenance", "Provenance", sources::html(&self.gathered)),
            own("deviations", "Our reading, and where we deviate", shown::markdown(DEVIATIONS)),
        ]);
        parts.retain(|(_, _, content)| !content.is_empty());
        let entries: String = parts
            .iter()
            .map(|(id, title, _)| format!("<li><a href=\"#{id}\">{}</a></li>\n", html::escape(title)))
            .collect();
        let header = format!(
            "<p>Class-level feature regularisation of adversarial training (ICIP 2021): what its abstract claims, and what \
             was measured here. The paper is available to us by its abstract only, so I2FR is our reading of it.</p>\n\
             <nav class=\"contents\" aria-label=\"Contents\">\n<ol>\n{entries}</ol>\n</nav>\n"
        );
        let sections = parts.iter().map(|(id, title, content)| {
            format!("<section id=\"{id}\">\n<h2>{}</h2>\n{content}</section>\n", html::escape(title))
        });
        let footer = format!("report of commit {}", env!("I2FR_COMMIT"));
        html::page("I2FR, measured", "I2FR, measured", &header, &sections.collect::<String>(), &footer)
    }

    /// `report.tex`; it reads the tables' own files beside it.
    pub fn latex(&self) -> String {
        tex::render(&self.judged, &self.shown)
    }
}
