//! One content on its way into the cache: resumed, checked, and only then given its name.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::Path;

use indicatif::ProgressBar;
use reqwest::blocking::Response;

use crate::cache::Folder;
use crate::checksum::{Checksum, Sums};
use crate::patience::{Failure, Failures, Patience};
use crate::remote::{Remote, innermost};
use crate::{Error, Repository};

/// What a download needs to know.
pub(crate) struct Download<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) patience: &'a Patience,
    pub(crate) stop: fn() -> ControlFlow<()>,
    pub(crate) folder: &'a Folder,
    pub(crate) repository: &'a Repository,
    pub(crate) commit: &'a str,
    pub(crate) bar: &'a ProgressBar,
}

impl Download<'_> {
    /// Brings the content of the file `path`, which has `size` bytes, into the cache and gives the blob's name.
    ///
    /// One process downloads a content, by the lock that the Hub's own libraries use; others wait and find it.
    pub(crate) fn run(&self, path: &str, size: u64) -> Result<String, Error> {
        let place = format!("{} at {}: {path}", self.repository, self.commit);
        let mut failures = Failures::new(self.patience, self.stop);
        let etag = loop {
            match self.remote.etag(&place, self.repository, self.commit, path) {
                Ok(etag) => break etag,
                Err(failure) => failures.wait(failure, self.remote.unreachable(&place))?,
            }
        };
        let _lock = self.folder.lock(&etag, self.stop)?;
        let (blob, partial) = (self.folder.blob(&etag), self.folder.partial(&etag));
        if blob.exists() {
            self.bar.inc(size);
            return Ok(etag);
        }
        let blobs = blob.parent().unwrap_or(&blob);
        fs::create_dir_all(blobs).map_err(Error::written(blobs))?;
        let (promised, start) = (Checksum::promised(&etag), self.bar.position());
        let mut wrong = String::new();
        // What an earlier process left may be of no use, and a byte may flip on the way: a second attempt is fair.
        for _ in 0..2 {
            self.complete(&place, path, size, &partial, start)?;
            match difference(&partial, size, promised.as_ref())? {
                None => {
                    fs::rename(&partial, &blob).map_err(Error::written(&blob))?;
                    return Ok(etag);
                }
                Some(difference) => wrong = difference,
            }
            tracing::warn!("{place}: what arrived is thrown away: {wrong}");
            fs::remove_file(&partial).map_err(Error::written(&partial))?;
        }
        Err(Error::Corrupt { place, endpoint: self.remote.name(), what: wrong })
    }

    /// Asks for what the file at `partial` lacks until it has `size` bytes or more; the bar stands at `start`
    /// without any.
    fn complete(&self, place: &str, path: &str, size: u64, partial: &Path, start: u64) -> Result<(), Error> {
        let mut file = File::options().create(true).append(true).open(partial).map_err(Error::written(partial))?;
        let mut failures = Failures::new(self.patience, self.stop);
        // A server that knows no ranges begins anew each time: bytes that had come before are no progress.
        let mut furthest = 0;
        loop {
            let have = file.seek(SeekFrom::End(0)).map_err(Error::read(partial))?;
            self.bar.set_position(start + have);
            if have >= size {
                return file.sync_all().map_err(Error::written(partial));
            }
            let came = self.remote.body(place, self.repository, self.commit, path, have);
            let ended = came.and_then(|(begin, body)| self.append(begin, body, size, &mut file, partial));
            let now = file.seek(SeekFrom::End(0)).map_err(Error::read(partial))?;
            if now > furthest.max(have) {
                failures.forget();
            }
            furthest = furthest.max(have).max(now);
            if let Err(failure) = ended {
                failures.wait(failure, self.remote.unreachable(place))?;
            }
        }
    }

    /// Writes `body`, which begins at position `begin`, until it ends or is longer than `size`.
    fn append(
        &self,
        begin: u64,
        mut body: Response,
        size: u64,
        file: &mut File,
        partial: &Path,
    ) -> Result<(), Failure> {
        let have = file.seek(SeekFrom::End(0)).map_err(Error::read(partial))?;
        if begin != have {
            // The whole file comes though a part was asked for: it is as good.
            file.set_len(0).map_err(Error::written(partial))?;
            self.bar.set_position(self.bar.position().saturating_sub(have));
            if begin != 0 {
                return Err(Failure::Passing("another part of the file came than was asked for".into(), None));
            }
        }
        let mut length = begin;
        let mut buffer = vec![0; 1 << 16];
        loop {
            if (self.stop)().is_break() {
                return Err(Error::Interrupted.into());
            }
            let count = match body.read(&mut buffer) {
                Ok(0) if length < size => {
                    return Err(Failure::Passing(format!("the connection ended after {length} of {size} bytes"), None));
                }
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let reason = format!("the connection broke after {length} of {size} bytes: {}", innermost(&e));
                    return Err(Failure::Passing(reason, None));
                }
            };
            file.write_all(&buffer[..count]).map_err(Error::written(partial))?;
            length += count as u64;
            self.bar.inc(count as u64);
            if length > size {
                return Ok(());
            }
        }
    }
}

/// How `file` differs from a content of `size` bytes with the checksum that its name promised.
fn difference(file: &Path, size: u64, promised: Option<&Checksum>) -> Result<Option<String>, Error> {
    if fs::metadata(file).map_err(Error::read(file))?.len() > size {
        return Ok(Some(format!("it is longer than {size} bytes")));
    }
    let Some(promised) = promised else { return Ok(None) };
    let sums = Sums::of(file)?;
    Ok(sums.differing(promised).map(|found| format!("its checksum is {found}, not {}", promised.digits())))
}
