//! Event files, read by a parser that shares nothing with what wrote them.

use crate::{
    interrupted::{EPOCHS, SETTINGS, start, wait_for},
    program::{Noise, TINY, bytes, files, only_run, run, text, trained},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// An event; a picture is width, height and PNG file.
#[derive(Debug, Default)]
struct Event {
    wall_time: f64,
    step: u64,
    version: Option<String>,
    tag: String,
    scalar: Option<f32>,
    image: Option<(u64, u64, Vec<u8>)>,
}

/// CRC-32C bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
        }
    }
    !crc
}

/// Takes a masked checksum off the front of `rest` and compares it with that of `bytes`.
#[track_caller]
fn check(bytes: &[u8], rest: &mut &[u8]) {
    let stored = u32::from_le_bytes(take(rest, 4).try_into().unwrap());
    let crc = crc(bytes);
    assert_eq!(stored, crc.rotate_right(15).wrapping_add(0xa282_ead8));
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(rest, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// A field of a message: its number, its value if that is a number of any kind, and its bytes otherwise.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let (number, bytes) = match key & 7 {
            0 => (varint(&mut message), &[][..]),
            1 => (u64::from_le_bytes(take(&mut message, 8).try_into().unwrap()), &[][..]),
            5 => (u64::from(u32::from_le_bytes(take(&mut message, 4).try_into().unwrap())), &[][..]),
            2 => {
                let length = varint(&mut message) as usize;
                (0, take(&mut message, length))
            }
            kind => panic!("wire type {kind}"),
        };
        fields.push((key >> 3, number, bytes));
    }
    fields
}

fn event(record: &[u8]) -> Event {
    let mut event = Event::default();
    for (field, number, bytes) in fields(record) {
        match field {
            1 => event.wall_time = f64::from_bits(number),
            2 => event.step = number,
            3 => event.version = Some(String::from_utf8(bytes.into()).unwrap()),
            5 => {
                let [(1, _, value)] = fields(bytes)[..] else { panic!("a summary of one value") };
                for (field, number, bytes) in fields(value) {
                    match field {
                        1 => event.tag = String::from_utf8(bytes.into()).unwrap(),
                        2 => event.scalar = Some(f32::from_bits(number as u32)),
                        4 => {
                            let [(1, height, _), (2, width, _), (3, 3, _), (4, _, png)] = fields(bytes)[..] else {
                                panic!("an image")
                            };
                            event.image = Some((width, height, png.into()));
                        }
                        _ => panic!("field {field} of a value"),
                    }
                }
            }
            _ => panic!("field {field} of an event"),
        }
    }
    event
}

/// The events of a file, whose checksums must be right; the first is the format's version.
#[track_caller]
fn events(path: &Path) -> Vec<Event> {
    let file = bytes(path);
    let mut rest = &file[..];
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = take(&mut rest, 8);
        check(length, &mut rest);
        let data = take(&mut rest, u64::from_le_bytes(length.try_into().unwrap()) as usize);
        check(data, &mut rest);
        events.push(event(data));
    }
    let first = events.remove(0);
    assert_eq!((first.version.as_deref(), first.step), (Some("brain.Event:2"), 0));
    assert!(events.iter().all(|event| event.version.is_none() && !event.tag.is_empty()));
    events
}

/// The only event file of a run.
#[track_caller]
fn event_file(folder: &Path) -> PathBuf {
    let mut found = files(folder);
    found.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("events.out.tfevents."));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The values of every tag, with their steps.
fn scalars(events: &[Event]) -> BTreeMap<&str, Vec<(u64, f32)>> {
    let mut scalars = BTreeMap::<&str, Vec<(u64, f32)>>::new();
    for event in events {
        if let Some(value) = event.scalar {
            scalars.entry(&event.tag).or_default().push((event.step, value));
        }
    }
    scalars
}

/// The columns of a CSV file, by name.
fn columns(path: &Path) -> BTreeMap<String, Vec<String>> {
    let text = text(path);
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<Vec<String>> = lines.collect();
    header.into_iter().enumerate().map(|(i, name)| (name, rows.iter().map(|row| row[i].clone()).collect())).collect()
}

/// Panics unless the event file says of every epoch once what `epochs.csv` and `timings.csv` say.
#[track_caller]
fn assert_tells_the_epochs(folder: &Path, epochs: usize) {
    let events = events(&event_file(folder));
    let scalars = scalars(&events);
    let (told, timings) = (columns(&folder.join("epochs.csv")), columns(&folder.join("timings.csv")));
    let numbers = |column: &[String]| -> Vec<(u64, f32)> {
        (1..).zip(column.iter().map(|value| value.parse::<f64>().unwrap() as f32)).collect()
    };
    let robust = &told["held_out_robust_percent"];
    // Nothing attacks the control's held-out images.
    let attacked = !folder.file_name().unwrap().to_string_lossy().starts_with("standard-");
    assert_eq!(scalars.contains_key("held_out/robust_percent"), attacked);
    let always = [
        ("train/loss", &told["loss"]),
        ("train/lr", &told["lr"]),
        ("train/images_per_second", &timings["images_per_second"]),
        ("held_out/clean_percent", &told["held_out_clean_percent"]),
    ];
    for (tag, column) in always.into_iter().chain(attacked.then_some(("held_out/robust_percent", robust))) {
        assert_eq!(scalars[tag].len(), epochs, "{tag}");
        assert_eq!(scalars[tag], numbers(column), "{tag}");
    }
    let best = &scalars["held_out/best_percent"];
    let highest = |n: usize| numbers(robust)[..n].iter().map(|(_, p)| *p).fold(0., f32::max);
    assert!((1..=epochs).all(|n| best[n - 1] == (n as u64, highest(n))), "{best:?}");
    let ended: Vec<f64> = timings["ended"].iter().map(|time| time.parse().unwrap()).collect();
    assert!(ended.is_sorted() && ended[0] > 1.6e9, "{ended:?}");
    for event in events.iter().filter(|event| event.tag == "train/loss") {
        assert_eq!(event.wall_time, ended[event.step as usize - 1]);
    }
}

#[test]
fn the_checksum_is_that_of_the_standard() {
    assert_eq!(crc(b"123456789"), 0xe306_9283);
}

#[test]
fn a_run_is_told_to_tensorboard() {
    let noise = Noise::new();
    let arguments = ["--framework", "pgd-at", "--epochs", "3"];
    let arguments = [&TINY[2..], &noise.arguments(), &arguments].concat();
    let out = tempfile::tempdir().unwrap();
    run("train", &arguments, out.path());
    let folder = only_run(out.path());
    assert_tells_the_epochs(&folder, 3);

    let file = event_file(&folder);
    let events = events(&file);
    let scalars = scalars(&events);
    let selected =
        1 + columns(&folder.join("epochs.csv"))["best"].iter().rposition(|best| best == "true").unwrap() as u64;
    let examples = columns(&folder.join("examples.csv"));
    for (attack, column) in [("clean", "clean_correct"), ("pgd-20", "pgd-20")] {
        let standing = examples[column].iter().filter(|flag| *flag == "1").count();
        let percent = 100. * standing as f32 / examples[column].len() as f32;
        assert_eq!(scalars[format!("test/{attack}").as_str()], [(selected, percent)], "{attack}");
    }
    assert_eq!(scalars.len(), 8, "{:?}", scalars.keys());
    for name in ["examples", "features"] {
        let tag = format!("pictures/{name}");
        let mut shown = events.iter().filter(|event| event.tag == tag);
        let Event { step, image: Some((width, height, png)), .. } = shown.next().unwrap() else { panic!("{tag}") };
        assert!(*step == selected && shown.next().is_none());
        let picture = image::load_from_memory(png).unwrap();
        assert_eq!((u64::from(picture.width()), u64::from(picture.height())), (*width, *height));
        assert!(*png == bytes(&folder.join(name).with_extension("png")));
    }

    // Nothing new: the same file, the same bytes.
    let before = bytes(&file);
    run("train", &arguments, out.path());
    assert!(event_file(&folder) == file && bytes(&file) == before);
    // Another checkpoint is told beside the first.
    run("train", &[&arguments[..], &["--checkpoint", "last"]].concat(), out.path());
    let events = self::events(&event_file(&folder));
    let both = self::scalars(&events);
    assert_eq!(both["test_last/clean"][0].0, 3);
    assert_eq!(both["test/clean"], scalars["test/clean"]);
}

#[test]
fn a_killed_run_ends_with_one_event_file() {
    let arguments = ["--framework", "pgd-at"];
    let out = tempfile::tempdir().unwrap();
    for epoch in [1, 3] {
        let mut child = start(&arguments, out.path());
        wait_for(epoch, &mut child, out.path());
        child.kill().unwrap();
        child.wait().unwrap();
        // As a kill between writing the new file and removing the old one would leave it.
        std::fs::write(only_run(out.path()).join("events.out.tfevents.0000000001.elsewhere"), "half").unwrap();
    }
    let timings = || text(&only_run(out.path()).join("timings.csv"));
    let before = timings();
    run("train", &[&SETTINGS[..], &arguments].concat(), out.path());
    let folder = only_run(out.path());
    assert_tells_the_epochs(&folder, EPOCHS);
    // What was trained before the kill keeps its time.
    let kept = before.lines().take(3).collect::<Vec<_>>();
    assert!(kept.len() == 3 && timings().lines().take(3).eq(kept), "{before}");
}

/// Pictures, page and events of weights that are gone are gone.
#[test]
fn a_run_that_is_trained_anew_is_told_anew() {
    let noise = Noise::new();
    let (out, folder) = trained(&noise, &["--framework", "standard"]);
    let [picture, page] = ["examples.png", "index.html"].map(|name| folder.join(name));
    let sound = bytes(&picture);
    std::fs::write(&picture, "stale").unwrap();
    std::fs::write(folder.join("timings.csv"), "epoch,ended,images_per_second\n1,1.0,1.0\n9,9.0,9.0\n").unwrap();
    std::fs::remove_file(folder.join("last.safetensors")).unwrap();
    std::fs::write(&page, "stale").unwrap();
    run("train", &[&TINY[..], &noise.arguments(), &["--framework", "standard"]].concat(), out.path());
    assert!(bytes(&picture) == sound && text(&page).contains("</html>"));
    assert_tells_the_epochs(&folder, 1);
}
