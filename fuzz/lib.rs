//! What the targets share.

use std::fs;
use std::path::{Path, PathBuf};

/// Where `run.sh` makes its folders.
const PLACE: &str = "I2FR_FUZZ_FOLDER";

/// A folder in memory, one for each process: the parsers are fuzzed through the paths that users give.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes an empty one.
    pub fn new() -> Self {
        let place = std::env::var_os(PLACE).unwrap_or("/dev/shm".into());
        let folder = Path::new(&place).join(format!("i2fr-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder for files can be written");
        Self(folder)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("the folder for files can be written");
        path
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.0.join(name));
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets a parser turn a dependency's panic into an error, as the programs do; one that escapes still counts.
///
/// libFuzzer's own hook ends the process at the panic, before anyone can catch it.
pub fn let_panics_be_caught() {
    std::panic::set_hook(Box::new(|_| {}));
}
