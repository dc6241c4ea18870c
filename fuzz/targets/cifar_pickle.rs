//! CIFAR's pickled batches.
#![no_main]

use data::{Name, load};
use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.write("test_batch", include_bytes!("../../crates/data/tests/fixtures/pickle-5/cifar-10-batches-py/test_batch"));
    folder
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.write("data_batch_1", bytes);
    let _ = load(Name::Cifar10, Some(FOLDER.path()), 0);
});
