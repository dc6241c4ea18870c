//! Tiny-ImageNet's original: a JPEG file an image, in folders named by WordNet identifiers.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Reading;
use crate::{Dataset, Error, Name, Splits, encoded, progress};

/// The folder that the original archive unpacks to.
const FOLDER: &str = "tiny-imagenet-200";
/// Which class each validation image belongs to: one line a file, its name and an identifier first.
const ANNOTATIONS: &str = "val_annotations.txt";

/// What [`find`] looks for, for error messages.
pub(super) fn layout(name: Name) -> Option<String> {
    (name == Name::TinyImagenet).then(|| {
        format!("the original's train/ID/images/*.JPEG and val/{ANNOTATIONS} in {FOLDER}/ or in the folder itself")
    })
}

/// The data set in `dir`, or nothing if it is no Tiny-ImageNet or its folders are not there. Any of the classes
/// may be absent.
pub(super) fn find(name: Name, dir: &Path) -> Result<Option<Reading>, Error> {
    if name != Name::TinyImagenet {
        return Ok(None);
    }
    let Some(dir) = [dir.to_owned(), dir.join(FOLDER)].into_iter().find(|dir| dir.join("val").is_dir()) else {
        return Ok(None);
    };
    Ok(Some(Box::new(move || {
        let [train, val] = ["train", "val"].map(|split| dir.join(split));
        let train = decode(name, &train, training(name, &train)?)?;
        Ok(Splits { train, test: decode(name, &val, validation(name, &val)?)? })
    })))
}

/// Class by class, each in the order of its files' names.
fn training(name: Name, dir: &Path) -> Result<Vec<(PathBuf, u8)>, Error> {
    let mut images = Vec::new();
    for class in listed(dir)? {
        let images_dir = class.join("images");
        let label = label(name, &class.file_name().unwrap_or_default().to_string_lossy(), &class)?;
        images.extend(listed(&images_dir)?.into_iter().map(|path| (path, label)));
    }
    Ok(images)
}

/// In the order of the annotations.
fn validation(name: Name, dir: &Path) -> Result<Vec<(PathBuf, u8)>, Error> {
    let path = dir.join(ANNOTATIONS);
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    let image = |(row, line): (usize, &str)| {
        let mut fields = line.split_whitespace();
        match (fields.next(), fields.next()) {
            (Some(file), Some(id)) if !file.contains(['/', '\\']) => {
                Ok((dir.join("images").join(file), label(name, id, &path)?))
            }
            _ => Err(Error::row(&path, row, "not the name of a file and an identifier")),
        }
    };
    text.lines().enumerate().map(image).collect()
}

fn label(name: Name, id: &str, place: &Path) -> Result<u8, Error> {
    let label = name.class_names().iter().position(|class| *class == id);
    let what = || format!("`{id}` is none of the {} classes of {name}", name.classes());
    label.and_then(|label| u8::try_from(label).ok()).ok_or_else(|| Error::damaged(place, what()))
}

/// What a folder holds, by name; what begins with a dot is the system's.
fn listed(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|e| Error::io(dir, e))?;
    let shown = entries.iter().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let mut paths: Vec<PathBuf> = shown.map(std::fs::DirEntry::path).collect();
    paths.sort_unstable();
    Ok(paths)
}

fn decode(name: Name, dir: &Path, images: Vec<(PathBuf, u8)>) -> Result<Dataset, Error> {
    if images.is_empty() {
        return Err(Error::Empty { path: dir.into() });
    }
    let size: usize = name.shape().iter().product();
    let mut pixels = vec![0; images.len() * size];
    let bar = progress::bar(images.len() as u64, format!("decoding {name}"));
    let failure = pixels.par_chunks_exact_mut(size).zip(&images).find_map_first(|(out, (path, _))| {
        bar.inc(1);
        match std::fs::read(path) {
            Err(e) => Some(Error::io(path, e)),
            Ok(bytes) => encoded::decode(&bytes, name.shape(), out).err().map(|what| Error::damaged(path, what)),
        }
    });
    bar.finish_and_clear();
    let labels = images.into_iter().map(|(_, label)| label).collect();
    failure.map_or_else(|| Dataset::new(name, pixels, labels), Err)
}
