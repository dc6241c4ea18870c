//! Caches that are older than this program, shared, or damaged.

use std::fs;

use hub::Repository;

use crate::place::{LARGE, Place, SMALL, everything};

const COMMIT: &str = "77f3279092a1c1579b2250db8eafed0ad422088c";

/// A snapshot as the Hub's own libraries leave it, without links where there are none.
fn foreign(place: &Place, files: &[(&str, &[u8])]) {
    let snapshot = place.folder().join("snapshots").join(COMMIT);
    for (path, bytes) in files {
        fs::create_dir_all(snapshot.join(path).parent().unwrap()).unwrap();
        fs::write(snapshot.join(path), bytes).unwrap();
    }
    fs::create_dir_all(place.folder().join("refs")).unwrap();
    fs::write(place.folder().join("refs/main"), COMMIT).unwrap();
}

#[test]
fn another_programs_snapshot_is_used_and_recorded() {
    let place = Place::new();
    foreign(&place, &[(SMALL, b"theirs")]);
    let hub = place.hub().offline();
    let snapshot = hub.snapshot(&place.repository, "main", |path| path == SMALL).unwrap();
    assert_eq!(fs::read(snapshot.join(SMALL)).unwrap(), b"theirs");
    let record = fs::read_to_string(place.folder().join("checksums/main.json")).unwrap();
    assert!(record.contains(COMMIT) && record.contains(SMALL), "{record}");
    // What it was on first use it must stay.
    fs::write(snapshot.join(SMALL), b"other").unwrap();
    let message = hub.snapshot(&place.repository, "main", |path| path == SMALL).unwrap_err().to_string();
    assert!(message.contains("its content changed") && message.contains("checksums/main.json"), "{message}");
    assert!(place.mirror.requests().is_empty());
}

#[test]
fn what_another_program_did_not_fetch_is_fetched() {
    let place = Place::new();
    // The commit is theirs, so the listing of it is asked for.
    place.mirror.put("datasets", "owner/name", COMMIT, SMALL, b"theirs");
    place.mirror.put("datasets", "owner/name", COMMIT, "more.txt", b"more");
    foreign(&place, &[(SMALL, b"theirs")]);
    let snapshot = place.hub().snapshot(&place.repository, "main", |_| true).unwrap();
    assert!(snapshot.ends_with(COMMIT));
    assert_eq!(fs::read(snapshot.join("more.txt")).unwrap(), b"more");
    // Now that all files are known, an incomplete snapshot is none.
    fs::remove_file(snapshot.join("more.txt")).unwrap();
    assert!(place.hub().cached(&place.repository, "main", |_| true).unwrap().is_none());
    assert!(place.hub().cached(&place.repository, "main", |path| path == SMALL).unwrap().is_some());
}

#[test]
fn a_blob_must_be_what_its_name_promises() {
    let place = Place::new();
    let snapshot = place.succeeds();
    fs::remove_dir_all(place.folder().join("checksums")).unwrap();
    let blob = fs::canonicalize(snapshot.join(LARGE)).unwrap();
    fs::write(&blob, vec![1; 20_000]).unwrap();
    place.fails(&[&blob.display().to_string(), "its content changed", "delete it"]);
    fs::remove_file(&blob).unwrap();
    place.succeeds();
}

#[test]
fn a_blob_that_is_there_is_only_linked() {
    let place = Place::new();
    let snapshot = place.succeeds();
    fs::remove_file(snapshot.join(LARGE)).unwrap();
    place.succeeds();
    assert_eq!(place.bodies().len(), 1);
}

#[test]
fn without_network_the_cache_must_do() {
    let place = Place::new();
    let hub = place.hub().offline();
    let message = hub.file(&place.repository, "main", LARGE).unwrap_err().to_string();
    assert!(message.contains("owner/name at main") && message.contains("--offline or HF_HUB_OFFLINE"), "{message}");
    assert!(message.contains(&place.cache.path().display().to_string()), "{message}");
    assert!(place.mirror.requests().is_empty());
    assert_eq!(everything(place.cache.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_damaged_record_is_named() {
    let place = Place::new();
    place.succeeds();
    let record = place.folder().join("checksums/main.json");
    for text in ["{", "{\"commit\":\"../..\",\"whole\":true,\"files\":{}}"] {
        fs::write(&record, text).unwrap();
        place.fails(&[&record.display().to_string(), "cannot be read"]);
    }
    fs::remove_file(&record).unwrap();
    place.succeeds();
}

#[test]
fn repositories_do_not_share_files() {
    let place = Place::new();
    place.succeeds();
    place.mirror.put("datasets", "other/name", "main", SMALL, b"another");
    let file = place.hub().file(&Repository::dataset("other", "name"), "main", SMALL).unwrap();
    assert_eq!(fs::read(file).unwrap(), b"another");
    place.succeeds();
}
