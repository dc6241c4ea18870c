//! The Hub's layout, and everything that can be wrong with it.

use std::path::Path;

use data::{Error, Name, load};
use tempfile::TempDir;

use crate::files::{CIFAR10, Row, parquet, plain, png};

fn folder(train: &[Row], test: &[Row]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    parquet(&dir.path().join("train-00000-of-00001.parquet"), CIFAR10, train, 2);
    parquet(&dir.path().join("test-00000-of-00001.parquet"), CIFAR10, test, 2);
    dir
}

fn message(name: Name, dir: &Path) -> String {
    let message = load(name, Some(dir), 0).unwrap_err().to_string();
    assert!(message.starts_with(&dir.display().to_string()), "{message}");
    assert!(!message.contains('\n'), "{message}");
    message
}

#[track_caller]
fn bad_train_row(row: Row, expected: &str) {
    let dir = folder(&[plain(1, 1), plain(2, 2), plain(3, 3), row], &[plain(4, 4)]);
    let message = message(Name::Cifar10, dir.path());
    assert!(message.contains("train-00000-of-00001.parquet: row 3 (counting from 0): "), "{message}");
    assert!(message.contains(expected), "{message}");
}

#[test]
fn images_are_channel_first_and_labels_in_row_order() {
    let colour = (Some(png(32, 32, &[10, 20, 30])), 7);
    let dir = folder(&[plain(1, 1), plain(2, 2), colour], &[plain(4, 4)]);
    let splits = load(Name::Cifar10, Some(dir.path()), 0).unwrap();
    assert_eq!(splits.train.labels(), [1, 2, 7]);
    assert_eq!(splits.test.labels(), [4]);
    let pixels = splits.train.pixels(2);
    assert!(pixels[..1024].iter().all(|&p| p == 10));
    assert!(pixels[1024..2048].iter().all(|&p| p == 20));
    assert!(pixels[2048..].iter().all(|&p| p == 30));
}

#[test]
fn shards_are_read_in_name_order_from_the_hubs_folder_too() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("plain_text");
    std::fs::create_dir(&inner).unwrap();
    parquet(&inner.join("train-00001-of-00002.parquet"), CIFAR10, &[plain(3, 3)], 2);
    parquet(&inner.join("train-00000-of-00002.parquet"), CIFAR10, &[plain(1, 1), plain(2, 2)], 2);
    parquet(&inner.join("test-00000-of-00001.parquet"), CIFAR10, &[plain(4, 4)], 2);
    let splits = load(Name::Cifar10, Some(dir.path()), 0).unwrap();
    assert_eq!(splits.train.labels(), [1, 2, 3]);
    assert_eq!(splits.train.pixels(2)[0], 3);

    std::fs::remove_file(inner.join("train-00001-of-00002.parquet")).unwrap();
    let message = message(Name::Cifar10, dir.path());
    assert!(message.contains("1 of 2 train files are here; looked for train-00001-of-00002.parquet"), "{message}");
}

/// A shard of one image.
fn write(dir: &tempfile::TempDir, name: &str) {
    parquet(&dir.path().join(name), CIFAR10, &[plain(1, 1)], 2);
}

#[test]
fn shards_of_two_copies_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "train-00000-of-00001.parquet");
    write(&dir, "test-00000-of-00001.parquet");
    assert_eq!(load(Name::Cifar10, Some(dir.path()), 0).unwrap().train.len(), 1);
    for second in ["train-00001-of-00002.parquet", "train.parquet", "train-00000-of-00001-0a1b2c.parquet"] {
        write(&dir, second);
        let message = message(Name::Cifar10, dir.path());
        assert!(
            message.contains(
                "2 train files are here, more than one copy has; looked for 1, the last train-00000-of-00001.parquet"
            ),
            "{message}"
        );
        std::fs::remove_file(dir.path().join(second)).unwrap();
    }
}

#[test]
fn shards_named_by_a_hash_too_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "train-00000-of-00002-0a1b2c.parquet");
    write(&dir, "test-00000-of-00001-3d4e5f.parquet");
    let message = message(Name::Cifar10, dir.path());
    assert!(message.contains("1 of 2 train files are here"), "{message}");
    write(&dir, "train-00001-of-00002-6a7b8c.parquet");
    assert_eq!(load(Name::Cifar10, Some(dir.path()), 0).unwrap().train.len(), 2);
}

#[test]
fn a_shard_of_none_is_no_number() {
    let dir = tempfile::tempdir().unwrap();
    for split in ["train", "test"] {
        write(&dir, &format!("{split}-00000-of-00000.parquet"));
    }
    assert_eq!(load(Name::Cifar10, Some(dir.path()), 0).unwrap().train.len(), 1);
}

#[test]
fn other_sets_have_their_own_columns() {
    let dir = tempfile::tempdir().unwrap();
    let schema = "message schema { optional group image { optional binary bytes; optional binary path; }
                  optional int64 label; }";
    for split in ["train", "test"] {
        let path = dir.path().join(format!("{split}-00000-of-00001.parquet"));
        parquet(&path, schema, &[(Some(png(28, 28, &[9])), 5)], 1);
    }
    let splits = load(Name::Mnist, Some(dir.path()), 0).unwrap();
    assert_eq!((splits.train.pixels(0), splits.train.label(0)), (&[9; 784][..], 5));

    let message = message(Name::Cifar100, dir.path());
    assert!(message.contains("no column fine_label; the file has image.bytes, image.path, label"), "{message}");
}

#[test]
fn a_cell_must_be_a_png_image() {
    bad_train_row((Some(b"not an image".to_vec()), 1), "not a PNG image");
    bad_train_row((Some(Vec::new()), 1), "not a PNG image");
    let whole = png(32, 32, &[5, 6, 7]);
    bad_train_row((Some(whole[..whole.len() - 20].to_vec()), 1), "PNG image");
    bad_train_row((None, 1), "the image is null");
}

#[test]
fn an_image_must_have_the_right_size_and_colours() {
    bad_train_row((Some(png(28, 32, &[1, 2, 3])), 1), "the image is 28x32, expected 32x32");
    bad_train_row((Some(png(32, 32, &[1])), 1), "the image is L8, expected Rgb8");
    bad_train_row((Some(png(32, 32, &[1, 2, 3, 4])), 1), "the image is Rgba8, expected Rgb8");
}

#[test]
fn a_label_must_be_a_class() {
    bad_train_row(plain(1, 10), "label 10 is not in 0..10");
    bad_train_row(plain(1, -1), "label -1 is not in 0..10");
    bad_train_row(plain(1, 257), "label 257 is not in 0..10");
}

#[test]
fn the_first_bad_row_is_named_whatever_the_threads_do() {
    let mut rows: Vec<Row> = (0..200).map(|i| plain(0, i % 10)).collect();
    for row in &mut rows[60..] {
        row.0 = Some(vec![1, 2, 3]);
    }
    let dir = tempfile::tempdir().unwrap();
    parquet(&dir.path().join("train.parquet"), CIFAR10, &rows, 200);
    parquet(&dir.path().join("test.parquet"), CIFAR10, &[plain(0, 0)], 1);
    let message = message(Name::Cifar10, dir.path());
    assert!(message.contains("train.parquet: row 60 "), "{message}");
}

#[test]
fn a_truncated_or_foreign_file_is_named() {
    let dir = folder(&[plain(1, 1)], &[plain(4, 4)]);
    let test = dir.path().join("test-00000-of-00001.parquet");
    let whole = std::fs::read(&test).unwrap();
    for content in [&whole[..whole.len() / 2], b"", b"hello, this is not parquet", &whole[..whole.len() - 1]] {
        std::fs::write(&test, content).unwrap();
        let message = message(Name::Cifar10, dir.path());
        assert!(message.contains("test-00000-of-00001.parquet: truncated or not a parquet file ("), "{message}");
        assert!(message.ends_with("download it again"), "{message}");
    }
}

#[test]
fn damage_anywhere_is_an_error_or_harmless_but_never_a_panic() {
    let dir = folder(&[plain(1, 1), plain(2, 2), plain(3, 3)], &[plain(4, 4)]);
    let train = dir.path().join("train-00000-of-00001.parquet");
    let whole = std::fs::read(&train).unwrap();
    let mut failures = 0;
    for i in 0..whole.len() {
        let mut content = whole.clone();
        content[i] ^= 0xff;
        std::fs::write(&train, content).unwrap();
        failures += usize::from(load(Name::Cifar10, Some(dir.path()), 0).is_err());
    }
    assert!(failures > whole.len() / 4, "{failures} of {}", whole.len());
}

#[test]
fn an_empty_file_holds_no_examples() {
    let dir = folder(&[], &[plain(4, 4)]);
    let error = load(Name::Cifar10, Some(dir.path()), 0).unwrap_err();
    assert!(matches!(&error, Error::Empty { path } if path.ends_with("train-00000-of-00001.parquet")), "{error}");
}

#[test]
fn columns_of_another_type_or_name_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let train = dir.path().join("train.parquet");
    parquet(&dir.path().join("test.parquet"), CIFAR10, &[plain(4, 4)], 1);
    parquet(&train, "message s { optional binary picture; optional int64 label; }", &[plain(1, 1)], 1);
    let told = message(Name::Cifar10, dir.path());
    assert!(told.contains("no column img.bytes or image.bytes or img or image; the file has picture"), "{told}");
    parquet(&train, "message s { optional binary img; optional binary label; }", &[(None, 1)], 1);
    let told = message(Name::Cifar10, dir.path());
    assert!(told.contains("column label is BYTE_ARRAY, expected"), "{told}");
}

#[test]
fn a_missing_split_or_folder_is_named() {
    let dir = folder(&[plain(1, 1)], &[plain(4, 4)]);
    std::fs::remove_file(dir.path().join("test-00000-of-00001.parquet")).unwrap();
    let told = message(Name::Cifar10, dir.path());
    assert!(told.ends_with("the test split is missing; looked for test-*.parquet"), "{told}");

    let told = message(Name::Cifar10, &dir.path().join("nowhere"));
    assert!(told.contains("nowhere: no such folder; looked for the Hub's {train,test}-*.parquet"), "{told}");
    let told = message(Name::Cifar10, &dir.path().join("train-00000-of-00001.parquet"));
    assert!(told.contains("not a folder"), "{told}");

    let empty = tempfile::tempdir().unwrap();
    let told = message(Name::Cifar10, empty.path());
    assert!(told.contains("no cifar10 data in this folder; looked for"), "{told}");
    for file in ["plain_text/", "data_batch_1.bin", "test_batch.bin", "cifar-10-batches-bin/"] {
        assert!(told.contains(file), "{told}");
    }
    for name in [Name::Cifar100, Name::Svhn, Name::Mnist, Name::FashionMnist] {
        assert!(message(name, empty.path()).contains(&format!("no {name} data")));
    }
}

/// Found by fuzzing: the parquet crate takes a turn for each of the booleans that a footer claims.
#[test]
fn a_footer_cannot_claim_more_than_it_holds() {
    let dir = folder(&[plain(1, 1)], &[plain(4, 4)]);
    let train = dir.path().join("train-00000-of-00001.parquet");
    // Field 100, which is unknown: a list of 2^31 - 1 booleans, the same of structures, a map of booleans.
    let booleans = b"\x09\xc8\x01\xf1\xff\xff\xff\xff\x07";
    let structures = b"\x09\xc8\x01\xfc\xff\xff\xff\xff\x07";
    let map = b"\x0b\xc8\x01\xff\xff\xff\xff\x07\x11";
    for claim in [&booleans[..], structures, map] {
        let footer = [&claim.repeat(40)[..], b"\0"].concat();
        let size = (footer.len() as u32).to_le_bytes();
        std::fs::write(&train, [b"PAR1", &footer[..], &size, b"PAR1"].concat()).unwrap();
        let told = message(Name::Cifar10, dir.path());
        assert!(told.contains("its footer claims more than it can hold; download it again"), "{told}");
    }
}

/// Found by reading: so does a page's header, and there it reads fields without a look at their kind.
#[test]
fn a_page_cannot_claim_more_than_it_holds() {
    let dir = folder(&[plain(1, 1)], &[plain(4, 4)]);
    let train = dir.path().join("train-00000-of-00001.parquet");
    let whole = std::fs::read(&train).unwrap();
    // Lists of booleans, of structures; a map; and one in a binary value where the size of the page should be.
    let booleans = &b"\x09\xc8\x01\xf1\xff\xff\xff\xff\x07"[..];
    let hidden = [b"\x18\x7f", booleans].concat();
    let nested = [b"\x5c", booleans].concat();
    let structures = b"\x09\xc8\x01\xfc\xff\xff\xff\xff\x07";
    for claim in [booleans, structures, b"\x0b\xc8\x01\xff\xff\xff\xff\x07\x11", &hidden, &nested] {
        // The first page begins behind the magic bytes.
        let mut damaged = whole.clone();
        damaged[4..4 + claim.len()].copy_from_slice(claim);
        std::fs::write(&train, damaged).unwrap();
        let told = message(Name::Cifar10, dir.path());
        assert!(told.contains("a page of row group 0 claims more than it can hold; download it again"), "{told}");
    }
}

/// Found by fuzzing: the parquet crate makes room for as many values as a dictionary claims.
#[test]
fn a_dictionary_cannot_claim_more_than_it_holds() {
    let dir = folder(&[plain(1, 1)], &[plain(4, 4)]);
    let train = dir.path().join("train-00000-of-00001.parquet");
    let whole = std::fs::read(&train).unwrap();
    // Its header: field 7, a structure whose field 1 is the number of values, which is one, and 2 their encoding.
    let at = whole.windows(6).position(|window| window == b"\x4c\x15\x02\x15\x00\x12").unwrap() + 2;
    let claimed = [&whole[..at], b"\xfe\xff\xff\xff\x0f", &whole[at + 1..]].concat();
    std::fs::write(&train, claimed).unwrap();
    let told = message(Name::Cifar10, dir.path());
    assert!(told.contains("a page of row group 0 claims more than it can hold; download it again"), "{told}");
}

/// A few hundred bytes can stand for any number of rows that are all alike.
#[test]
fn many_more_rows_than_the_data_set_has_are_refused() {
    let dir = folder(&vec![plain(1, 1); 100_001], &[plain(4, 4)]);
    let told = message(Name::Cifar10, dir.path());
    assert!(told.contains("train-00000-of-00001.parquet: claims 100001 rows; cifar10 has fewer"), "{told}");
}
