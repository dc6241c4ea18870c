//! The checksums that the Hub names its files by.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::Error;

/// What a file is known by, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// SHA-256 of the content: the Hub's large files, and our records.
    Sha256(String),
    /// SHA-1 of git's blob: the Hub's small files.
    Git(String),
}

impl Checksum {
    /// What an `ETag`, which is also a blob's name, promises; nothing if it is no checksum.
    pub(crate) fn promised(etag: &str) -> Option<Self> {
        let hexadecimal = etag.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match etag.len() {
            64 if hexadecimal => Some(Self::Sha256(etag.into())),
            40 if hexadecimal => Some(Self::Git(etag.into())),
            _ => None,
        }
    }

    /// The digits.
    pub(crate) fn digits(&self) -> &str {
        match self {
            Self::Sha256(digits) | Self::Git(digits) => digits,
        }
    }
}

/// Both checksums of one file.
pub(crate) struct Sums {
    pub(crate) sha256: String,
    git: String,
}

impl Sums {
    /// Reads the file at `path` once.
    pub(crate) fn of(path: &Path) -> Result<Self, Error> {
        Self::read(path).map_err(Error::read(path))
    }

    fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut sha256 = Sha256::new();
        let mut git = Sha1::new_with_prefix(format!("blob {}\0", file.metadata()?.len()));
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => {
                    sha256.update(&buffer[..count]);
                    git.update(&buffer[..count]);
                }
            }
        }
        Ok(Self { sha256: hexadecimal(&sha256.finalize()), git: hexadecimal(&git.finalize()) })
    }

    /// The sum to compare with `known`, if they differ.
    pub(crate) fn differing(&self, known: &Checksum) -> Option<&str> {
        let (found, known) = match known {
            Checksum::Sha256(known) => (&self.sha256, known),
            Checksum::Git(known) => (&self.git, known),
        };
        (found != known).then_some(found)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sums_are_the_known_ones() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hello\n").unwrap();
        let sums = Sums::of(file.path()).unwrap();
        // What `sha256sum` and `git hash-object` print.
        assert_eq!(sums.sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(sums.git, "ce013625030ba8dba906f756967f9e9ca394464a");
        let promised = Checksum::promised(&sums.git).unwrap();
        assert_eq!(sums.differing(&promised), None);
        assert_eq!(sums.differing(&Checksum::Git("0".repeat(40))), Some(&*sums.git));
    }

    #[test]
    fn only_checksums_promise_one() {
        assert_eq!(Checksum::promised(&"a".repeat(64)), Some(Checksum::Sha256("a".repeat(64))));
        for etag in ["", "../../x", "abc", &"g".repeat(40), &"A".repeat(64), &"a".repeat(41)] {
            assert_eq!(Checksum::promised(etag), None, "{etag}");
        }
    }
}
