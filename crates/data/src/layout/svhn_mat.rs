//! SVHN's original cropped digits: MATLAB files with the images `X` and the labels `y`.

mod matlab;

use std::path::Path;

use self::matlab::File;
use super::Reading;
use super::batches::{Batches, Found};
use crate::{Dataset, Error, Name, Splits};

const BATCHES: Batches = Batches { folder: "svhn", train: &["train_32x32.mat"], test: "test_32x32.mat" };

/// Width and height, which are equal.
const SIDE: usize = 32;
const CHANNELS: usize = 3;

/// What [`find`] looks for, for error messages.
pub(super) fn layout(name: Name) -> Option<String> {
    (name == Name::Svhn).then(|| BATCHES.describe("MATLAB version"))
}

/// The data set in `dir`, or nothing if it is no SVHN or there are no MATLAB files of it.
pub(super) fn find(name: Name, dir: &Path) -> Result<Option<Reading>, Error> {
    if name != Name::Svhn {
        return Ok(None);
    }
    let Some(Found { train, test }) = BATCHES.find(dir)? else {
        return Ok(None);
    };
    let read = move || Ok(Splits { train: read(&train[0])?, test: read(&test)? });
    Ok(Some(Box::new(read)))
}

fn read(path: &Path) -> Result<Dataset, Error> {
    let damaged = |what: String| Error::damaged(path, what);
    let mut file = File::open(path).map_err(damaged)?;
    let (mut pixels, mut labels) = (None, None);
    while let Some(mut array) = file.next().map_err(damaged)? {
        match array.name.as_str() {
            "X" => pixels = Some(images(&mut array).map_err(damaged)?),
            "y" => labels = Some(digits(&mut array).map_err(damaged)?),
            _ => {}
        }
    }
    let (Some(pixels), Some(labels)) = (pixels, labels) else {
        return Err(damaged("does not hold both X and y".into()));
    };
    if labels.is_empty() && pixels.is_empty() {
        return Err(Error::Empty { path: path.into() });
    }
    if pixels.len() != labels.len() * CHANNELS * SIDE * SIDE {
        let images = pixels.len() / (CHANNELS * SIDE * SIDE);
        return Err(damaged(format!("{images} images but {} labels", labels.len())));
    }
    let digit = |(row, label): (usize, f64)| {
        let known = label.fract() == 0. && (0. ..=10.).contains(&label);
        // MATLAB counts from 1: the digit 0 is the tenth.
        known.then_some(label as u8 % 10).ok_or_else(|| Error::row(path, row, format!("label {label} is not in 1..10")))
    };
    let labels = labels.into_iter().enumerate().map(digit).collect::<Result<_, _>>()?;
    Dataset::new(Name::Svhn, pixels, labels)
}

/// Each image is stored column by column, channel after channel.
fn images(array: &mut matlab::Array<'_>) -> Result<Vec<u8>, String> {
    let &[SIDE, SIDE, CHANNELS, count] = &array.shape[..] else {
        return Err(format!("X is an array of {:?}, expected [32, 32, 3, N]", array.shape));
    };
    check(count)?;
    let mut pixels = vec![0; count * CHANNELS * SIDE * SIDE];
    let mut image = [0; CHANNELS * SIDE * SIDE];
    for out in pixels.chunks_exact_mut(image.len()) {
        array.bytes(&mut image)?;
        for (i, pixel) in out.iter_mut().enumerate() {
            let (channel, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
            *pixel = image[(channel * SIDE + x) * SIDE + y];
        }
    }
    Ok(pixels)
}

fn digits(array: &mut matlab::Array<'_>) -> Result<Vec<f64>, String> {
    let &[count, 1] = &array.shape[..] else {
        return Err(format!("y is an array of {:?}, expected [N, 1]", array.shape));
    };
    check(count)?;
    (0..count).map(|_| array.number()).collect()
}

/// A few compressed bytes can stand for many that are all alike.
fn check(count: usize) -> Result<(), String> {
    let most = 2 * Name::Svhn.train_len();
    if count > most { Err(format!("claims {count} examples; svhn has fewer")) } else { Ok(()) }
}
