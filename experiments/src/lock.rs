//! Who works in a folder: two processes never do, as each would replace what the other writes.
//!
//! `run.lock` names the process. It is made whole under another name and linked to its own, which succeeds for
//! one process only. A process that died on this machine is known to be dead; one of another machine is taken
//! for dead when it has not touched its lock for a while. All times are those the file system gives to files, so
//! the clocks of machines that share it need not agree.

use crate::{files, machine::Process};
use anyhow::{Context, Result};
use indicatif::HumanDuration;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Seek, Write},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

/// How often a living process touches its lock.
const BEAT: Duration = Duration::from_secs(30);

/// After so long without a sign of life a process of another machine is taken for dead. A lock that is as much
/// in the future is as dead: its process would have touched it since the clock was set back.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// What tests replace.
#[derive(Clone, Copy)]
struct Means {
    link: fn(&Path, &Path) -> io::Result<()>,
    beat: Duration,
}

const MEANS: Means = Means { link: |file, name| fs::hard_link(file, name), beat: BEAT };

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    #[serde(flatten)]
    process: Process,
    /// Nanoseconds since 1970, so that no two locks are alike.
    since: u64,
}

/// A lock as it was found.
pub(crate) struct Found {
    text: Vec<u8>,
    touched: SystemTime,
}

impl Found {
    /// The lock at `path`, if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn at(path: &Path) -> io::Result<Option<Self>> {
        let found = || io::Result::Ok(Self { touched: fs::metadata(path)?.modified()?, text: fs::read(path)? });
        match found() {
            Err(e) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => Ok(None),
            found => found.map(Some),
        }
    }

    fn holder(&self) -> Option<Holder> {
        serde_json::from_slice(&self.text).ok()
    }

    /// Whether its process may still be there at `now`.
    pub(crate) fn held(&self, now: SystemTime) -> bool {
        let known = self.holder().and_then(|holder| holder.process.runs());
        known.unwrap_or_else(|| files::apart(now, self.touched) <= SILENCE)
    }

    /// Who holds it, and since when.
    pub(crate) fn by(&self, now: SystemTime) -> String {
        let ago = |then: SystemTime| HumanDuration(files::apart(now, then)).to_string();
        let touched = ago(self.touched);
        match self.holder() {
            Some(Holder { process, since }) => {
                let since = ago(SystemTime::UNIX_EPOCH + Duration::from_nanos(since));
                let life = if process.runs().is_some() { String::new() } else { format!(", last seen {touched} ago") };
                format!("process {} on {}, which began {since} ago{life}", process.pid, process.host)
            }
            None => format!("an unknown process, last seen {touched} ago"),
        }
    }
}

/// Another process holds a folder; in words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Held(String);

/// This process's claim to a folder; it ends when this is dropped, or with the process.
pub struct Lock {
    path: PathBuf,
    otherwise: &'static str,
    means: Means,
    text: Vec<u8>,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Lock {
    /// Claims `folder`. Who is refused may wait, or do what `otherwise` says.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub fn take(folder: &Path, otherwise: &'static str) -> Result<Self> {
        Self::take_by(MEANS, folder, otherwise)
    }

    fn take_by(means: Means, folder: &Path, otherwise: &'static str) -> Result<Self> {
        let path = folder.join("run.lock");
        // Whoever else takes it in between is found the next time.
        for _ in 0..100 {
            let claimed = claim(&path, means).with_context(|| files::cannot_write(&path))?;
            let now = match claimed {
                Claim::Made(file, text) => {
                    let beat = Some(beat(file, text.clone(), means.beat));
                    return Ok(Self { path, otherwise, means, text, beat });
                }
                Claim::Refused(now) => now,
            };
            let found = match Found::at(&path) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(e) => {
                    let what =
                        format!("{}: {e}; whoever has made it may be at work; wait, or {otherwise}", path.display());
                    return Err(Held(what).into());
                }
            };
            if found.held(now) {
                let who = found.by(now);
                let what = format!("{}: {who}, is at work on this; wait for it, or {otherwise}", folder.display());
                return Err(Held(what).into());
            }
            tracing::info!("{}: taken over from {}; it is gone", path.display(), found.by(now));
            if let Err(e) = set_aside(&path, &found) {
                anyhow::bail!("{}: who made it is gone, but it cannot be removed ({e}); delete it", path.display())
            }
        }
        anyhow::bail!("{}: others take this lock and leave it all the time; try again", path.display())
    }

    /// Whether the claim still stands; if its file is gone, it is claimed anew and the answer is no.
    ///
    /// # Errors
    /// When another process has taken it, or it cannot be claimed anew.
    pub fn confirmed(&mut self) -> Result<bool> {
        match fs::read(&self.path) {
            Ok(text) if text == self.text => Ok(true),
            Ok(_) => anyhow::bail!("{}: another process has taken this run over; stopped", self.path.display()),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let folder = self.path.parent().unwrap_or(Path::new(".")).to_owned();
                files::create_folder(&folder)?;
                *self = Self::take_by(self.means, &folder, self.otherwise)?;
                Ok(false)
            }
            Err(e) => Err(e).with_context(|| format!("cannot read {}", self.path.display())),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.beat.take() {
            drop(stop);
            let _ = thread.join();
        }
        if fs::read(&self.path).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What came of trying to make the file.
enum Claim {
    /// It is made; what it says.
    Made(File, Vec<u8>),
    /// There is one; the file system's time.
    Refused(SystemTime),
}

fn claim(path: &Path, means: Means) -> Result<Claim> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let holder = Holder { process: Process::this(), since: u64::try_from(since.as_nanos())? };
    let text = serde_json::to_vec_pretty(&holder)?;
    let draft = files::temporary(path)?;
    let claimed = (|| {
        let mut file = File::create_new(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        let now = file.metadata()?.modified()?;
        match (means.link)(&draft, path) {
            Ok(()) => Ok(Some(file)),
            // NFS may say so of the link that it made itself, if it was asked a second time.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                Ok(Some(file).filter(|_| fs::read(path).is_ok_and(|there| there == text)))
            }
            // No links on this file system. Between the two lines the file is empty: held, by nobody known.
            Err(_) => match File::create_new(path) {
                Ok(mut own) => match own.write_all(&text) {
                    Ok(()) => Ok(Some(own)),
                    Err(e) => fs::remove_file(path).and(Err(e)),
                },
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(None),
                Err(e) => Err(e),
            },
        }
        .map(|made| (made, now))
    })();
    let _ = fs::remove_file(&draft);
    Ok(match claimed? {
        (Some(file), _) => Claim::Made(file, text),
        (None, now) => Claim::Refused(now),
    })
}

/// Touches the lock until the sender is dropped, by writing what is there: the file system says when that was.
/// It writes to the file it made, not to the one that may have its name by then.
fn beat(mut file: File, text: Vec<u8>, every: Duration) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel();
    let mut touch = move || -> io::Result<()> {
        file.rewind()?;
        file.write_all(&text)
    };
    let thread = thread::spawn(move || {
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            // Should it fail for a quarter of an hour, others will take the run and `confirmed` will say so.
            let _ = touch();
        }
    });
    (stop, thread)
}

/// Removes the dead lock at `path`, and no other: another process may have done so and claimed the folder.
fn set_aside(path: &Path, dead: &Found) -> io::Result<()> {
    // Over NFS only those who may write can lock; elsewhere a reader can.
    let open = File::options().read(true).write(true).open(path).or_else(|_| File::open(path));
    let file = match open {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    // So that nobody else removes it between the next two lines. Where the file system has no such locks, that
    // is no more than unlikely.
    let _ = file.lock();
    if fs::read(path).is_ok_and(|text| text == dead.text) { fs::remove_file(path) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
