//! Commits and their files.

use std::collections::BTreeMap;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// From this size on a content is kept apart, as the Hub does with LFS files.
pub const LARGE: usize = 1024;

/// The files of one commit, by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Repositories by `kind/owner/name`.
#[derive(Debug, Default)]
pub(crate) struct Repositories(BTreeMap<String, Repository>);

#[derive(Debug, Default)]
struct Repository {
    revisions: BTreeMap<String, String>,
    commits: BTreeMap<String, Files>,
}

impl Repositories {
    pub(crate) fn put(&mut self, kind: &str, name: &str, revision: &str, path: &str, bytes: &[u8]) -> String {
        let repository = self.0.entry(format!("{kind}/{name}")).or_default();
        let before = repository.revisions.get(revision).and_then(|commit| repository.commits.get(commit));
        let mut files = before.cloned().unwrap_or_default();
        files.insert(path.into(), bytes.into());
        let fixed = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        let commit = if fixed { revision.into() } else { hexadecimal(&Sha1::digest(format!("{files:?}"))) };
        repository.commits.insert(commit.clone(), files);
        repository.revisions.insert(revision.into(), commit.clone());
        commit
    }

    /// The commit that `revision`, or the commit itself, stands for; nothing if there is none.
    pub(crate) fn find(&self, name: &str, revision: &str) -> Option<(&str, &Files)> {
        let repository = self.0.get(name)?;
        let commit = repository.revisions.get(revision).map_or(revision, String::as_str);
        repository.commits.get_key_value(commit).map(|(commit, files)| (&**commit, files))
    }

    /// The large content with this SHA-256.
    pub(crate) fn content(&self, sum: &str) -> Option<&[u8]> {
        let files = self.0.values().flat_map(|repository| repository.commits.values()).flat_map(Files::values);
        files.map(Vec::as_slice).find(|bytes| sha256(bytes) == sum)
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// What git calls a file with these bytes.
pub(crate) fn git(bytes: &[u8]) -> String {
    let mut sum = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    sum.update(bytes);
    hexadecimal(&sum.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
