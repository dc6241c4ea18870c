//! CIFAR's original binary version: records of one or two label bytes and 3,072 pixels.

use std::path::{Path, PathBuf};

use super::Reading;
use super::batches::{Batches, room};
use crate::{Dataset, Error, Name, Splits};

const PIXELS: usize = 3 * 32 * 32;

const CIFAR10: Batches = Batches {
    folder: "cifar-10-batches-bin",
    train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    test: "test_batch.bin",
};

const CIFAR100: Batches = Batches { folder: "cifar-100-binary", train: &["train.bin"], test: "test.bin" };

/// The files, and how many bytes come before the pixels; the last of them is the label.
fn files(name: Name) -> Option<(Batches, usize)> {
    match name {
        Name::Cifar10 => Some((CIFAR10, 1)),
        Name::Cifar100 => Some((CIFAR100, 2)),
        _ => None,
    }
}

/// What [`find`] looks for, for error messages.
pub(super) fn layout(name: Name) -> Option<String> {
    Some(files(name)?.0.describe("binary version"))
}

/// The data set in `dir`, or nothing if there are no binary batches of it.
pub(super) fn find(name: Name, dir: &Path) -> Result<Option<Reading>, Error> {
    let Some((batches, label_bytes)) = files(name) else {
        return Ok(None);
    };
    let Some(found) = batches.find(dir)? else {
        return Ok(None);
    };
    Ok(Some(Box::new(move || {
        let train = read(name, &found.train, label_bytes)?;
        Ok(Splits { train, test: read(name, &[found.test], label_bytes)? })
    })))
}

fn read(name: Name, files: &[PathBuf], label_bytes: usize) -> Result<Dataset, Error> {
    let size = label_bytes + PIXELS;
    let (mut pixels, mut labels) = (room(files), Vec::new());
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
