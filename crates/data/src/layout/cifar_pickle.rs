//! CIFAR's original Python version: each file is a pickled dictionary with the labels and an array of pixels.

use std::path::{Path, PathBuf};

use pickle::{Id, Pickle, Value};

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
        let pickle = Pickle::read(&bytes, 0).map_err(|e| damaged(e.to_string()))?;
        let rows = get(&pickle, "data").and_then(|data| images(&pickle, data, &mut pixels)).map_err(damaged)?;
        let found = get(&pickle, key).and_then(|list| list_of_labels(&pickle, list, key)).map_err(damaged)?;
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

/// The value of `key` in the dictionary that the pickle makes.
fn get(pickle: &Pickle, key: &str) -> Result<Id, String> {
    if !pickle.is_dict(pickle.root()) {
        return Err("it makes no dictionary".into());
    }
    let pair = pickle.entries(pickle.root()).rev().find(|&(k, _)| says(pickle, k, key));
    pair.map(|(_, value)| value).ok_or_else(|| format!("no `{key}` in it"))
}

/// Whether a value is `text`.
fn says(pickle: &Pickle, id: Id, text: &str) -> bool {
    pickle.bytes(id).or_else(|| letters(pickle, id).map(str::as_bytes)) == Some(text.as_bytes())
}

/// Bytes as the text of the letters with their numbers: what Python 3 makes of bytes in protocol 2.
fn letters<'a>(pickle: &Pickle<'a>, id: Id) -> Option<&'a str> {
    let &Value::Call { function, arguments, .. } = pickle.value(id) else { return None };
    let &text = pickle.items(arguments).first()?;
    if pickle.global(function)? == ("_codecs", "encode") { pickle.text(text) } else { None }
}

/// Appends an array of `rows` by 3,072 bytes to `pixels`, and gives `rows`.
///
/// numpy says how to make one in two ways: an empty array that is given a state (version, shape, type, order,
/// bytes), or, since protocol 5, a call with (bytes, type, shape, order).
fn images(pickle: &Pickle, data: Id, pixels: &mut Vec<u8>) -> Result<usize, String> {
    let wrong = || "its `data` is not an array of N x 3072 bytes".to_owned();
    let &Value::Call { function, arguments, state, .. } = pickle.value(data) else { return Err(wrong()) };
    let (shape, kind, order, content) = match (pickle.global(function), state) {
        (Some((_, "_reconstruct")), Some(state)) => match *pickle.items(state) {
            [_, shape, kind, order, content] => (shape, kind, order, content),
            _ => return Err(wrong()),
        },
        (Some((_, "_frombuffer")), None) => match *pickle.items(arguments) {
            [content, kind, shape, order] => (shape, kind, order, content),
            _ => return Err(wrong()),
        },
        _ => return Err(wrong()),
    };
    let Some(&[rows, PIXELS]) = pickle.sizes(shape).as_deref() else { return Err(wrong()) };
    let &Value::Call { function, arguments, .. } = pickle.value(kind) else { return Err(wrong()) };
    let bytes_each = pickle.items(arguments).first().is_some_and(|&kind| says(pickle, kind, "u1"));
    let row_by_row =
        pickle.size(order) == Some(0) || matches!(pickle.value(order), Value::Bool(false)) || says(pickle, order, "C");
    if !matches!(pickle.global(function), Some((_, "dtype"))) || !bytes_each || !row_by_row {
        return Err(wrong());
    }
    let before = pixels.len();
    if let Some(bytes) = pickle.bytes(content) {
        pixels.extend_from_slice(bytes);
    } else {
        for letter in letters(pickle, content).ok_or_else(wrong)?.chars() {
            pixels.push(u8::try_from(letter).map_err(|_| wrong())?);
        }
    }
    let found = pixels.len() - before;
    if rows.checked_mul(PIXELS) != Some(found) {
        return Err(format!("{found} bytes of pixels, but {rows} x {PIXELS} claimed"));
    }
    Ok(rows)
}

fn list_of_labels(pickle: &Pickle, list: Id, key: &str) -> Result<Vec<i128>, String> {
    let wrong = || format!("its `{key}` are not a list of integers");
    let (Value::List(list) | Value::Tuple(list)) = pickle.value(list) else { return Err(wrong()) };
    let label = |&id| if let Value::Int(label) = pickle.value(id) { Ok(*label) } else { Err(wrong()) };
    list.iter().map(label).collect()
}
