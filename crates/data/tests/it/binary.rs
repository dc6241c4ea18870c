//! CIFAR's original binary batches.

use std::path::Path;

use data::{Error, Name, load};

use crate::files::record;

fn message(dir: &Path) -> String {
    load(Name::Cifar10, Some(dir), 0).unwrap_err().to_string()
}

#[test]
fn any_of_the_training_batches_will_do_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("data_batch_4.bin"), record(4, 40)).unwrap();
    std::fs::write(inner.join("data_batch_2.bin"), [record(1, 10), record(2, 20)].concat()).unwrap();
    std::fs::write(inner.join("test_batch.bin"), record(9, 90)).unwrap();
    let splits = load(Name::Cifar10, Some(dir.path()), 0).unwrap();
    assert_eq!(splits.train.labels(), [1, 2, 4]);
    assert_eq!(splits.test.labels(), [9]);
    assert_eq!(splits.train.pixels(1), &record(2, 20)[1..]);
}

#[test]
fn cifar100_has_a_coarse_label_before_the_fine_one() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["train.bin", "test.bin"] {
        std::fs::write(dir.path().join(file), [vec![19], record(99, 3)].concat()).unwrap();
    }
    let splits = load(Name::Cifar100, Some(dir.path()), 0).unwrap();
    assert_eq!(splits.train.label(0), 99);
    assert_eq!(splits.train.pixels(0), &record(99, 3)[1..]);
}

#[test]
fn sizes_labels_and_missing_files_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let batch = dir.path().join("data_batch_1.bin");
    let test = dir.path().join("test_batch.bin");
    std::fs::write(&test, record(0, 0)).unwrap();
    let told = message(dir.path());
    assert!(told.contains("the train split is missing; looked for data_batch_1.bin, "), "{told}");

    std::fs::write(&batch, &[record(0, 0), record(0, 1)].concat()[..6000]).unwrap();
    assert_eq!(
        message(dir.path()),
        format!("{}: size 6000 is not a multiple of the 3073-byte record; download it again", batch.display())
    );

    std::fs::write(&batch, [record(0, 0), record(10, 1)].concat()).unwrap();
    let told = message(dir.path());
    assert!(told.contains("data_batch_1.bin: row 1 (counting from 0): label 10 is not in 0..10"), "{told}");

    std::fs::write(&batch, b"").unwrap();
    let error = load(Name::Cifar10, Some(dir.path()), 0).unwrap_err();
    assert!(matches!(&error, Error::Empty { path } if *path == batch), "{error}");

    std::fs::write(&batch, record(0, 0)).unwrap();
    std::fs::remove_file(&test).unwrap();
    let told = message(dir.path());
    assert!(told.ends_with("the test split is missing; looked for test_batch.bin"), "{told}");
}
