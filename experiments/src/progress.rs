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
    done: u64,
    passes: u64,
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
        Self { bar, what, terminal, began: Instant::now(), spoke: Instant::now(), first: None, done: 0, passes: 0 }
    }

    /// `done` examples are done.
    pub(crate) fn at(&mut self, done: usize, message: impl FnOnce() -> String) {
        let done = done as u64;
        // A resumed run starts late: only what was done since then tells the rate.
        self.first.get_or_insert(done);
        self.done = done;
        self.bar.set_position(done);
        if self.terminal {
            self.bar.set_message(message());
        } else if self.spoke.elapsed() >= SILENCE {
            self.speak(&message());
        }
    }

    /// The network has seen `images` more images, on the way to the next example that is done.
    pub(crate) fn passed(&mut self, images: usize) {
        self.passes += images as u64;
        let rate = |this: &Self| format!("({:.0} passes/s)", this.passes as f64 / this.began.elapsed().as_secs_f64());
        if self.terminal {
            self.bar.set_message(rate(self));
        } else if self.spoke.elapsed() >= SILENCE {
            self.speak(&rate(self));
        }
    }

    fn speak(&mut self, message: &str) {
        self.spoke = Instant::now();
        let (done, total) = (self.done, self.bar.length().unwrap_or(0));
        let fresh = done - self.first.unwrap_or(0);
        let rate = fresh as f64 / self.began.elapsed().as_secs_f64();
        // Until an example is done nothing is known of the rest.
        let eta = match fresh {
            0 => "unknown".to_owned(),
            _ => HumanDuration(Duration::from_secs_f64(total.saturating_sub(done) as f64 / rate)).to_string(),
        };
        let digits = if rate < 10. { 2 } else { 0 };
        tracing::info!("{}: {done}/{total}, {rate:.digits$} images/s, ETA {eta} {message}", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
