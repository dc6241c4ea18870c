//! Downloads that go well, or are gone on with.

use std::fs;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hub::{Error, Hub, Repository};
use mirror::Fault;

use crate::place::{LARGE, Place, SMALL, impatient, large};

#[test]
fn a_cold_cache_is_filled_with_what_is_wanted_and_nothing_else() {
    let place = Place::new();
    let snapshot = place.succeeds();
    assert!(!snapshot.join("plain_text/other.txt").exists());
    assert_eq!(place.blobs().len(), 2, "{:?}", place.blobs());
    // The layout that the Hub's own libraries read.
    let commit = fs::read_to_string(place.folder().join("refs/main")).unwrap();
    assert_eq!(snapshot, place.folder().join("snapshots").join(commit));
    #[cfg(unix)]
    {
        let target = fs::read_link(snapshot.join(LARGE)).unwrap();
        let blob = place.blobs().into_iter().find(|name| name.len() == 64).unwrap();
        assert_eq!(target, std::path::Path::new(&format!("../../../blobs/{blob}")));
    }
}

#[test]
fn a_warm_cache_asks_nobody() {
    let place = Place::new();
    place.succeeds();
    let before = place.mirror.requests();
    place.succeeds();
    assert_eq!(place.mirror.requests(), before);
    assert!(place.hub().offline().snapshot(&place.repository, "main", |path| path == LARGE).is_ok());
    let file = place.hub().offline().file(&place.repository, "main", SMALL).unwrap();
    assert_eq!(fs::read(file).unwrap(), b"# Small\n");
    assert_eq!(place.mirror.requests(), before);
}

#[test]
fn a_file_that_was_not_wanted_before_is_added_to_the_snapshot() {
    let place = Place::new();
    let snapshot = place.succeeds();
    let file = place.hub().file(&place.repository, "main", "plain_text/other.txt").unwrap();
    assert_eq!(file, snapshot.join("plain_text/other.txt"));
    assert_eq!(place.bodies().len(), 1);
}

#[test]
fn models_have_addresses_and_folders_of_their_own() {
    let place = Place::new();
    place.mirror.put("models", "owner/net", "main", "model.safetensors", &large());
    let file = place.hub().file(&Repository::model("owner", "net"), "main", "model.safetensors").unwrap();
    assert!(fs::read(&file).unwrap() == large());
    assert!(file.starts_with(place.cache.path().join("models--owner--net/snapshots")));
}

#[test]
fn a_branch_that_moves_is_not_followed() {
    let place = Place::new();
    let first = place.succeeds();
    place.mirror.put("datasets", "owner/name", "main", SMALL, b"# Another\n");
    assert_eq!(place.succeeds(), first);
    // Nor when the snapshot is gone.
    fs::remove_dir_all(&first).unwrap();
    assert_eq!(place.succeeds(), first);
}

#[test]
fn a_commit_needs_no_resolving() {
    let place = Place::new();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    place.mirror.put("datasets", "owner/name", commit, SMALL, b"pinned");
    let file = place.hub().file(&place.repository, commit, SMALL).unwrap();
    assert_eq!(fs::read(file).unwrap(), b"pinned");
    assert!(!place.mirror.requests().iter().any(|line| line.contains("/revision/")));
    assert!(!place.folder().join("refs").exists());
}

#[test]
fn a_cut_connection_is_taken_up_where_it_ended() {
    let place = Place::new();
    place.mirror.fault(LARGE, 2, Fault::Cut(6_000));
    place.succeeds();
    let bodies = place.bodies();
    assert_eq!(bodies.len(), 3, "{bodies:?}");
    assert!(bodies[1].ends_with(" from 6000") && bodies[2].ends_with(" from 12000"), "{bodies:?}");
}

#[test]
fn a_process_goes_on_where_another_was_stopped() {
    static PIECES: AtomicUsize = AtomicUsize::new(0);
    let place = Place::new();
    place.mirror.fault(LARGE, 1, Fault::Slow(10, Duration::from_millis(20)));
    // Stops once a few pieces are on disk.
    let stop = || match PIECES.fetch_add(1, Ordering::SeqCst) {
        ..4 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let error = place.hub().until(stop).file(&place.repository, "main", LARGE).unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    let have = fs::metadata(place.partial()).unwrap().len();
    assert!(have > 0 && have < 20_000, "{have}");
    place.succeeds();
    assert!(place.bodies().last().unwrap().ends_with(&format!(" from {have}")), "{:?}", place.bodies());
}

#[test]
fn a_server_that_knows_no_ranges_sends_the_file_anew() {
    let place = Place::new();
    place.mirror.fault(LARGE, 1, Fault::Cut(6_000));
    place.mirror.fault(LARGE, 1, Fault::NoRange);
    place.succeeds();
    assert_eq!(place.bodies().len(), 2);
}

#[test]
fn a_partial_file_of_something_else_is_thrown_away() {
    for length in [5_000, 20_000, 30_000] {
        let place = Place::new();
        place.mirror.fault(LARGE, 1, Fault::Slow(10, Duration::from_millis(5)));
        let stopped = place.hub().until(|| ControlFlow::Break(())).file(&place.repository, "main", LARGE);
        assert!(matches!(stopped, Err(Error::Interrupted)), "{stopped:?}");
        fs::write(place.partial(), vec![9; length]).unwrap();
        place.succeeds();
    }
}

#[test]
fn two_processes_download_a_file_once() {
    let place = Place::new();
    place.mirror.fault(LARGE, 1, Fault::Slow(5, Duration::from_millis(30)));
    thread::scope(|scope| {
        let fetch = || scope.spawn(|| place.succeeds());
        let both = [fetch(), fetch()].map(|thread| thread.join().unwrap());
        assert_eq!(both[0], both[1]);
    });
    assert_eq!(place.bodies().len(), 1, "{:?}", place.bodies());
}

#[test]
fn the_token_goes_to_the_endpoint_and_not_to_the_store() {
    let place = Place::new();
    place.mirror.require_token("secret");
    place.fails(&["HTTP 401", "HF_TOKEN"]);
    let hub = Hub::at(place.mirror.endpoint(), place.cache.path(), Some("secret"), impatient()).unwrap();
    hub.file(&place.repository, "main", LARGE).unwrap();
    let requests = place.mirror.requests();
    let with = requests.iter().filter(|line| line.ends_with(" with token"));
    assert!(with.clone().count() >= 4, "{requests:?}");
    assert!(with.clone().all(|line| line.contains("/api/") || line.contains("/resolve/")), "{requests:?}");
}
