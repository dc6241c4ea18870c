//! How far long work is: a bar on a terminal, a line now and then elsewhere.

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// How often work that has no terminal reports.
const SILENCE: Duration = Duration::from_secs(20);

/// Progress of one piece of work, in examples.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    terminal: bool,
    began: Instant,
    spoke: Instant,
    first: Option<u64>,
}

impl Progress {
    /// Work called `what` on `total` examples.
    pub(crate) fn new(what: impl Into<String>, total: usize) -> Self {
        let what = what.into();
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target).with_prefix(what.clone());
        let style = ProgressStyle::with_template("{prefix} [{wide_bar}] {pos}/{len} {per_sec} ETA {eta} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self { bar, what, terminal, began: Instant::now(), spoke: Instant::now(), first: None }
    }

    /// `done` examples are done.
    pub(crate) fn at(&mut self, done: usize, message: impl FnOnce() -> String) {
        let done = done as u64;
        // A resumed run starts late: only what was done since then tells the rate.
        let first = *self.first.get_or_insert(done);
        self.bar.set_position(done);
        if self.terminal {
            self.bar.set_message(message());
        } else if self.spoke.elapsed() >= SILENCE {
            self.spoke = Instant::now();
            let rate = (done - first) as f64 / self.began.elapsed().as_secs_f64();
            let left = self.bar.length().unwrap_or(done).saturating_sub(done);
            let eta = HumanDuration(Duration::from_secs_f64(left as f64 / rate.max(1e-3)));
            let total = self.bar.length().unwrap_or(0);
            tracing::info!("{}: {done}/{total}, {rate:.0} images/s, ETA {eta} {}", self.what, message());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
