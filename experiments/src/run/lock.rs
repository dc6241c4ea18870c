//! Who trains a run: two processes never do.
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

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    #[serde(flatten)]
    process: Process,
    /// Nanoseconds since 1970, so that no two locks are alike.
    since: u64,
}

/// A lock as it was found.
pub(super) struct Found {
    text: Vec<u8>,
    touched: SystemTime,
}

impl Found {
    /// The lock at `path`, if there is one.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let touched = fs::metadata(path).ok()?.modified().ok()?;
        Some(Self { text: fs::read(path).ok()?, touched })
    }

    fn holder(&self) -> Option<Holder> {
        serde_json::from_slice(&self.text).ok()
    }

    /// Whether its process may still be there at `now`.
    pub(super) fn held(&self, now: SystemTime) -> bool {
        let known = self.holder().and_then(|holder| holder.process.runs());
        known.unwrap_or_else(|| files::apart(now, self.touched) <= SILENCE)
    }

    /// Who holds it, and since when.
    pub(super) fn by(&self, now: SystemTime) -> String {
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

/// This process's claim to a run; it ends when this is dropped, or with the process.
pub(super) struct Lock {
    path: PathBuf,
    text: Vec<u8>,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Lock {
    /// Claims the run in `folder`.
    ///
    /// # Errors
    /// When another process holds it, or the folder cannot be written.
    pub(super) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join("run.lock");
        // Whoever else takes it in between is found the next time.
        for _ in 0..100 {
            let (mine, now) = match claim(&path).with_context(|| format!("cannot write {}", path.display()))? {
                Claim::Made(lock) => return Ok(lock),
                Claim::Refused(mine, now) => (mine, now),
            };
            let Some(found) = Found::at(&path) else { continue };
            if found.held(now) {
                let who = found.by(now);
                anyhow::bail!(
                    "{}: this run is being trained by {who}; wait for it, or share the work out with --shard",
                    folder.display()
                )
            }
            tracing::info!("{}: taken over from {}; it is gone", path.display(), found.by(now));
            set_aside(&path, &found, &mine);
        }
        anyhow::bail!("{}: others take this lock and leave it all the time; try again", path.display())
    }

    /// Whether the claim still stands; if its file is gone, it is claimed anew and the answer is no.
    ///
    /// # Errors
    /// When another process has taken it, or it cannot be claimed anew.
    pub(super) fn confirmed(&mut self) -> Result<bool> {
        match fs::read(&self.path) {
            Ok(text) if text == self.text => Ok(true),
            Ok(_) => anyhow::bail!("{}: another process has taken this run over; stopped", self.path.display()),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let folder = self.path.parent().unwrap_or(Path::new(".")).to_owned();
                files::create_folder(&folder)?;
                *self = Self::take(&folder)?;
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
    Made(Lock),
    /// There is one. With a name that is free, and the file system's time.
    Refused(PathBuf, SystemTime),
}

fn claim(path: &Path) -> Result<Claim> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let holder = Holder { process: Process::this(), since: u64::try_from(since.as_nanos())? };
    let text = serde_json::to_vec_pretty(&holder)?;
    let draft = files::temporary(path)?;
    let claimed = (|| {
        let mut file = File::create_new(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        let now = file.metadata()?.modified()?;
        match fs::hard_link(&draft, path) {
            Ok(()) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(None),
            // No links on this file system. Between the two lines the file is empty: held, by nobody known.
            Err(_) => match File::create_new(path) {
                Ok(mut own) => own.write_all(&text).map(|()| Some(own)),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(None),
                Err(e) => Err(e),
            },
        }
        .map(|made| (made, now))
    })();
    let _ = fs::remove_file(&draft);
    Ok(match claimed? {
        (Some(file), _) => Claim::Made(Lock { path: path.to_owned(), beat: Some(beat(file, text.clone())), text }),
        (None, now) => Claim::Refused(draft, now),
    })
}

/// Touches the lock until the sender is dropped, by writing what is there: the file system says when that was.
/// It writes to the file it made, not to the one that may have its name by then.
fn beat(mut file: File, text: Vec<u8>) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel();
    let mut touch = move || -> io::Result<()> {
        file.rewind()?;
        file.write_all(&text)
    };
    let thread = thread::spawn(move || {
        while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            // Should it fail for a quarter of an hour, others will take the run and `confirmed` will say so.
            let _ = touch();
        }
    });
    (stop, thread)
}

/// Removes the dead lock at `path`, and no other: another process may have done so and claimed the run.
fn set_aside(path: &Path, dead: &Found, name: &Path) {
    if fs::rename(path, name).is_ok() {
        if fs::read(name).is_ok_and(|text| text != dead.text) {
            let _ = fs::hard_link(name, path);
        }
        let _ = fs::remove_file(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    /// A lock whose process is dead.
    fn corpse(folder: &Path) {
        let since = 1_700_000_000_000_000_000;
        let mut holder = serde_json::to_value(Holder { process: Process::this(), since }).unwrap();
        holder["started"] = 1.into();
        fs::write(folder.join("run.lock"), holder.to_string()).unwrap();
    }

    #[test]
    fn one_of_many_takes_it_over() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().unwrap();
            corpse(folder.path());
            let (start, taken) = (Barrier::new(4), AtomicUsize::new(0));
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        start.wait();
                        let lock = Lock::take(folder.path());
                        taken.fetch_add(usize::from(lock.is_ok()), Ordering::SeqCst);
                        start.wait();
                    });
                }
            });
            assert_eq!(taken.into_inner(), 1);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
        }
    }

    #[test]
    fn a_claim_is_seen_to_be_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut lock = Lock::take(folder.path()).unwrap();
        assert!(lock.confirmed().unwrap());
        fs::remove_file(folder.path().join("run.lock")).unwrap();
        assert!(!lock.confirmed().unwrap(), "its file was gone");
        assert!(lock.confirmed().unwrap());
        corpse(folder.path());
        assert!(lock.confirmed().unwrap_err().to_string().contains("another process has taken this run over"));
        drop(lock);
        assert!(folder.path().join("run.lock").is_file(), "it is not ours to remove");
    }
}
