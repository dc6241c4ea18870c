//! The images of Tiny-ImageNet's folders: JPEG files, or what is called so.
#![no_main]

use data::{Name, load};
use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use std::{fs, sync::LazyLock};

const IMAGES: &str = "train/n01443537/images";

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::new();
    for images in [IMAGES, "val/images"] {
        fs::create_dir_all(folder.path().join(images)).expect("the folder for files can be written");
    }
    let image = include_bytes!(
        "../../crates/data/tests/fixtures/jpeg/tiny-imagenet-200/train/n01443537/images/n01443537_0.JPEG"
    );
    folder.write("val/images/val_0.JPEG", image);
    folder.write("val/val_annotations.txt", b"val_0.JPEG\tn01443537\n");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.write(&format!("{IMAGES}/0.JPEG"), bytes);
    let _ = load(Name::TinyImagenet, Some(FOLDER.path()), 0);
});
