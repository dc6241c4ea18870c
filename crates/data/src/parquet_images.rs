//! The Hub's layout: Parquet files whose rows are a PNG image and a label.

mod footer;
mod pages;
mod shard;
mod thrift;

use std::path::{Path, PathBuf};

use crate::{Dataset, Error, Name, Splits, progress, shards};

use self::shard::Shard;

/// Where the Hub keeps the files, and the column that holds the label.
fn place(name: Name) -> Option<(&'static str, &'static str)> {
    match name {
        Name::Synthetic => None,
        Name::Cifar10 => Some(("plain_text", "label")),
        Name::Cifar100 => Some(("cifar100", "fine_label")),
        Name::Svhn => Some(("cropped_digits", "label")),
        Name::Mnist => Some(("mnist", "label")),
        Name::FashionMnist => Some(("fashion_mnist", "label")),
    }
}

/// The Hub's folder of `name`'s files.
#[cfg(feature = "hub")]
pub(crate) fn folder(name: Name) -> Option<&'static str> {
    place(name).map(|(folder, _)| folder)
}

/// What [`load`] looks for, for error messages.
pub(crate) fn layout(name: Name) -> Option<String> {
    let (folder, _) = place(name)?;
    Some(format!("the Hub's {{train,test}}-*.parquet in {folder}/ or in the folder itself"))
}

/// The data set in `dir`, or nothing if there are no Parquet files of it.
pub(crate) fn load(name: Name, dir: &Path) -> Result<Option<Splits>, Error> {
    let Some((folder, label)) = place(name) else {
        return Ok(None);
    };
    for dir in [dir.join(folder), dir.to_owned()] {
        if !dir.is_dir() {
            continue;
        }
        let train = shards::of(&dir, "train")?;
        let test = shards::of(&dir, "test")?;
        for (split, files) in [("train", &train), ("test", &test)] {
            if files.is_empty() && !(train.is_empty() && test.is_empty()) {
                return Err(Error::Missing {
                    path: dir,
                    what: format!("the {split} split is missing"),
                    looked_for: format!("{split}-*.parquet"),
                });
            }
        }
        if !train.is_empty() {
            let train = read_split(name, &dir, &train, label)?;
            let test = read_split(name, &dir, &test, label)?;
            return Ok(Some(Splits { train, test }));
        }
    }
    Ok(None)
}

fn read_split(name: Name, dir: &Path, files: &[PathBuf], label: &'static str) -> Result<Dataset, Error> {
    let shards: Vec<_> = files.iter().map(|path| Shard::open(path, label)).collect::<Result<_, _>>()?;
    let rows = shards.iter().map(Shard::rows).fold(0, u64::saturating_add);
    if rows == 0 {
        return Err(Error::Empty { path: if let [file] = files { file.clone() } else { dir.into() } });
    }
    // A few bytes can stand for a billion rows that are all alike.
    let most = 2 * name.train_len() as u64;
    if rows > most {
        let path = if let [file] = files { file } else { dir };
        return Err(Error::damaged(path, format!("claims {rows} rows; {name} has fewer")));
    }
    let bar = progress::bar(rows, format!("decoding {name}"), false);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for shard in &shards {
        shard.append(name, &mut pixels, &mut labels, &bar)?;
    }
    bar.finish_and_clear();
    Dataset::new(name, pixels, labels)
}
