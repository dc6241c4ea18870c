//! Ctrl-C and termination: stop at the next safe point, keep what is done.

use std::{
    fmt,
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

static ASKED: AtomicBool = AtomicBool::new(false);

/// What a function returns as its error when the user stopped it.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; run the same command again to go on")
    }
}

impl std::error::Error for Interrupted {}

/// Signals closer together than this are one: `timeout` and job systems tell a process and then its group.
const ONE: Duration = Duration::from_millis(500);

/// Catches the signals. A second one, later than [`ONE`], ends the process at once: files are only ever replaced whole.
pub(crate) fn listen() {
    let mut first = None;
    // Without the handler the process simply ends at the first signal.
    #[expect(clippy::exit, reason = "the user insists")]
    let _ = ctrlc::set_handler(move || {
        ASKED.store(true, Ordering::SeqCst);
        if first.get_or_insert_with(Instant::now).elapsed() > ONE {
            std::process::exit(130);
        }
    });
}

/// A write beyond the limit on the size of files ends a process; after this it fails as on a full disk.
pub(crate) fn outlive_file_limits() {
    #[cfg(unix)]
    {
        use signal_hook::{consts::SIGXFSZ, flag};
        // Nobody asks the flag: it is enough that there is a handler.
        let _ = flag::register(SIGXFSZ, std::sync::Arc::default());
    }
}

/// Waits so long.
///
/// # Errors
/// When the user asks to stop meanwhile.
pub fn wait(time: Duration) -> Result<(), Interrupted> {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if check().is_break() {
            return Err(Interrupted);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Breaks once the user has asked to stop.
pub fn check() -> ControlFlow<()> {
    if ASKED.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
