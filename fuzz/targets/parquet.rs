//! The Hub's Parquet files of PNG images: the input is a training split of MNIST.
#![no_main]

use data::{Name, load};
use fuzz::{Folder, let_panics_be_caught};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.write("test.parquet", include_bytes!("../seeds/parquet/plain"));
    folder
});

fuzz_target!(init: let_panics_be_caught(), |bytes: &[u8]| {
    FOLDER.write("train.parquet", bytes);
    let _ = load(Name::Mnist, Some(FOLDER.path()), 0);
});
