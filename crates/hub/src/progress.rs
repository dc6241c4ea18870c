//! A bar over the bytes of a download, on stderr and only if that is a terminal.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// A bar for `total` bytes of the repository that `message` names; it goes when it is dropped.
pub(crate) fn bar(total: u64, message: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_message(message);
    bar.with_finish(ProgressFinish::AndClear)
}
