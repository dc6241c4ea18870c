//! What is said about damaged files in the originals' layouts.

use std::fs;
use std::path::{Path, PathBuf};

use data::{Error, Name, load};
use tempfile::TempDir;

use crate::independent::fixture;

/// A copy of the files in a folder of `fixtures` that may be damaged.
fn copy(from: &str, files: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in files {
        let to = dir.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(fixture(from).join(file), to).unwrap();
    }
    dir
}

fn pickles() -> (TempDir, PathBuf) {
    let dir = copy("pickle-python2/cifar-10-batches-py", &["data_batch_1", "test_batch"]);
    let batch = dir.path().join("data_batch_1");
    (dir, batch)
}

fn digits() -> (TempDir, PathBuf) {
    let dir = copy("svhn", &["train_32x32.mat", "test_32x32.mat"]);
    let file = dir.path().join("test_32x32.mat");
    (dir, file)
}

fn tiny() -> TempDir {
    let files = [
        "train/n01443537/images/n01443537_0.JPEG",
        "train/n12267677/images/n12267677_2.JPEG",
        "val/images/val_0.JPEG",
        "val/val_annotations.txt",
    ];
    copy("jpeg/tiny-imagenet-200", &files)
}

fn message(name: Name, dir: &Path) -> String {
    load(name, Some(dir), 0).unwrap_err().to_string()
}

/// Cut anywhere it is an error, or what is missing was not needed; with any bits turned it is an error or
/// harmless, and never a panic.
#[track_caller]
fn survives(name: Name, dir: &Path, file: &Path) {
    let whole = fs::read(file).unwrap();
    let sound = load(name, Some(dir), 0).unwrap();
    for length in (0..whole.len()).step_by(41).chain(whole.len() - 40..whole.len()) {
        fs::write(file, &whole[..length]).unwrap();
        if let Ok(splits) = load(name, Some(dir), 0) {
            assert_eq!(splits.train.sha256() + &splits.test.sha256(), sound.train.sha256() + &sound.test.sha256());
        }
    }
    for i in (0..whole.len()).step_by(13).chain(0..300.min(whole.len())) {
        for bits in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[i] ^= bits;
            fs::write(file, bytes).unwrap();
            if let Ok(splits) = load(name, Some(dir), 0) {
                assert!(splits.train.labels().iter().all(|&label| (label as usize) < name.classes()));
            }
        }
    }
}

#[test]
fn damage_anywhere_in_a_pickle_is_an_error_or_harmless() {
    let (dir, batch) = pickles();
    survives(Name::Cifar10, dir.path(), &batch);
}

#[test]
fn damage_anywhere_in_a_matlab_file_is_an_error_or_harmless() {
    let (dir, file) = digits();
    survives(Name::Svhn, dir.path(), &file);
    let (dir, _) = digits();
    survives(Name::Svhn, dir.path(), &dir.path().join("train_32x32.mat"));
}

#[test]
fn damage_anywhere_in_a_jpeg_file_is_an_error_or_harmless() {
    let dir = tiny();
    let file = dir.path().join("train/n12267677/images/n12267677_2.JPEG");
    let whole = fs::read(&file).unwrap();
    for i in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[i] ^= 0xff;
        fs::write(&file, bytes).unwrap();
        let _ = load(Name::TinyImagenet, Some(dir.path()), 0);
        fs::write(&file, &whole[..i]).unwrap();
        assert!(load(Name::TinyImagenet, Some(dir.path()), 0).is_err(), "{i} bytes of {} are enough", whole.len());
    }
}

#[test]
fn a_pickle_is_data_and_its_claims_are_not_believed() {
    let (dir, batch) = pickles();
    let told = |bytes: &[u8]| {
        fs::write(&batch, bytes).unwrap();
        let told = message(Name::Cifar10, dir.path());
        assert!(told.starts_with(&batch.display().to_string()) && told.ends_with("download it again"), "{told}");
        told
    };
    assert!(told(b"cposix\nsystem\n(U\x02lsoR.").contains("unknown instruction 0x6f at byte 19"));
    assert!(told(b"cposix\nsystem\n(U\x02lstR.").contains("it makes no dictionary"));
    assert!(told(b"\x80\x05\x8e\xff\xff\xff\xff\xff\xff\xff\xff").contains("the end of the data"));
    assert!(told(b"}.").contains("no `data` in it"));
    assert!(told(b"}(U\x04dataK\x01u.").contains("`data` is not an array"));
    assert!(told(b"h\x00.").contains("an unset memo slot"));
    let whole = fs::read(fixture("pickle-python2/cifar-10-batches-py/data_batch_1")).unwrap();
    let labels = whole.windows(4).position(|w| w == b"K\x03K\x09").unwrap();
    let mut bytes = whole.clone();
    bytes[labels + 3] = 10;
    fs::write(&batch, &bytes).unwrap();
    assert!(
        message(Name::Cifar10, dir.path()).contains("data_batch_1: row 1 (counting from 0): label 10 is not in 0..10")
    );
    bytes[labels + 2] = b'0';
    assert!(told(&bytes).contains("at byte"));
}

#[test]
fn a_list_of_itself_ends() {
    let (dir, batch) = pickles();
    fs::write(&batch, b"}q\x00(U\x04datah\x00U\x06labels]q\x01h\x01au.").unwrap();
    assert!(message(Name::Cifar10, dir.path()).contains("`data` is not an array"));
}

#[test]
fn what_a_matlab_file_claims_is_checked() {
    let (dir, file) = digits();
    let whole = fs::read(&file).unwrap();
    let told = |at: usize, value: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        fs::write(&file, bytes).unwrap();
        message(Name::Svhn, dir.path())
    };
    assert!(told(0, b"MATLAB 7.3").contains("version 7.3"));
    assert!(told(0, b"GIF89a").contains("not a MATLAB file of version 5"));
    assert!(told(126, b"MI").contains("not a MATLAB file of version 5"));
    // The element's tag, the array's flags, the tag of its four lengths: then they follow.
    let lengths = 128 + 8 + 16 + 8;
    assert_eq!(whole[lengths..lengths + 16], [32, 0, 0, 0, 32, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]);
    assert!(told(lengths + 12, &[0, 0, 0, 0x7f]).contains("claims 2130706432 examples; svhn has fewer"));
    assert!(told(lengths + 12, &[2, 0, 0, 0]).contains("truncated"));
    assert!(told(lengths, &[31]).contains("X is an array of [31, 32, 3, 1], expected [32, 32, 3, N]"));
    assert!(told(lengths + 15, &[0x80]).contains("negative length"));
    let y = whole.len() - 8;
    assert!(
        told(y, &10.5f64.to_le_bytes()).contains("test_32x32.mat: row 0 (counting from 0): label 10.5 is not in 1..10")
    );
    fs::write(&file, &whole[..128]).unwrap();
    assert!(message(Name::Svhn, dir.path()).contains("does not hold both X and y"));
    fs::remove_file(&file).unwrap();
    assert!(message(Name::Svhn, dir.path()).ends_with("the test split is missing; looked for test_32x32.mat"));
}

/// A program prints an error with its sources.
#[test]
fn a_cause_is_told_once() {
    let dir = tiny();
    fs::write(dir.path().join("val/val_annotations.txt"), "val_9.JPEG\tn01443537\t0\t0\t1\t1\n").unwrap();
    let absent = load(Name::TinyImagenet, Some(dir.path()), 0).unwrap_err();
    let full = Error::from(candle::Error::Msg("no memory is left".into()));
    for (error, cause) in [(absent, "(No such file"), (full, "no memory is left")] {
        assert!(error.to_string().contains(cause), "{error}");
        assert!(std::error::Error::source(&error).is_none(), "{error}: its cause would stand there twice");
    }
}

#[test]
fn what_is_wrong_in_a_folder_of_images_is_named() {
    let dir = tiny();
    let told = || message(Name::TinyImagenet, dir.path());
    let annotations = dir.path().join("val/val_annotations.txt");
    for (line, expected) in [
        ("val_9.JPEG\tn01443537\t0\t0\t1\t1\n", "val_9.JPEG: cannot be read"),
        ("val_0.JPEG\tn99999999\n", "`n99999999` is none of the 200 classes of tiny-imagenet"),
        ("../train/x.JPEG\tn01443537\n", "row 0 (counting from 0): not the name of a file"),
        ("val_0.JPEG\n", "row 0 (counting from 0): not the name of a file"),
    ] {
        fs::write(&annotations, line).unwrap();
        assert!(told().contains(expected), "{}", told());
    }
    fs::write(&annotations, "").unwrap();
    assert!(matches!(load(Name::TinyImagenet, Some(dir.path()), 0), Err(Error::Empty { .. })));
    fs::write(dir.path().join("train/n01443537/images/n01443537_0.JPEG"), crate::files::png(32, 32, &[9; 3])).unwrap();
    assert!(told().contains("n01443537_0.JPEG: the image is 32x32, expected 64x64"), "{}", told());
    fs::create_dir_all(dir.path().join("train/something/images")).unwrap();
    assert!(told().contains("`something` is none of the 200 classes"), "{}", told());
}
