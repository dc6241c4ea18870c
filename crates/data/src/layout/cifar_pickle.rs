//! CIFAR's original Python version: each file is a pickled dictionary with the labels and an array of pixels.

mod machine;

use std::path::{Path, PathBuf};

use self::machine::{Pickle, Value};
use super::Reading;
use super::batches::{Batches, room};
use crate::{Dataset, Error, Name, Splits};

const PIXELS: usize = 3 * 32 * 32;

const CIFAR10: Batches = Batches {
    folder: "cifar-10-batches-py",
    train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
    test: "test_batch",
};

const CIFAR100: Batches = Batches { folder: "cifar-100-python", train: &["train"], test: "test" };

/// The files, and the dictionary's key of the labels.
fn files(name: Name) -> Option<(Batches, &'static str)> {
    match name {
        Name::Cifar10 => Some((CIFAR10, "labels")),
        Name::Cifar100 => Some((CIFAR100, "fine_labels")),
        _ => None,
    }
}

/// What [`find`] looks for, for error messages.
pub(super) fn layout(name: Name) -> Option<String> {
    Some(files(name)?.0.describe("Python version"))
}

/// The data set in `dir`, or nothing if there are no pickled batches of it.
pub(super) fn find(name: Name, dir: &Path) -> Result<Option<Reading>, Error> {
    let Some((batches, key)) = files(name) else {
        return Ok(None);
    };
    let Some(found) = batches.find(dir)? else {
        return Ok(None);
    };
    Ok(Some(Box::new(move || {
        let train = read(name, &found.train, key)?;
        Ok(Splits { train, test: read(name, &[found.test], key)? })
    })))
}

fn read(name: Name, files: &[PathBuf], key: &str) -> Result<Dataset, Error> {
    let (mut pixels, mut labels) = (room(files), Vec::new());
    for path in files {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let damaged = |what: String| Error::damaged(path, format!("truncated or not a CIFAR pickle: {what}"));
        let pickle = Pickle::read(&bytes).map_err(damaged)?;
        let rows = pickle.get("data").and_then(|data| images(&pickle, data, &mut pixels)).map_err(damaged)?;
        let found = pickle.get(key).and_then(|list| list_of_labels(&pickle, list, key)).map_err(damaged)?;
        if found.len() != rows {
            return Err(damaged(format!("{rows} images but {} labels", found.len())));
        }
        for (row, label) in found.into_iter().enumerate() {
            match u8::try_from(label) {
                Ok(label) if usize::from(label) < name.classes() => labels.push(label),
                _ => return Err(Error::row(path, row, format!("label {label} is not in 0..{}", name.classes()))),
            }
        }
        if rows == 0 {
            return Err(Error::Empty { path: path.clone() });
        }
    }
    Dataset::new(name, pixels, labels)
}

/// Appends an array of `rows` by 3,072 bytes to `pixels`, and gives `rows`.
///
/// numpy says how to make one in two ways: an empty array that is given a state (version, shape, type, order,
/// bytes), or, since protocol 5, a call with (bytes, type, shape, order).
fn images(pickle: &Pickle<'_>, data: &Value<'_>, pixels: &mut Vec<u8>) -> Result<usize, String> {
    let wrong = || "its `data` is not an array of N x 3072 bytes".to_owned();
    let Value::Call { function, arguments, state } = data else { return Err(wrong()) };
    let (shape, kind, order, content) = match (pickle.name(*function)?, state) {
        ("_reconstruct", Some(state)) => match pickle.items(*state)? {
            [_, shape, kind, order, content] => (shape, kind, order, content),
            _ => return Err(wrong()),
        },
        ("_frombuffer", None) => match pickle.items(*arguments)? {
            [content, kind, shape, order] => (shape, kind, order, content),
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    };
    let [rows, PIXELS] = pickle.sizes(*shape)?[..] else { return Err(wrong()) };
    let Value::Call { function, arguments, .. } = pickle.value(*kind) else { return Err(wrong()) };
    let bytes_each = pickle.items(*arguments)?.first().is_some_and(|&kind| pickle.says(kind, "u1"));
    let row_by_row = matches!(pickle.value(*order), Value::Int(0)) || pickle.says(*order, "C");
    if pickle.name(*function)? != "dtype" || !bytes_each || !row_by_row {
        return Err(wrong());
    }
    let before = pixels.len();
    match pickle.value(*content) {
        Value::Bytes(bytes) => pixels.extend_from_slice(bytes),
        Value::Letters(text) => {
            for letter in text.chars() {
                pixels.push(u8::try_from(letter).map_err(|_| wrong())?);
            }
        }
        _ => return Err(wrong()),
    }
    let found = pixels.len() - before;
    if rows.checked_mul(PIXELS) != Some(found) {
        return Err(format!("{found} bytes of pixels, but {rows} x {PIXELS} claimed"));
    }
    Ok(rows)
}

fn list_of_labels(pickle: &Pickle<'_>, list: &Value<'_>, key: &str) -> Result<Vec<i64>, String> {
    let wrong = || format!("its `{key}` are not a list of integers");
    let Value::Items(list) = list else { return Err(wrong()) };
    let label = |&id| if let Value::Int(label) = pickle.value(id) { Ok(*label) } else { Err(wrong()) };
    list.iter().map(label).collect()
}
