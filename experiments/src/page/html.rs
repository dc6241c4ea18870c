//! Text as HTML.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

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

/// The SHA-256 by which a page's policy allows a style.
pub(super) fn sha256(style: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(style))
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
    let (data, caption) = (BASE64_STANDARD.encode(png), escape(caption));
    format!(
        "<figure class=\"picture\">\n<figcaption>{caption}</figcaption>\n\
         <img width=\"{width}\" alt=\"{caption}\" src=\"data:image/png;base64,{data}\">\n</figure>\n"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_means_itself() {
        assert_eq!(super::escape("a<b> & \"c\" 'd' é"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39; é");
    }
}
