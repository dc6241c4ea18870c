//! Local copies of a data set that are missing, damaged or something else.

use crate::{
    outcome::fails,
    program::{Noise, TINY, files, text, trained},
};
use parquet::{
    data_type::{ByteArrayType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use std::{fs::File, path::Path, sync::Arc};
use tempfile::TempDir;

/// `count` CIFAR-10 records of noise, with labels in turn.
pub fn records(count: usize) -> Vec<u8> {
    let record = |i: usize| std::iter::once((i % 10) as u8).chain((0..3072).map(move |p| (p * 7 + i * 31) as u8));
    (0..count).flat_map(record).collect()
}

/// A CIFAR-10 in the original binary layout.
pub fn binary(train: &[u8], test: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data_batch_1.bin"), train).unwrap();
    std::fs::write(folder.path().join("test_batch.bin"), test).unwrap();
    folder
}

/// A Parquet file in the Hub's layout whose images are `images`.
pub fn parquet(path: &Path, images: &[&[u8]]) {
    let schema = "message schema { required group img { required binary bytes; } required int64 label; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let images: Vec<_> = images.iter().map(|image| image.to_vec().into()).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&images, None, None).unwrap();
    column.close().unwrap();
    let labels: Vec<i64> = (0..images.len() as i64).map(|i| i % 10).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&labels, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

/// Every binary that reads data must say the same of `folder`, and train nothing.
#[track_caller]
fn all_fail(dataset: &str, folder: &Path, expected: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let folder_text = folder.display().to_string();
    let place = ["--dataset", dataset, "--data-dir", &folder_text];
    let expected = [&[&*folder_text], expected].concat();
    let said = fails("table1", &[&TINY[..], &place].concat(), out.path(), &expected);
    let train = [&["--framework", "pgd-at"], &TINY[..], &place].concat();
    assert_eq!(fails("train", &train, out.path(), &expected), said);
    let evaluate = [&["--checkpoint", "nowhere.pt", "--arch", "tiny"], &place[..]].concat();
    assert_eq!(fails("evaluate", &evaluate, out.path(), &expected), said);
    assert_eq!(files(out.path()), [out.path().join("log.txt")]);
}

#[test]
fn a_missing_folder_is_named_with_the_known_layouts() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    all_fail("cifar10", &nowhere, &["no such folder", "looked for", "train", ".parquet", "data_batch_1.bin"]);
    all_fail("mnist", &nowhere, &["no such folder", "looked for", "idx3"]);
}

#[test]
fn a_folder_without_a_known_layout_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("readme.txt"), "nothing here").unwrap();
    all_fail("cifar10", folder.path(), &["no cifar10 data in this folder", "looked for", "test_batch.bin"]);
    all_fail("svhn", folder.path(), &["no svhn data in this folder", "looked for", "cropped_digits"]);
    all_fail("cifar10", &folder.path().join("readme.txt"), &["not a folder", "looked for"]);
}

#[test]
fn a_copy_that_lacks_images_is_used_but_said_to() {
    let noise = Noise::new();
    let (out, _) = trained(&noise, &["--framework", "standard"]);
    let log = text(&out.path().join("log.txt"));
    for said in
        ["cifar10: this copy has 600 of 50000 training images", "cifar10: this copy has 40 of 10000 test images"]
    {
        assert!(log.contains(said), "{log}");
    }
}

#[test]
fn half_a_data_set_is_named() {
    let folder = binary(&records(20), &records(20));
    std::fs::remove_file(folder.path().join("test_batch.bin")).unwrap();
    all_fail("cifar10", folder.path(), &["the test split is missing", "looked for test_batch.bin"]);
}

#[test]
fn a_batch_of_a_wrong_size_is_named() {
    let whole = records(20);
    let folder = binary(&whole, &whole[..whole.len() - 1]);
    let expected = ["test_batch.bin", "size 61459 is not a multiple of the 3073-byte record", "download it again"];
    all_fail("cifar10", folder.path(), &expected);
    let folder = binary(&[], &whole);
    all_fail("cifar10", folder.path(), &["data_batch_1.bin", "no examples", "download it again"]);
}

#[test]
fn a_label_that_is_no_class_is_named() {
    let mut labels = records(20);
    labels[3073 * 7] = 10;
    let folder = binary(&labels, &records(20));
    all_fail("cifar10", folder.path(), &["data_batch_1.bin: row 7", "label 10 is not in 0..10", "download"]);
}

#[test]
fn a_damaged_parquet_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [train, test] = ["train", "test"].map(|split| folder.path().join(format!("{split}-00000-of-00001.parquet")));
    parquet(&train, &[b"not an image"]);
    parquet(&test, &[b"not an image"]);
    let expected = ["train-00000-of-00001.parquet: row 0", "not a PNG image", "download the file again"];
    all_fail("cifar10", folder.path(), &expected);

    let whole = std::fs::read(&train).unwrap();
    for bytes in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], b""] {
        std::fs::write(&train, bytes).unwrap();
        let expected = ["train-00000-of-00001.parquet", "truncated or not a parquet file", "download it again"];
        all_fail("cifar10", folder.path(), &expected);
    }
}

/// The Parquet crate panics on some damage; the user sees one line all the same.
#[test]
fn no_damage_to_a_parquet_file_shows_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let [train, test] = ["train", "test"].map(|split| folder.path().join(format!("{split}.parquet")));
    parquet(&train, &[b"not an image"]);
    parquet(&test, &[b"not an image"]);
    let whole = std::fs::read(&train).unwrap();
    let out = tempfile::tempdir().unwrap();
    let folder = folder.path().display().to_string();
    let place = ["--dataset", "cifar10", "--data-dir", &folder, "--checkpoint", "nowhere.pt", "--arch", "tiny"];
    for i in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[i] ^= 0xff;
        std::fs::write(&train, bytes).unwrap();
        fails("evaluate", &place, out.path(), &["train.parquet"]);
    }
}

#[test]
fn a_damaged_idx_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let images = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..], &[7; 784]].concat();
    for part in ["train", "t10k"] {
        std::fs::write(folder.path().join(format!("{part}-images-idx3-ubyte")), &images).unwrap();
        std::fs::write(folder.path().join(format!("{part}-labels-idx1-ubyte")), [0, 0, 8, 1, 0, 0, 0, 1, 3]).unwrap();
    }
    let train = folder.path().join("train-images-idx3-ubyte");
    std::fs::write(&train, &images[..images.len() - 1]).unwrap();
    all_fail("mnist", folder.path(), &["train-images-idx3-ubyte", "truncated", "download it again"]);
    std::fs::remove_file(&train).unwrap();
    all_fail("mnist", folder.path(), &["idx files is missing", "looked for train-images-idx3-ubyte"]);
}

#[test]
fn without_folder_cache_and_network_the_error_says_what_to_pass() {
    let out = tempfile::tempdir().unwrap();
    let cache = out.path().join("cache");
    let output = crate::program::command("table1")
        .args(TINY)
        .args(["--dataset", "cifar10", "--out"])
        .arg(out.path().join("results"))
        .env("HF_HOME", &cache)
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: cifar10: not in the Hugging Face cache"), "{errors}");
    assert!(errors.contains(&cache.display().to_string()) && errors.contains("--data-dir DIR"), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}
