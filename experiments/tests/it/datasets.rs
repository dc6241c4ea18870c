//! The binary `data`.

use crate::{
    data::{binary, records},
    program::command,
};
use data::Name;
use image::RgbImage;
use std::{fs, path::Path};

/// What `data` says on stdout; it must succeed.
#[track_caller]
fn said(arguments: &[&str]) -> String {
    let output = command("data").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert!(errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that `data` says on stderr; it must fail.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = command("data").args(arguments).env("HF_HOME", home.path()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{errors}");
    errors
}

fn picture(path: &Path) -> RgbImage {
    image::open(path).unwrap().into_rgb8()
}

/// Whether the picture has a square of `zoom` by `zoom` pixels for each of the image's.
fn shows(picture: &RgbImage, (left, top): (u32, u32), zoom: u32, record: &[u8]) -> bool {
    (0..32 * zoom).all(|y| {
        (0..32 * zoom).all(|x| {
            let at = (y / zoom * 32 + x / zoom) as usize;
            picture.get_pixel(left + x, top + y).0 == [0, 1, 2].map(|channel| record[1 + channel * 1024 + at])
        })
    })
}

/// Whether it does so anywhere.
fn found(picture: &RgbImage, record: &[u8]) -> bool {
    let (width, height) = picture.dimensions();
    (0..height - 95).any(|top| (0..width - 95).any(|left| shows(picture, (left, top), 3, record)))
}

#[test]
fn every_data_set_is_listed_with_its_size_and_where_it_is() {
    let copies = tempfile::tempdir().unwrap();
    let inner = copies.path().join("cifar10");
    fs::create_dir(&inner).unwrap();
    for file in ["data_batch_1.bin", "test_batch.bin"] {
        fs::write(inner.join(file), records(1)).unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    let list = ["list", "--data-dir", &copies.path().display().to_string()];
    let output = command("data").args(list).env("HF_HOME", home.path()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = listed.lines().skip(1).collect();
    assert_eq!(lines.len(), Name::ALL.len(), "{listed}");
    for (line, name) in lines.iter().zip(Name::ALL) {
        assert!(line.starts_with(name.as_str()) && line.contains(&name.train_len().to_string()), "{line}");
    }
    assert!(lines[0].ends_with("embedded"), "{listed}");
    assert!(lines[1].contains("3x32x32") && lines[1].contains("184 MB"), "{listed}");
    assert!(lines[1].ends_with(&format!("local: {}", inner.display())), "{listed}");
    assert!(lines[2].ends_with("to be downloaded: data get cifar100"), "{listed}");
}

#[test]
fn a_whole_data_set_is_verified_and_a_part_of_one_is_not() {
    let checked = said(&["verify", "synthetic"]);
    assert!(checked.contains("synthetic: training: 4000 images, 400 of each class"), "{checked}");
    assert_eq!(checked.lines().filter(|line| line.contains("SHA-256")).count(), 2, "{checked}");
    let copy = binary(&records(20), &records(10));
    let place = copy.path().display().to_string();
    let errors = refused(&["verify", "cifar10", "--data-dir", &place]);
    let expected = "cifar10: differs from the published data set in training images of 10 classes (airplane 2, not \
                    5000, ...); test images of 10 classes (airplane 1, not 1000, ...)";
    assert!(errors.contains(expected), "{errors}");
}

#[test]
fn a_checksum_that_is_known_is_compared() {
    let copy = tempfile::tempdir().unwrap();
    let images = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28][..], &[7; 784]].concat();
    for part in ["train", "t10k"] {
        fs::write(copy.path().join(format!("{part}-images-idx3-ubyte")), &images).unwrap();
        fs::write(copy.path().join(format!("{part}-labels-idx1-ubyte")), [0, 0, 8, 1, 0, 0, 0, 1, 3]).unwrap();
    }
    let errors = refused(&["verify", "mnist", "--data-dir", &copy.path().display().to_string()]);
    assert!(
        errors.contains("the training images' checksum") && errors.contains("the test images' checksum"),
        "{errors}"
    );
}

#[test]
fn a_contact_sheet_has_the_first_images_of_every_class() {
    let records = records(40);
    let copy = binary(&records, &records);
    let place = copy.path().display().to_string();
    let sheet = copy.path().join("sheets/all.png");
    said(&["show", "cifar10", "--data-dir", &place, "--images", "2", "--out", &sheet.display().to_string()]);
    let picture = picture(&sheet);
    let each: Vec<&[u8]> = records.chunks_exact(3073).collect();
    for shown in [0, 9, 10, 19] {
        assert!(found(&picture, each[shown]), "image {shown} is missing");
    }
    for beyond in [20, 39] {
        assert!(!found(&picture, each[beyond]), "image {beyond} is one too many");
    }
}

#[test]
fn a_folder_gets_a_sheet_of_each_class_and_a_seed_draws_the_images_by_lot() {
    let records = records(400);
    let copy = binary(&records, &records);
    let place = copy.path().display().to_string();
    let sheets = |folder: &str, more: &[&str]| {
        let out = copy.path().join(folder);
        let arguments = ["show", "cifar10", "--data-dir", &place, "--images", "1", "--out", &out.display().to_string()];
        said(&[&arguments[..], more].concat());
        out
    };
    let first = sheets("first", &[]);
    let mut names: Vec<_> = fs::read_dir(&first).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 10);
    assert_eq!([&names[0], &names[9]], ["000-airplane.png", "009-truck.png"]);
    assert!(found(&picture(&first.join("009-truck.png")), &records[9 * 3073..10 * 3073]));
    let lot = |seed: &str, folder: &str| fs::read(sheets(folder, &["--seed", seed]).join("003-cat.png")).unwrap();
    let [one, same, other] = [lot("1", "a"), lot("1", "b"), lot("2", "c")];
    assert!(one == same && one != other && one != fs::read(first.join("003-cat.png")).unwrap());
}

#[test]
fn what_is_not_there_is_named() {
    let errors = refused(&["get", "synthetic"]);
    assert!(errors.contains("embedded, there is nothing to get"), "{errors}");
    let errors = refused(&["get", "svhn", "--offline"]);
    assert!(errors.contains("svhn: not in the Hugging Face cache"), "{errors}");
    let errors = refused(&["verify", "mnist", "--data-dir", "nowhere"]);
    assert!(errors.contains("nowhere: no such folder"), "{errors}");
    let output = command("data").args(["show", "imagenet", "--out", "x.png"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}
