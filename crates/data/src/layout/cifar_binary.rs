//! CIFAR's original binary version: records of one or two label bytes and 3,072 pixels.

use std::path::{Path, PathBuf};

use crate::{Dataset, Error, Name, Splits};

const PIXELS: usize = 3 * 32 * 32;

struct Layout {
    /// The folder the original archive unpacks to.
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// Bytes before the pixels; the last of them is the label.
    labels: usize,
}

const CIFAR10: Layout = Layout {
    folder: "cifar-10-batches-bin",
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: "test_batch.bin",
    labels: 1,
};

const CIFAR100: Layout = Layout { folder: "cifar-100-binary", train: &["train.bin"], test: "test.bin", labels: 2 };

fn files(name: Name) -> Option<Layout> {
    match name {
        Name::Cifar10 => Some(CIFAR10),
        Name::Cifar100 => Some(CIFAR100),
        _ => None,
    }
}

/// What [`load`] looks for, for error messages.
pub(crate) fn layout(name: Name) -> Option<String> {
    let Layout { folder, train, test, .. } = files(name)?;
    let train = if let [first, .., last] = train { format!("{first} .. {last}") } else { train.join("") };
    Some(format!("the original binary version's {train} and {test} in {folder}/ or in the folder itself"))
}

/// The data set in `dir`, or nothing if there are no binary batches of it. Any of the training
/// batches may be absent.
pub(crate) fn load(name: Name, dir: &Path) -> Result<Option<Splits>, Error> {
    let Some(layout) = files(name) else {
        return Ok(None);
    };
    for dir in [dir.to_owned(), dir.join(layout.folder)] {
        let train: Vec<PathBuf> = layout.train.iter().map(|file| dir.join(file)).filter(|path| path.exists()).collect();
        let test = dir.join(layout.test);
        match (train.is_empty(), test.exists()) {
            (true, false) => {}
            (false, true) => {
                let train = read(name, &train, layout.labels)?;
                let test = read(name, &[test], layout.labels)?;
                return Ok(Some(Splits { train, test }));
            }
            (no_train, _) => {
                let (what, looked_for) =
                    if no_train { ("train", layout.train.join(", ")) } else { ("test", layout.test.to_owned()) };
                return Err(Error::Missing { path: dir, what: format!("the {what} split is missing"), looked_for });
            }
        }
    }
    Ok(None)
}

fn read(name: Name, files: &[PathBuf], label_bytes: usize) -> Result<Dataset, Error> {
    let size = label_bytes + PIXELS;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in files {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        if bytes.is_empty() {
            return Err(Error::Empty { path: path.clone() });
        }
        if bytes.len() % size != 0 {
            let what = format!("size {} is not a multiple of the {size}-byte record", bytes.len());
            return Err(Error::damaged(path, what));
        }
        for (row, record) in bytes.chunks_exact(size).enumerate() {
            let label = record[label_bytes - 1];
            if usize::from(label) >= name.classes() {
                let what = format!("label {label} is not in 0..{}", name.classes());
                return Err(Error::row(path, row, what));
            }
            labels.push(label);
            pixels.extend_from_slice(&record[label_bytes..]);
        }
    }
    Dataset::new(name, pixels, labels)
}
