//! Files of `torch.save`, as they are: the zip form and the one before PyTorch 1.6.
#![no_main]

use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use models::checkpoint;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

fuzz_target!(|bytes: &[u8]| {
    let _ = checkpoint::read(&FOLDER.write("file", bytes));
});
