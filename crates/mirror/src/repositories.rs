//! Commits and their files.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// From this size on a content is kept apart, as the Hub does with LFS files.
pub const LARGE: usize = 1024;

/// The files of one commit, by path.
pub(crate) type Files = BTreeMap<String, Arc<Content>>;

/// A file's bytes, and what the Hub calls them.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sha256: String,
    /// What git calls a file with these bytes.
    pub(crate) git: String,
}

impl Content {
    fn new(bytes: &[u8]) -> Self {
        let mut git = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
        git.update(bytes);
        Self { bytes: bytes.into(), sha256: sha256(bytes), git: hexadecimal(&git.finalize()) }
    }

    pub(crate) fn large(&self) -> bool {
        self.bytes.len() >= LARGE
    }
}

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
        files.insert(path.into(), Arc::new(Content::new(bytes)));
        let fixed = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        let commit = if fixed { revision.into() } else { tree(&files) };
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

    /// The content with this SHA-256.
    pub(crate) fn content(&self, sha256: &str) -> Option<&Content> {
        let files = self.0.values().flat_map(|repository| repository.commits.values()).flat_map(Files::values);
        files.map(Arc::as_ref).find(|content| content.sha256 == sha256)
    }
}

/// A commit's name: like files have like names.
fn tree(files: &Files) -> String {
    let names: Vec<_> = files.iter().map(|(path, content)| (path, &content.sha256)).collect();
    hexadecimal(&Sha1::digest(format!("{names:?}")))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
