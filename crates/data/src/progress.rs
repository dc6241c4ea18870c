//! Progress bars on stderr, shown on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` images; invisible unless stderr is a terminal.
pub(crate) fn bar(total: u64, message: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {per_sec} ETA {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_message(message)
}
