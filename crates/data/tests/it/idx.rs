//! MNIST's original files.

use std::path::{Path, PathBuf};

use data::{Name, load};
use tempfile::TempDir;

use crate::files::idx;

const IMAGES: [u8; 4] = [0, 0, 8, 3];
const LABELS: [u8; 4] = [0, 0, 8, 1];

/// A folder with two training and one test example, its training files' names ending in `suffix`.
fn folder(suffix: &str) -> (TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join(format!("train-images-idx3-ubyte{suffix}"));
    let labels = dir.path().join(format!("train-labels-idx1-ubyte{suffix}"));
    idx(&images, IMAGES, &[2, 28, 28], &[[1; 784], [2; 784]].concat());
    idx(&labels, LABELS, &[2], &[8, 9]);
    idx(&dir.path().join("t10k-images-idx3-ubyte.gz"), IMAGES, &[1, 28, 28], &[3; 784]);
    idx(&dir.path().join("t10k-labels-idx1-ubyte.gz"), LABELS, &[1], &[7]);
    (dir, images, labels)
}

fn message(dir: &Path) -> String {
    load(Name::Mnist, Some(dir), 0).unwrap_err().to_string()
}

#[test]
fn compressed_and_plain_files_are_read() {
    for suffix in ["", ".gz"] {
        let (dir, ..) = folder(suffix);
        for name in [Name::Mnist, Name::FashionMnist] {
            let splits = load(name, Some(dir.path()), 0).unwrap();
            assert_eq!((splits.train.labels(), splits.test.labels()), (vec![8, 9], vec![7]));
            assert_eq!(splits.train.pixels(1), [2; 784]);
            assert_eq!(splits.train.shape(), [1, 28, 28]);
        }
    }
}

#[test]
fn headers_and_lengths_are_checked() {
    for suffix in ["", ".gz"] {
        let (dir, images, labels) = folder(suffix);
        let both = [[1; 784], [2; 784]].concat();
        idx(&images, LABELS, &[2, 28, 28], &both);
        assert!(message(dir.path()).contains("starts with bytes [0, 0, 8, 1]"));
        idx(&images, IMAGES, &[2, 28, 32], &both);
        assert!(message(dir.path()).contains("a side of 32 pixels, expected 28"));
        idx(&images, IMAGES, &[3, 28, 28], &both);
        assert!(message(dir.path()).contains("truncated: fewer bytes than the 2352"));
        idx(&images, IMAGES, &[60_000, 28, 28], &both);
        assert!(message(dir.path()).contains("truncated: fewer bytes"));
        for claimed in [60_001, u32::MAX] {
            idx(&images, IMAGES, &[claimed, 28, 28], &both);
            assert!(message(dir.path()).contains(&format!("claims {claimed} examples, the whole set has 60000")));
        }
        idx(&images, IMAGES, &[1, 28, 28], &both);
        assert!(message(dir.path()).contains("more bytes than the 784"));
        idx(&images, IMAGES, &[1, 28, 28], &both[..784]);
        assert!(message(dir.path()).contains("2 labels, but"));
        idx(&images, IMAGES, &[2, 28, 28], &both);
        idx(&labels, LABELS, &[2], &[8, 10]);
        assert!(message(dir.path()).contains("row 1 (counting from 0): label 10 is not in 0..10"));
        idx(&images, IMAGES, &[0, 28, 28], &[]);
        idx(&labels, LABELS, &[0], &[]);
        assert!(message(dir.path()).contains("holds no examples"));
    }
}

#[test]
fn truncated_and_missing_files_are_named() {
    let (dir, images, labels) = folder(".gz");
    let whole = std::fs::read(&images).unwrap();
    std::fs::write(&images, &whole[..whole.len() - 9]).unwrap();
    let told = message(dir.path());
    assert!(told.contains("train-images-idx3-ubyte.gz: truncated or not a gzip file ("), "{told}");
    std::fs::write(&images, b"plain text").unwrap();
    assert!(message(dir.path()).contains("truncated or not a gzip file"));

    std::fs::remove_file(&labels).unwrap();
    let told = message(dir.path());
    assert!(told.ends_with("looked for train-labels-idx1-ubyte or train-labels-idx1-ubyte.gz"), "{told}");

    let (dir, images, _) = folder("");
    std::fs::write(&images, [0, 0, 8]).unwrap();
    let told = message(dir.path());
    assert!(told.contains("truncated or not an idx file"), "{told}");
}
