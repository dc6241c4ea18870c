//! MNIST's original idx files, gzip-compressed or not.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::Reading;
use crate::{Dataset, Error, Name, Splits};

/// Where torchvision keeps the files below its root.
fn folder(name: Name) -> Option<&'static str> {
    match name {
        Name::Mnist => Some("MNIST/raw"),
        Name::FashionMnist => Some("FashionMNIST/raw"),
        _ => None,
    }
}

/// What [`find`] looks for, for error messages.
pub(super) fn layout(name: Name) -> Option<String> {
    let folder = folder(name)?;
    Some(format!(
        "the original's {{train,t10k}}-{{images-idx3,labels-idx1}}-ubyte, with or without .gz, \
         in {folder}/ or in the folder itself"
    ))
}

/// The data set in `dir`, or nothing if there are no idx files of it.
pub(super) fn find(name: Name, dir: &Path) -> Result<Option<Reading>, Error> {
    let Some(folder) = folder(name) else {
        return Ok(None);
    };
    for dir in [dir.to_owned(), dir.join(folder)] {
        let names =
            ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
        let found = names.map(|file| either(&dir, file));
        if let Some(i) = found.iter().position(Option::is_none).filter(|_| found.iter().any(Option::is_some)) {
            let file = names[i];
            return Err(Error::Missing {
                path: dir,
                what: "one of the four idx files is missing".into(),
                looked_for: format!("{file} or {file}.gz"),
            });
        }
        if let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = found {
            return Ok(Some(Box::new(move || {
                let train = read(name, &train_images, &train_labels)?;
                Ok(Splits { train, test: read(name, &test_images, &test_labels)? })
            })));
        }
    }
    Ok(None)
}

fn either(dir: &Path, file: &str) -> Option<PathBuf> {
    [dir.join(file), dir.join(format!("{file}.gz"))].into_iter().find(|path| path.exists())
}

fn read(name: Name, images: &Path, labels: &Path) -> Result<Dataset, Error> {
    let [_, height, width] = name.shape();
    let (n, pixels) = body(images, [0, 0, 8, 3], &[height, width], name.train_len())?;
    let (labelled, bytes) = body(labels, [0, 0, 8, 1], &[], name.train_len())?;
    if n != labelled {
        let what = format!("{labelled} labels, but {} has {n} images", images.display());
        return Err(Error::damaged(labels, what));
    }
    if n == 0 {
        return Err(Error::Empty { path: images.into() });
    }
    if let Some(row) = bytes.iter().position(|&label| usize::from(label) >= name.classes()) {
        let what = format!("label {} is not in 0..{}", bytes[row], name.classes());
        return Err(Error::row(labels, row, what));
    }
    Dataset::new(name, pixels, bytes)
}

/// The number of examples and the bytes after the header of an idx file whose first four bytes are
/// `magic` and whose dimensions after the first are `shape`; more than `most` are not believed.
fn body(path: &Path, magic: [u8; 4], shape: &[usize], most: usize) -> Result<(usize, Vec<u8>), Error> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let compressed = path.extension().is_some_and(|e| e == "gz");
    let mut reader: Box<dyn Read> =
        if compressed { Box::new(MultiGzDecoder::new(std::io::BufReader::new(file))) } else { Box::new(file) };
    let unreadable = |e: std::io::Error| {
        if compressed || e.kind() == std::io::ErrorKind::UnexpectedEof {
            let kind = if compressed { "a gzip" } else { "an idx" };
            Error::damaged(path, format!("truncated or not {kind} file ({e})"))
        } else {
            Error::io(path, e)
        }
    };
    let mut word = || -> Result<[u8; 4], Error> {
        let mut word = [0; 4];
        reader.read_exact(&mut word).map_err(unreadable)?;
        Ok(word)
    };
    let start = word()?;
    if start != magic {
        let what = format!("starts with bytes {start:?}, an idx file of this kind with {magic:?}");
        return Err(Error::damaged(path, what));
    }
    let n = u32::from_be_bytes(word()?) as usize;
    // A few compressed megabytes can hold more zeros than there is memory.
    if n > most {
        return Err(Error::damaged(path, format!("claims {n} examples, the whole set has {most}")));
    }
    for &expected in shape {
        let found = u32::from_be_bytes(word()?) as usize;
        if found != expected {
            let what = format!("images with a side of {found} pixels, expected {expected}");
            return Err(Error::damaged(path, what));
        }
    }
    let expected = n as u64 * shape.iter().product::<usize>() as u64;
    // One byte more shows that there are too many. Growing on the way would take twice the memory.
    let mut bytes = Vec::with_capacity(expected as usize + 1);
    reader.take(expected + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 != expected {
        let than = if (bytes.len() as u64) < expected { "truncated: fewer" } else { "more" };
        let what = format!("{than} bytes than the {expected} its header's {n} examples need");
        return Err(Error::damaged(path, what));
    }
    Ok((n, bytes))
}
