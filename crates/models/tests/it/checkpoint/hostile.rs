//! Small files that ask for much: each is refused, or read in no time and memory to speak of.

use super::{message, read, scratch, six, torch};
use std::time::Instant;

/// A list of `count` pairs, kept as number 0.
fn pairs(count: usize) -> Vec<u8> {
    [&b"]("[..], &b"K\x01K\x02\x86".repeat(count), b"e\x85q\x000"].concat()
}

#[test]
fn a_list_is_not_copied_again_and_again() {
    let path = scratch("copies");
    let dictionary = [torch::class("collections", "OrderedDict"), b"q\x010".to_vec()].concat();
    let object =
        |calls: usize| [dictionary.clone(), pairs(10_000), b"h\x01h\x00R0".repeat(calls), b"}".to_vec()].concat();
    // 16 GB if each of a hundred thousand calls made its copy.
    assert!(message(&path, &torch::archive(&object(100_000), &[])).contains("an empty dictionary"));
}

#[test]
fn a_name_is_not_copied_again_and_again() {
    let path = scratch("names");
    let name = [torch::text(&"n".repeat(100_000)), b"q\x000".to_vec()].concat();
    let object = |classes: usize| [name.clone(), b"h\x00h\x00\x930".repeat(classes), b"}".to_vec()].concat();
    // 10 GB if each of fifty thousand classes had a copy of its own.
    assert!(message(&path, &torch::archive(&object(50_000), &[])).contains("an empty dictionary"));
}

#[test]
fn a_key_is_not_read_again_and_again() {
    let path = scratch("keys");
    let began = Instant::now();
    let key = [&b"T\xa0\x86\x01\x00"[..], &b"k".repeat(100_000), b"q\x000"].concat();
    let wrapped: Vec<u8> = ["state_dict", "model_state_dict", "net", "model", "last"]
        .iter()
        .flat_map(|wrapper| [torch::text(wrapper), b"h\x01".to_vec()].concat())
        .collect();
    let object = [&key[..], b"}q\x01(", &b"h\x00h\x00".repeat(100_000), &wrapped, b"u"].concat();
    // A dictionary that wraps itself is looked through hundreds of times; its keys have ten gigabytes together.
    assert!(message(&path, &torch::archive(&object, &[])).contains("no tensors found"));
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn a_storage_is_summed_up_once() {
    let path = scratch("sums");
    let began = Instant::now();
    let id = torch::tuple(&[
        torch::text("storage"),
        torch::class("torch", "FloatStorage"),
        torch::text("0"),
        torch::text("cpu"),
        torch::int(250_000),
    ]);
    let object = [id, b"q\x000".to_vec(), b"h\x00Q0".repeat(100_000), b"}".to_vec()].concat();
    // A hundred gigabytes to sum up, if every reference did.
    assert!(message(&path, &torch::archive(&object, &[("0", vec![0; 1_000_000])])).contains("an empty dictionary"));
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn records_that_overlap_are_refused() {
    let path = scratch("overlap");
    let storage = |key: &str| {
        let id = [torch::text("storage"), torch::class("torch", "FloatStorage"), torch::text(key), torch::text("cpu")];
        [torch::tuple(&[&id[..], &[torch::int(250_000)]].concat()), b"Q0".to_vec()].concat()
    };
    let keys: Vec<String> = (0..300).map(|key| key.to_string()).collect();
    let object = [keys.iter().flat_map(|key| storage(key)).collect(), b"}".to_vec()].concat();
    let pickle = torch::pickle(&object);
    let mut file = torch::zip(&[("net/data.pkl", &pickle), ("net/data/0", &[0; 1_000_000])]);
    // The directory's entry of the second record, again and again under other names: 300 MB to sum up in a file of one.
    let directory = file.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let second = directory + 4 + file[directory + 4..].windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let end = file.windows(4).position(|four| four == b"PK\x05\x06").unwrap();
    let entry = file[second..end].to_vec();
    let more: Vec<u8> = keys[1..]
        .iter()
        .flat_map(|key| {
            let mut entry = entry[..46].to_vec();
            let name = format!("net/data/{key}");
            entry[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
            [entry, name.into_bytes()].concat()
        })
        .collect();
    file.splice(end..end, more);
    let refused = message(&path, &file);
    assert!(refused.contains("its records overlap"), "{refused}");
}

#[test]
fn no_shape_has_a_thousand_dimensions() {
    let path = scratch("dimensions");
    let tensor = |dimensions: usize| {
        let object = torch::dict(&[("w", torch::tensor(super::SIX, 0, &vec![1; dimensions], &vec![1; dimensions]))]);
        torch::archive(&object, &[six()])
    };
    assert!(message(&path, &tensor(1000)).contains("`w` is not described as a tensor"));
    assert_eq!(read(&path, &tensor(16)).unwrap()["w"].dims(), [1; 16]);
}
