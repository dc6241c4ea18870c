//! Checkpoints in the format that is written here.
#![no_main]

use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use models::checkpoint;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.write("file", bytes);
    // What is read can be written, and is the same when it is read again.
    if let (Ok(tensors), Ok(metadata)) = (checkpoint::read(&path), checkpoint::metadata(&path)) {
        checkpoint::write(&path, &tensors, &metadata).expect("what was read can be written");
        let again = checkpoint::read(&path).expect("what was written can be read");
        assert!(again.keys().eq(tensors.keys()));
        assert!(again.values().zip(tensors.values()).all(|(a, b)| a.dims() == b.dims() && a.dtype() == b.dtype()));
        assert_eq!(checkpoint::metadata(&path).expect("what was written can be read"), metadata);
    }
});
