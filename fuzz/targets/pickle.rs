//! The pickle inside of a zip of `torch.save`, whose checksum would stop a fuzzer.
#![no_main]

#[path = "../../crates/models/tests/it/checkpoint/torch.rs"]
#[allow(dead_code)]
mod torch;

use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use models::checkpoint;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

fuzz_target!(|bytes: &[u8]| {
    let storage: Vec<u8> = (0..64).collect();
    let records = [("net/data.pkl", bytes), ("net/data/0", &storage), ("net/data/1", &storage[..8])];
    let _ = checkpoint::read(&FOLDER.write("file", &torch::zip(&records)));
});
