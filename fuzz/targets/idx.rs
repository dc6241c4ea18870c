//! MNIST's idx files. The first byte of the input says which file the others are: images or labels, and
//! whether it is compressed.
#![no_main]

use data::{Name, load};
use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const IMAGE: [u8; 800] = {
    let mut file = [7; 800];
    let header = [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28];
    let mut i = 0;
    while i < header.len() {
        file[i] = header[i];
        i += 1;
    }
    file
};
const LABEL: [u8; 9] = [0, 0, 8, 1, 0, 0, 0, 1, 3];
const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    folder.write("t10k-images-idx3-ubyte", &IMAGE);
    folder.write("t10k-labels-idx1-ubyte", &LABEL);
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let (name, other, sound) =
        if choice & 1 == 0 { (IMAGES, LABELS, &LABEL[..]) } else { (LABELS, IMAGES, &IMAGE[..]) };
    let compressed = format!("{name}.gz");
    // A plain file would be preferred to the compressed one.
    let (name, stale) = if choice & 2 == 0 { (name, &*compressed) } else { (&*compressed, name) };
    FOLDER.remove(stale);
    FOLDER.remove(&format!("{other}.gz"));
    FOLDER.write(other, sound);
    FOLDER.write(name, bytes);
    let _ = load(Name::Mnist, Some(FOLDER.path()), 0);
});
