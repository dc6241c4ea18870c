//! One revision of one repository: what the cache has of it, and how the rest gets there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

use crate::cache::{self, Folder};
use crate::checksum::{Checksum, Sums};
use crate::download::Download;
use crate::patience::{Failure, Failures};
use crate::record::{Known, Record};
use crate::{Error, Hub, Repository, progress};

/// One call about one revision of one repository.
pub(crate) struct Visit<'a> {
    hub: &'a Hub,
    repository: &'a Repository,
    revision: &'a str,
    folder: Folder,
    record: Option<Record>,
}

/// A snapshot that has wanted files.
pub(crate) struct Cached {
    pub(crate) snapshot: PathBuf,
    /// Whether it is known to have them all.
    pub(crate) whole: bool,
}

impl<'a> Visit<'a> {
    /// Names that would leave the cache are refused.
    pub(crate) fn new(hub: &'a Hub, repository: &'a Repository, revision: &'a str) -> Result<Self, Error> {
        for name in [&repository.owner, &repository.name, revision] {
            if !cache::inside(name) {
                return Err(Error::UnsafeName { place: repository.to_string(), name: name.into() });
            }
        }
        let folder = Folder::new(hub.cache(), repository);
        let record = Record::load(&folder.record(revision))?;
        Ok(Self { hub, repository, revision, folder, record })
    }

    /// How messages call what is asked for.
    pub(crate) fn place(&self) -> String {
        format!("{} at {}", self.repository, self.revision)
    }

    /// The commit to use, as far as it is known here.
    fn commit(&self) -> Option<String> {
        let itself = || cache::is_commit(self.revision).then(|| self.revision.to_owned());
        let recorded = self.record.as_ref().map(|record| record.commit.clone());
        recorded.or_else(itself).or_else(|| self.folder.commit(self.revision))
    }

    /// What the cache has, verified; nothing if that is known to be incomplete.
    pub(crate) fn cached(&self, wanted: &impl Fn(&str) -> bool) -> Result<Option<Cached>, Error> {
        let Some(commit) = self.commit() else { return Ok(None) };
        let snapshot = self.folder.snapshot(&commit);
        let files = cache::files(&snapshot, wanted)?;
        let whole = self.record.as_ref().is_some_and(|record| record.whole);
        let missing =
            |record: &Record| record.files.keys().any(|path| wanted(path) && files.binary_search(path).is_err());
        if files.is_empty() || (whole && self.record.as_ref().is_some_and(missing)) {
            return Ok(None);
        }
        for path in &files {
            self.verify(&commit, path)?;
        }
        Ok(Some(Cached { snapshot, whole }))
    }

    /// Compares a file of the cache with what is known of it, once per process.
    fn verify(&self, commit: &str, path: &str) -> Result<(), Error> {
        /// Size and time of what was verified.
        static VERIFIED: Mutex<BTreeMap<PathBuf, (u64, Option<SystemTime>)>> = Mutex::new(BTreeMap::new());
        let pointer = self.folder.snapshot(commit).join(path);
        let file = fs::canonicalize(&pointer).map_err(Error::read(&pointer))?;
        let about = fs::metadata(&file).map_err(Error::read(&file))?;
        let state = (about.len(), about.modified().ok());
        if VERIFIED.lock().is_ok_and(|verified| verified.get(&file) == Some(&state)) {
            return Ok(());
        }
        let recorded = self.record.as_ref().and_then(|record| record.files.get(path)?.sha256.clone());
        let first = recorded.is_none();
        // A file that is no link into `blobs` has no name that promises anything.
        let named = || Checksum::promised(&file.file_name()?.to_string_lossy());
        let sums = Sums::of(&file)?;
        if let Some(known) = recorded.map(Checksum::Sha256).or_else(named)
            && let Some(found) = sums.differing(&known)
        {
            return Err(self.changed(file, found, &known));
        }
        if first && let Err(e) = self.keep(commit, path, about.len(), &sums) {
            // A cache may be shared and not ours to write to.
            tracing::warn!("its checksum is not recorded: {e}");
        }
        if let Ok(mut verified) = VERIFIED.lock() {
            verified.insert(file, state);
        }
        Ok(())
    }

    fn changed(&self, path: PathBuf, found: &str, known: &Checksum) -> Error {
        let record = self.folder.record(self.revision);
        Error::Changed { path, found: found.into(), known: known.digits().into(), record }
    }

    /// Records the checksum of a file on first use.
    fn keep(&self, commit: &str, path: &str, size: u64, sums: &Sums) -> Result<(), Error> {
        let _lock = self.folder.lock("checksums", self.hub.stop)?;
        let file = self.folder.record(self.revision);
        // Others may have written since ours was read.
        let empty = || Record { commit: commit.into(), whole: false, files: BTreeMap::new() };
        let mut record = Record::load(&file)?.filter(|record| record.commit == commit).unwrap_or_else(empty);
        record.files.insert(path.into(), Known { size, sha256: Some(sums.sha256.clone()) });
        record.save(&file)
    }

    /// Asks `question` until it is answered.
    fn ask<T>(&self, question: impl Fn(&str) -> Result<T, Failure>) -> Result<T, Error> {
        let (place, mut failures) = (self.place(), Failures::new(&self.hub.patience, self.hub.stop));
        loop {
            match question(&place) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failures.wait(failure, self.hub.remote.unreachable(&place))?,
            }
        }
    }

    /// The commit and all its files, from the record or the Hub.
    fn listing(&self) -> Result<Record, Error> {
        if let Some(record) = self.record.as_ref().filter(|record| record.whole) {
            return Ok(record.clone());
        }
        let remote = &self.hub.remote;
        let commit = match self.commit() {
            Some(commit) => commit,
            None => self.ask(|place| remote.commit(place, self.repository, self.revision))?,
        };
        let mut files = self.ask(|place| remote.list(place, self.repository, &commit))?;
        for (path, known) in self.record.iter().flat_map(|record| &record.files) {
            // What was used before the listing keeps its checksum.
            files.entry(path.clone()).and_modify(|file| file.sha256.clone_from(&known.sha256));
        }
        Ok(Record { commit, whole: true, files })
    }

    /// Brings what is wanted and not there into the cache.
    pub(crate) fn fetch(&self, wanted: &impl Fn(&str) -> bool) -> Result<PathBuf, Error> {
        let record = self.listing()?;
        let files: Vec<_> = record.files.iter().filter(|(path, _)| wanted(path)).collect();
        if let Some((name, _)) = files.iter().find(|(path, _)| !cache::inside(path)) {
            return Err(Error::UnsafeName { place: self.place(), name: (*name).clone() });
        }
        if files.is_empty() {
            return Err(Error::NoFile { place: self.place() });
        }
        if self.record.as_ref() != Some(&record) {
            record.save(&self.folder.record(self.revision))?;
            self.folder.name_commit(self.revision, &record.commit)?;
        }
        let commit = &*record.commit;
        let snapshot = self.folder.snapshot(commit);
        let (present, missing): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(path, _)| snapshot.join(path).exists());
        for (path, _) in present {
            self.verify(commit, path)?;
        }
        let total: u64 = missing.iter().map(|(_, known)| known.size).sum();
        tracing::info!("downloading {} files of {} ({} bytes)", missing.len(), self.place(), total);
        let bar = progress::bar(total, format!("downloading {}", self.repository));
        let Hub { remote, patience, stop, .. } = self.hub;
        let (folder, repository) = (&self.folder, self.repository);
        let download = Download { remote, patience, stop: *stop, folder, repository, commit, bar: &bar };
        for (path, known) in missing {
            let etag = download.run(path, known.size)?;
            self.folder.point(commit, path, &etag)?;
            self.verify(commit, path)?;
        }
        tracing::info!("downloaded and verified: {}", snapshot.display());
        Ok(snapshot)
    }
}
