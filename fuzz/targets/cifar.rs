//! CIFAR's binary batches. The first byte of the input chooses between CIFAR-10 and CIFAR-100.
#![no_main]

use data::{Name, load};
use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.write("test_batch.bin", &[1; 3073]);
    folder.write("test.bin", &[1; 3074]);
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let (name, file) =
        if choice & 1 == 0 { (Name::Cifar10, "data_batch_1.bin") } else { (Name::Cifar100, "train.bin") };
    FOLDER.write(file, bytes);
    let _ = load(name, Some(FOLDER.path()), 0);
});
