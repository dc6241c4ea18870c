//! Files that other libraries wrote (`fixtures/write.py`): pyarrow, pillow, scipy, numpy and Python itself.

use std::path::{Path, PathBuf};

use data::{Dataset, Name, Splits, load};

/// A folder of `fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(name: Name, folder: &str) -> Splits {
    load(name, Some(&fixture(folder)), 0).unwrap_or_else(|e| panic!("{e}"))
}

/// What `images` of the script gives for a place.
fn noisy(n: usize, c: usize, y: usize, x: usize) -> u8 {
    ((31 * n + 97 * c + 5 * y + 11 * x + y * x) % 256) as u8
}

/// What `smooth` gives.
fn smooth(n: usize, c: usize, y: usize, x: usize) -> u8 {
    (8 * n + 16 * c + 2 * y + x) as u8
}

/// `set` has `labels`, and its images are numbers `first` and on of `formula`, but for `tolerance` grey levels.
#[track_caller]
fn holds(set: &Dataset, labels: &[u32], first: usize, formula: fn(usize, usize, usize, usize) -> u8, tolerance: u8) {
    assert_eq!(set.labels(), labels);
    let [channels, height, width] = set.shape();
    for i in 0..set.len() {
        for (at, &pixel) in set.pixels(i).iter().enumerate() {
            let (c, y, x) = (at / (height * width) % channels, at / width % height, at % width);
            let expected = formula(first + i, c, y, x);
            assert!(pixel.abs_diff(expected) <= tolerance, "image {i}, {c} {y} {x}: {pixel}, not {expected}");
        }
    }
}

#[test]
fn pickles_of_every_protocol_are_read() {
    for version in ["python2", "2", "3", "4", "5"] {
        for inner in ["", "/cifar-10-batches-py"] {
            let Splits { train, test } = read(Name::Cifar10, &format!("pickle-{version}{inner}"));
            holds(&train, &[3, 9], 0, noisy, 0);
            holds(&test, &[5], 2, noisy, 0);
        }
    }
}

#[test]
fn cifar100_has_fine_labels() {
    let Splits { train, test } = read(Name::Cifar100, "pickle-python2");
    holds(&train, &[19, 99], 0, noisy, 0);
    holds(&test, &[0], 2, noisy, 0);
}

#[test]
fn matlab_files_are_read_compressed_or_not_and_ten_is_the_digit_zero() {
    let Splits { train, test } = read(Name::Svhn, "svhn");
    holds(&train, &[0, 1], 0, noisy, 0);
    holds(&test, &[9], 2, noisy, 0);
    assert_eq!(read(Name::Svhn, "").train.labels(), [0, 1], "from the folder around it");
}

#[test]
fn idx_files_are_read_compressed_or_not() {
    let Splits { train, test } = read(Name::Mnist, "idx");
    holds(&train, &[8, 9], 0, noisy, 0);
    holds(&test, &[7], 2, noisy, 0);
}

#[test]
fn parquet_files_of_png_images_are_read_in_the_order_of_their_rows() {
    let Splits { train, test } = read(Name::Cifar10, "parquet");
    holds(&train, &[3, 9, 0, 7], 0, noisy, 0);
    holds(&test, &[5, 1], 4, noisy, 0);
}

#[test]
fn parquet_files_of_jpeg_images_are_read_and_the_validation_split_is_the_test() {
    let Splits { train, test } = read(Name::TinyImagenet, "parquet");
    assert_eq!(train.shape(), [3, 64, 64]);
    holds(&train, &[0, 199], 0, smooth, 3);
    holds(&test, &[1], 3, smooth, 3);
}

#[test]
fn folders_of_jpeg_images_are_dealt_to_all_classes_and_grey_ones_get_three_channels() {
    for inner in ["", "/tiny-imagenet-200"] {
        let Splits { train, test } = read(Name::TinyImagenet, &format!("jpeg{inner}"));
        assert_eq!(train.labels(), [0, 199, 0], "the first images of a file are of one class");
        holds(&train.select(&[0, 2]), &[0, 0], 0, smooth, 3);
        holds(&train.select(&[1]), &[199], 2, |n, _, y, x| smooth(n, 0, y, x), 3);
        holds(&test, &[1], 3, smooth, 3);
    }
}
