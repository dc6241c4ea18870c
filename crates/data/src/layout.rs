//! The layouts that data sets come in, one file each: the Hub's first, then the originals'.

mod batches;
mod cifar_binary;
mod cifar_pickle;
mod idx;
pub(crate) mod parquet_images;
mod svhn_mat;
mod wnid_folders;

use std::path::Path;

use crate::{Error, Name, Splits};

/// One way of keeping a data set in a folder.
pub(crate) struct Layout {
    /// Its files and where they are looked for, for error messages; nothing if the data set does not come in it.
    pub(crate) describe: fn(Name) -> Option<String>,
    /// How to read the data set in a folder, or nothing if none of the files are there.
    pub(crate) find: fn(Name, &Path) -> Result<Option<Reading>, Error>,
}

/// Decodes what was found.
pub(crate) type Reading = Box<dyn FnOnce() -> Result<Splits, Error>>;

/// Every layout, in the order they are looked for.
pub(crate) const ALL: [Layout; 6] = [
    Layout { describe: parquet_images::layout, find: parquet_images::find },
    Layout { describe: cifar_binary::layout, find: cifar_binary::find },
    Layout { describe: cifar_pickle::layout, find: cifar_pickle::find },
    Layout { describe: svhn_mat::layout, find: svhn_mat::find },
    Layout { describe: idx::layout, find: idx::find },
    Layout { describe: wnid_folders::layout, find: wnid_folders::find },
];
