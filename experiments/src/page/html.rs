//! Text as HTML.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");

/// `text` so that it means itself, in an element or an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// A whole page; everything it is given is HTML already. Its policy lets it load nothing.
pub(super) fn page(heading: &str, title: &str, header: &str, main: &str, footer: &str) -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; img-src data:; style-src 'sha256-{style}'\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>{heading}</h1>\n{header}</header>\n<main>\n{main}</main>\n\
         <footer>\n<p class=\"muted\"><code>{footer}</code></p>\n</footer>\n</body>\n</html>\n"
    )
}

/// A section under a heading; nothing where there is no `content`.
pub(super) fn section(title: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("<section>\n<h2>{title}</h2>\n{content}</section>\n") }
}

/// A table of names and values.
pub(super) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let row = |(name, value): (&str, String)| {
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(name), escape(&value))
    };
    format!("<table class=\"facts\">\n{}</table>\n", facts.into_iter().map(row).collect::<String>())
}

/// A picture in the page itself, `width` CSS pixels wide where there is room.
pub(super) fn picture(png: &[u8], width: u32, caption: &str) -> String {
    figure(&format!("width=\"{width}\" "), "png", png, caption, caption)
}

/// A picture of the type `image/KIND` in the page itself, as wide as it says or there is room for.
pub(super) fn figure(attributes: &str, kind: &str, bytes: &[u8], alt: &str, caption: &str) -> String {
    let (data, alt, caption) = (BASE64_STANDARD.encode(bytes), escape(alt), escape(caption));
    format!(
        "<figure class=\"picture\" tabindex=\"0\">\n<figcaption>{caption}</figcaption>\n\
         <img {attributes}alt=\"{alt}\" src=\"data:image/{kind};base64,{data}\">\n</figure>\n"
    )
}

/// A box of its own for a table that may be wider than the page; the keyboard can scroll it.
pub(super) fn scroll(label: &str, table: &str) -> String {
    let label = escape(label);
    format!("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{label}\">\n{table}</div>\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_means_itself() {
        assert_eq!(super::escape("a<b> & \"c\" 'd' é"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; é");
    }
}
