//! How far long work is: bars on a terminal, a line now and then elsewhere.

use crate::ahead::{Ahead, left};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::{
    fmt,
    io::{self, IsTerminal, Write},
    sync::LazyLock,
    time::{Duration, Instant},
};

/// How often work that has no terminal reports.
const SILENCE: Duration = Duration::from_secs(20);

/// Where the bars are; hidden unless it is a terminal.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// What a bar looks like; that of a training has room for a long message below it.
const WORK: &str = "{prefix} [{wide_bar}] {pos}/{len} {rate} ETA {left} {msg}";
const TRAINING: &str = "{prefix} [{wide_bar}] {pos}/{len} {rate} ETA {left}\n  {msg}";
const GRID: &str = "{prefix} [{wide_bar}] {pos}/{len} done {msg}";

fn bar(template: &str, what: &str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_prefix(what.to_owned());
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = out.write_str(&per_second(state.per_sec()));
    });
    let style = style.with_key("left", |state: &ProgressState, out: &mut dyn fmt::Write| {
        let known = state.per_sec() > 0.;
        let _ = if known { write!(out, "{:#}", HumanDuration(state.eta())) } else { out.write_str("unknown") };
    });
    bar.set_style(style.progress_chars("=> "));
    SCREEN.add(bar)
}

fn per_second(rate: f64) -> String {
    let digits = if rate < 10. { 2 } else { 0 };
    format!("{rate:.digits$} images/s")
}

/// Stderr, beside the bars.
pub(crate) struct Beside;

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SCREEN.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Progress of one piece of work, in examples.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    terminal: bool,
    began: Instant,
    spoke: Instant,
    /// Where it began, once that is known.
    first: Option<u64>,
    done: u64,
    passes: u64,
}

impl Progress {
    /// Work called `what` on `total` examples.
    pub(crate) fn new(what: impl Into<String>, total: usize) -> Self {
        Self::looking(WORK, what.into(), total, Some(0))
    }

    /// The training called `what`, which sees `total` examples. It may be a resumed one: what is done when it first
    /// reports was done before.
    pub(crate) fn training(what: impl Into<String>, total: usize) -> Self {
        Self::looking(TRAINING, what.into(), total, None)
    }

    fn looking(template: &str, what: String, total: usize, first: Option<u64>) -> Self {
        let (bar, terminal, now) = (bar(template, &what, total), io::stderr().is_terminal(), Instant::now());
        Self { bar, what, terminal, began: now, spoke: now, first, done: 0, passes: 0 }
    }

    /// `done` examples are done.
    pub(crate) fn at(&mut self, done: usize, message: impl FnOnce() -> String) {
        self.done = done as u64;
        self.bar.set_position(self.done);
        if self.first.is_none() {
            // Only what is done from now on tells the rate.
            self.first = Some(self.done);
            self.bar.reset_eta();
        }
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
        let (fresh, took) = (done - self.first.unwrap_or(0), self.began.elapsed());
        let rate = per_second(fresh as f64 / took.as_secs_f64());
        let eta = left(took, fresh as f64, total.saturating_sub(done) as f64);
        tracing::info!("{}: {done}/{total}, {rate}, ETA {eta} {message}", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        SCREEN.remove(&self.bar);
    }
}

/// Progress of many pieces of work, one after the other.
pub(crate) struct Grid {
    bar: ProgressBar,
    ahead: Ahead,
}

impl Grid {
    /// `what` on so many pieces as `ahead` knows.
    pub(crate) fn new(what: &str, ahead: Ahead) -> Self {
        Self { bar: bar(GRID, what, ahead.pieces()), ahead }
    }

    /// The next piece begins.
    pub(crate) fn begin(&mut self) {
        self.ahead.begin();
        self.show();
    }

    /// The piece under way is done by so much.
    pub(crate) fn at(&mut self, fraction: f64) {
        self.ahead.at(fraction);
        self.show();
    }

    /// The piece under way is done; `worked`, if there was anything to do.
    pub(crate) fn end(&mut self, worked: bool) {
        self.ahead.end(worked);
        self.bar.inc(1);
        self.show();
    }

    /// What is left, for people.
    pub(crate) fn eta(&self) -> String {
        self.ahead.eta()
    }

    fn show(&self) {
        // One piece alone has a bar of its own.
        if self.ahead.pieces() > 1 {
            self.bar.set_message(format!("ETA {}", self.eta()));
        }
    }
}

impl Drop for Grid {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        SCREEN.remove(&self.bar);
    }
}
