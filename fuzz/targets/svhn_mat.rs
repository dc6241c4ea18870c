//! SVHN's MATLAB files.
#![no_main]

use data::{Name, load};
use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.write("test_32x32.mat", include_bytes!("../../crates/data/tests/fixtures/svhn/test_32x32.mat"));
    folder
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.write("train_32x32.mat", bytes);
    let _ = load(Name::Svhn, Some(FOLDER.path()), 0);
});
