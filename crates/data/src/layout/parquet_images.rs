//! The Hub's layout: Parquet files whose rows are an image and a label.

mod cells;
mod footer;
mod group;
mod pages;
mod shard;
mod shards;
mod thrift;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Reading;
use crate::{Dataset, Error, Name, Splits, progress};

use self::shard::Shard;

/// How the Hub keeps a data set.
struct Place {
    folder: &'static str,
    /// What the files of the two splits begin with.
    splits: [&'static str; 2],
    /// The column that holds the label.
    label: &'static str,
}

fn place(name: Name) -> Option<Place> {
    let (folder, test, label) = match name {
        Name::Synthetic => return None,
        Name::Cifar10 => ("plain_text", "test", "label"),
        Name::Cifar100 => ("cifar100", "test", "fine_label"),
        Name::Svhn => ("cropped_digits", "test", "label"),
        Name::Mnist => ("mnist", "test", "label"),
        Name::FashionMnist => ("fashion_mnist", "test", "label"),
        Name::TinyImagenet => ("data", "valid", "label"),
    };
    Some(Place { folder, splits: ["train", test], label })
}

/// Whether `path`, within the Hub's repository of `name`, is one of the files that [`find`] reads.
#[cfg(feature = "hub")]
pub(crate) fn wanted(name: Name, path: &str) -> bool {
    place(name).is_some_and(|Place { folder, splits, .. }| {
        let file = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
        file.is_some_and(|file| splits.iter().any(|split| shards::belongs(file, split)))
    })
}

/// What [`find`] looks for, for error messages.
pub(super) fn layout(name: Name) -> Option<String> {
    let Place { folder, splits: [train, test], .. } = place(name)?;
    Some(format!("the Hub's {{{train},{test}}}-*.parquet in {folder}/ or in the folder itself"))
}

/// The data set in `dir`, or nothing if there are no Parquet files of it.
pub(super) fn find(name: Name, dir: &Path) -> Result<Option<Reading>, Error> {
    let Some(Place { folder, splits, label }) = place(name) else {
        return Ok(None);
    };
    for dir in [dir.join(folder), dir.to_owned()] {
        if !dir.is_dir() {
            continue;
        }
        let [train, test] = [shards::of(&dir, splits[0])?, shards::of(&dir, splits[1])?];
        if train.is_empty() && test.is_empty() {
            continue;
        }
        if let Some(i) = [&train, &test].iter().position(|files| files.is_empty()) {
            let (what, looked_for) =
                (format!("the {} split is missing", splits[i]), format!("{}-*.parquet", splits[i]));
            return Err(Error::Missing { path: dir, what, looked_for });
        }
        return Ok(Some(Box::new(move || {
            let train = read(name, &dir, &train, label)?;
            Ok(Splits { train, test: read(name, &dir, &test, label)? })
        })));
    }
    Ok(None)
}

/// Every row group is decoded into its place in the whole split, several at a time; of the images as they are
/// stored, no more than a few hundred a thread are in memory.
fn read(name: Name, dir: &Path, files: &[PathBuf], label: &'static str) -> Result<Dataset, Error> {
    let shards: Vec<_> = files.iter().map(|path| Shard::open(path, label)).collect::<Result<_, _>>()?;
    let rows = shards.iter().map(Shard::rows).fold(0, u64::saturating_add);
    if rows == 0 {
        return Err(Error::Empty { path: if let [file] = files { file.clone() } else { dir.into() } });
    }
    // A few bytes can stand for a billion rows that are all alike.
    let most = 2 * name.train_len();
    let Some(rows) = usize::try_from(rows).ok().filter(|&rows| rows <= most) else {
        let path = if let [file] = files { file } else { dir };
        return Err(Error::damaged(path, format!("claims {rows} rows; {name} has fewer")));
    };
    let bar = progress::bar(rows as u64, format!("decoding {name}"));
    let size: usize = name.shape().iter().product();
    let (mut pixels, mut labels) = (vec![0; rows * size], vec![0; rows]);
    let (mut pixels_left, mut labels_left) = (&mut pixels[..], &mut labels[..]);
    let mut groups = Vec::new();
    for group in shards.iter().flat_map(Shard::groups) {
        let (pixels, labels);
        (pixels, pixels_left) = pixels_left.split_at_mut(group.rows() * size);
        (labels, labels_left) = labels_left.split_at_mut(group.rows());
        groups.push((group, pixels, labels));
    }
    let failure =
        groups.into_par_iter().find_map_first(|(group, pixels, labels)| group.read(name, pixels, labels, &bar).err());
    bar.finish_and_clear();
    failure.map_or_else(|| Dataset::new(name, pixels, labels), Err)
}
