//! What can go wrong with data: one line each, with the place and what to do about it.

use std::path::{Path, PathBuf};

use crate::Name;

/// Why data could not be loaded, split or turned into tensors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A data set's name on the command line is not one of [`Name::ALL`].
    #[error("unknown data set `{given}`; known are: {}", Name::ALL.map(Name::as_str).join(", "))]
    UnknownName {
        /// What was given.
        given: String,
    },
    /// The folder does not exist, or has none of the files a data set comes in.
    #[error("{}: {what}; looked for {looked_for}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        what: String,
        /// The layouts and files that would have been accepted.
        looked_for: String,
    },
    /// The operating system refused to read a file or folder.
    #[error("{}: cannot be read ({cause})", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason; part of the message, and so no source.
        cause: std::io::Error,
    },
    /// A file is not what its name promises, or ends early.
    #[error("{}: {what}; download it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file of a known format lacks a column or has one of the wrong type.
    #[error("{}: {what}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What is missing or of the wrong type, and what was expected.
        what: String,
    },
    /// One example of a file is unusable.
    #[error("{}: row {row} (counting from 0): {what}; download the file again or remove the row", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The example, counting from 0 within the file.
        row: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A file or split holds no example at all.
    #[error("{}: holds no examples; download it again", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
    },
    /// Neither the Hub's cache nor the Hub itself gave the data set.
    #[cfg(feature = "hub")]
    #[error("{name}: {cause}; or pass --data-dir DIR with a local copy")]
    Hub {
        /// The data set.
        name: Name,
        /// Why; part of the message, and so no source.
        cause: Box<hub::Error>,
    },
    /// The caller stopped a download; what has arrived is kept.
    #[error("the download was interrupted; run the same command again to go on")]
    Interrupted,
    /// No folder was given, and the Hub has no repository of the data set that is known here.
    #[error("{name} is not on the Hub; pass --data-dir DIR with its files")]
    NotOnHub {
        /// The data set.
        name: Name,
    },
    /// No folder was given, and this build cannot use the Hub.
    #[error("{name}: pass --data-dir DIR; this build has no Hub support (cargo feature `hub`)")]
    NoHub {
        /// The data set.
        name: Name,
    },
    /// [`crate::Dataset::hold_out`] was asked for as many examples as there are, or more.
    #[error("{name}: cannot hold out {asked} of {len} examples; at least one must remain for training")]
    HoldOut {
        /// The data set.
        name: Name,
        /// How many were to be held out.
        asked: usize,
        /// How many there are.
        len: usize,
    },
    /// A position lies beyond the data set's end.
    #[error("{name}: position {position} is beyond the {len} examples of this split")]
    Position {
        /// The data set.
        name: Name,
        /// The position asked for.
        position: usize,
        /// How many examples there are.
        len: usize,
    },
    /// Pixels and labels given to [`crate::Dataset::new`] do not fit each other or the data set.
    #[error("{name}: {what}")]
    Mismatch {
        /// The data set.
        name: Name,
        /// What does not fit.
        what: String,
    },
    /// Candle could not build a tensor, for example because the device is out of memory. Its reason is part of the
    /// message, and so no source.
    #[error("building a batch failed: {0}")]
    Tensor(candle::Error),
}

impl From<candle::Error> for Error {
    fn from(cause: candle::Error) -> Self {
        Self::Tensor(cause)
    }
}

impl Error {
    #[cfg(feature = "hub")]
    pub(crate) fn hub(name: Name, cause: hub::Error) -> Self {
        match cause {
            hub::Error::Interrupted => Self::Interrupted,
            cause => Self::Hub { name, cause: Box::new(cause) },
        }
    }

    pub(crate) fn io(path: &Path, cause: std::io::Error) -> Self {
        Self::Io { path: path.into(), cause }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }

    pub(crate) fn row(path: &Path, row: usize, what: impl Into<String>) -> Self {
        Self::Row { path: path.into(), row, what: what.into() }
    }
}
