//! Progress bars on stderr, shown on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` images or bytes; invisible unless stderr is a terminal.
pub(crate) fn bar(total: u64, message: String, bytes: bool) -> ProgressBar {
    let template = if bytes {
        "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}"
    } else {
        "{msg} [{bar:30}] {pos}/{len} {per_sec} ETA {eta}"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_message(message)
}
