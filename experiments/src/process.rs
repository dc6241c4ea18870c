//! What happens around every binary's work: logs, signals, exit codes.

use crate::{
    interrupt::{self, Interrupted},
    progress::Beside,
};
use anyhow::Context;
use clap::{Command, Parser};
use std::{
    error, fmt as text,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The error of arguments that each parse but make no sense here.
#[derive(Debug)]
pub struct Usage(pub String);

impl text::Display for Usage {
    fn fmt(&self, f: &mut text::Formatter<'_>) -> text::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Usage {}

/// Parses the arguments, runs `work`, and turns what it returns into the exit code: 0 done, 1 failed,
/// 2 wrong usage, 130 interrupted. `out` names the results folder, where the log is kept.
pub fn main<Args: Parser + Sync>(
    out: impl Fn(&Args) -> Option<&Path>,
    work: impl FnOnce(&Args) -> anyhow::Result<()> + Send,
) -> ExitCode {
    run(Args::command(), out, work)
}

/// [`main()`] of a program whose help begins with `about`.
pub(crate) fn main_about<Args: Parser + Sync>(
    about: String,
    out: impl Fn(&Args) -> Option<&Path>,
    work: impl FnOnce(&Args) -> anyhow::Result<()> + Send,
) -> ExitCode {
    run(Args::command().about(about), out, work)
}

fn run<Args: Parser + Sync>(
    command: Command,
    out: impl Fn(&Args) -> Option<&Path>,
    work: impl FnOnce(&Args) -> anyhow::Result<()> + Send,
) -> ExitCode {
    kernels::quiet_candle_threads();
    let mut command = negative_numbers(named(command));
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    let args = match parsed.and_then(|found| Args::from_arg_matches(&found).map_err(|e| e.format(&mut command))) {
        Ok(args) => args,
        Err(e) => {
            // Help and version are no errors; clap knows where each goes.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    interrupt::listen();
    interrupt::outlive_file_limits();
    log_to(out(&args));
    // On a thread of the pool: from outside, every parallel loop would wake one and wait for it.
    match rayon::scope(|_| work(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.is::<Interrupted>() => {
            tracing::info!(target: ENDING, "{e}");
            say(&e.to_string());
            ExitCode::from(130)
        }
        Err(e) => {
            let what = one_line(&format!("{e:#}"));
            tracing::error!(target: ENDING, "{what}");
            say(&format!("error: {what}"));
            if e.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Gives `--version` the program and its commit, and help lines that can be read on a wide screen.
fn named(command: Command) -> Command {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_stem).map(|name| name.to_string_lossy().into_owned());
    let command = command.version(env!("I2FR_VERSION")).max_term_width(100);
    match name {
        Some(name) => command.display_name(name),
        None => command,
    }
}

/// Lets every option say what is wrong with `-1`, which would be taken for an unknown option otherwise.
fn negative_numbers(command: Command) -> Command {
    let allow = |arg: clap::Arg| if arg.get_action().takes_values() { arg.allow_negative_numbers(true) } else { arg };
    command.mut_args(allow).mut_subcommands(negative_numbers)
}

/// Prints a result on stdout. Where that is a pipe that nobody reads any more (`| head`), nobody wants the rest.
///
/// # Errors
/// When it cannot be written, as to a file on a full disk.
pub fn print(text: impl text::Display) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("writing to standard output"),
    }
}

/// [`print()`] with an end of line.
///
/// # Errors
/// When it cannot be written.
pub fn print_line(text: impl text::Display) -> anyhow::Result<()> {
    print(format_args!("{text}\n"))
}

/// A line on stderr, if that can be written: it may be a file on the disk that is full.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One line, whatever a library put into its message: candle appends a backtrace where `RUST_BACKTRACE` is set.
pub(crate) fn one_line(message: &str) -> String {
    let message = message.split("\n   0: ").next().unwrap_or_default();
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How the process ends goes to the log alone in this way: on stderr it is the last line anyway.
const ENDING: &str = "ending";

/// A file that is made when there is something to write: who only looks leaves no folder behind.
struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Log {
    fn open(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            fs::create_dir_all(self.path.parent().unwrap_or(&self.path))?;
            self.file = Some(OpenOptions::new().create(true).append(true).open(&self.path)?);
        }
        self.file.as_mut().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

/// Progress goes to stderr, and with times to `OUT/log.txt`, where that can be written.
fn log_to(out: Option<&Path>) {
    let screen = fmt::layer().with_writer(|| Beside).without_time().with_level(false).with_target(false);
    let file = out.map(|out| Log { path: out.join("log.txt"), file: None });
    // A log that cannot grow on a full disk is no reason to say so at every line.
    let layer = |file| fmt::layer().with_writer(Mutex::new(file)).with_ansi(false).log_internal_errors(false);
    let file = file.map(|file| layer(file).with_target(false));
    // That library calls an error what is tried again; ours says what came of it.
    let wanted = Targets::new().with_default(LevelFilter::INFO).with_target("hf_hub", LevelFilter::OFF);
    // A subscriber that is there already (in tests) stays.
    let _ = tracing_subscriber::registry()
        .with(screen.with_filter(wanted.clone().with_target(ENDING, LevelFilter::OFF)))
        .with(file.with_filter(wanted))
        .try_init();
}
