//! Tables and figures as their own programs rendered them: Markdown and a picture.

use crate::{
    page::html,
    report::{caption, plot::GAINS},
    run::HELD_OUT,
};
use anyhow::{Context, Result};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A vector picture of more bytes than this gives way to its pixels.
const HEAVY: usize = 400_000;

/// A table or figure.
pub(super) struct Shown {
    /// `table1`.
    pub(super) name: String,
    /// Its caption, the table itself, what its numbers mean.
    markdown: String,
    /// By stem: `svg+xml` or `png`, and the bytes.
    pictures: Vec<(String, &'static str, Vec<u8>)>,
    /// Whether there is a `table1.tex`.
    pub(super) latex: bool,
}

impl Shown {
    /// Every `table*` and `figure*` that lies in `out`, and whatever else has its measurements in a folder of its name; figures
    /// last.
    pub(super) fn find(out: &Path) -> Result<Vec<Self>> {
        let entries = fs::read_dir(out).with_context(|| format!("cannot read {}", out.display()))?;
        let mut stems: BTreeMap<(bool, String), BTreeMap<String, Vec<PathBuf>>> = BTreeMap::new();
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let name: String = stem.chars().take_while(char::is_ascii_alphanumeric).collect();
            let number = name.strip_prefix("table").or(name.strip_prefix("figure")).unwrap_or_default();
            let numbered = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
            let whole = stem.strip_suffix(GAINS).unwrap_or(&stem);
            if (numbered || out.join(whole).join("cells.csv").is_file()) && kind.len() <= 3 {
                let name = if whole.ends_with(HELD_OUT) || !numbered { whole.to_owned() } else { name };
                stems.entry((name.starts_with("figure"), name)).or_default().entry(stem).or_default().push(path);
            }
        }
        let mut found = Vec::new();
        for ((_, name), stems) in stems {
            let of = |kind: &str| stems.get(&name)?.iter().find(|path| path.extension().is_some_and(|e| e == kind));
            let markdown = match of("md") {
                Some(path) => fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
                None => String::new(),
            };
            let latex = of("tex").is_some();
            let pictures = stems.iter().map(|(stem, paths)| picture(stem, paths));
            let pictures: Vec<_> = pictures.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            if !markdown.is_empty() || !pictures.is_empty() {
                found.push(Self { name, markdown, pictures, latex });
            }
        }
        Ok(found)
    }

    /// `Table 1`.
    pub(super) fn title(&self) -> String {
        caption::title(&self.name)
    }

    pub(super) fn html(&self) -> String {
        let caption = first_paragraph(&self.markdown);
        let pictures = self.pictures.iter().map(|(stem, kind, bytes)| {
            let alt = if caption.is_empty() { stem.clone() } else { format!("{stem}: {caption}") };
            html::figure("", kind, bytes, &alt, stem)
        });
        markdown(&self.markdown) + &pictures.collect::<String>()
    }
}

/// The picture among the files of one stem.
fn picture(stem: &str, paths: &[PathBuf]) -> Result<Option<(String, &'static str, Vec<u8>)>> {
    let read = |kind: &str| -> Result<Option<Vec<u8>>> {
        let path = paths.iter().find(|path| path.extension().is_some_and(|e| e == kind));
        path.map(|path| fs::read(path).with_context(|| format!("cannot read {}", path.display()))).transpose()
    };
    let (vector, pixels) = (read("svg")?, read("png")?);
    Ok(match (vector, pixels) {
        (Some(vector), pixels) if vector.len() <= HEAVY || pixels.is_none() => {
            Some((stem.to_owned(), "svg+xml", vector))
        }
        (_, Some(pixels)) => Some((stem.to_owned(), "png", pixels)),
        (_, None) => None,
    })
}

/// The text of the first paragraph.
fn first_paragraph(text: &str) -> String {
    let inside = Parser::new(text).skip_while(|event| *event != Event::Start(Tag::Paragraph));
    let inside = inside.take_while(|event| *event != Event::End(TagEnd::Paragraph));
    inside
        .filter_map(|event| match event {
            Event::Text(text) | Event::Code(text) => Some(text.to_string()),
            Event::SoftBreak => Some(" ".into()),
            _ => None,
        })
        .collect()
}

/// Markdown as HTML in which HTML means itself and no picture is fetched; headings stand below those of a section.
pub(super) fn markdown(text: &str) -> String {
    let below = |level: HeadingLevel| if level == HeadingLevel::H1 { HeadingLevel::H3 } else { HeadingLevel::H4 };
    let mut depth = 0;
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Image { .. }) => {
            depth += 1;
            None
        }
        Event::End(TagEnd::Image) => {
            depth -= 1;
            None
        }
        _ if depth > 0 => None,
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Heading { level, .. }) => {
            Some(Event::Start(Tag::Heading { level: below(level), id: None, classes: Vec::new(), attrs: Vec::new() }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(below(level)))),
        // What is linked to lies elsewhere; its name is enough.
        Event::Start(Tag::Link { .. }) | Event::End(TagEnd::Link) => None,
        other => Some(other),
    });
    let mut rendered = String::new();
    pulldown_cmark::html::push_html(&mut rendered, events);
    // Of a paragraph that was a picture nothing is left.
    rendered = rendered.replace("<p></p>\n", "");
    // Attributes of style are against the page's policy. Text has no such quotation marks of its own.
    for (style, class) in
        [("text-align: right", " class=\"number\""), ("text-align: left", ""), ("text-align: center", "")]
    {
        rendered = rendered.replace(&format!(" style=\"{style}\""), class);
    }
    let open = "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Table\">\n<table>";
    rendered.replace("<table>", open).replace("</table>", "</table>\n</div>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_rendered_within_the_pages_policy() {
        let rendered = markdown(
            "# A\n\n**Table 1.** x < y & <b onload=\"z\">raw</b> [link](https://example.org) ![alt](a.png)\n\n\
             | | n |\n|---|---:|\n| a | 1 |\n\n<script>\nalert(1)\n</script>\n",
        );
        assert!(
            rendered.starts_with("<h3>A</h3>\n<p><strong>Table 1.</strong> x &lt; y &amp; &lt;b onload="),
            "{rendered}"
        );
        assert!(
            rendered.contains("<td class=\"number\">1</td>") && rendered.contains("</table>\n</div>"),
            "{rendered}"
        );
        for foreign in ["style=", "<script", "<b ", "<img", "href", "alt"] {
            let found = rendered.replace("alert(1)", "").contains(foreign);
            assert!(!found, "{foreign}: {rendered}");
        }
        assert_eq!(first_paragraph("# T\n\n**Table 1.** A\n`b` c.\n\nRest"), "Table 1. A b c.");
    }
}
