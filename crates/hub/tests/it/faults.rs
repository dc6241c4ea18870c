//! A Hub that fails: what passes is waited for, what does not is said in one line, and the cache stays clean.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hub::{Hub, Repository};
use mirror::Fault;

use crate::place::{LARGE, Place, SMALL, impatient, large};

#[test]
fn what_passes_is_waited_for() {
    for part in ["/revision/", "/tree/", "/resolve/", "/store/"] {
        for fault in [Fault::Status(503, None), Fault::Status(429, Some(0)), Fault::Status(500, None)] {
            let place = Place::new();
            place.mirror.fault(part, 2, fault);
            place.succeeds();
        }
    }
}

#[test]
fn what_does_not_pass_is_given_up() {
    for (part, file) in [("/revision/", ""), ("/tree/", ""), ("/resolve/", SMALL), ("/store/", LARGE)] {
        for status in [429, 503] {
            let place = Place::new();
            place.mirror.fault(part, usize::MAX, Fault::Status(status, None));
            let endpoint = place.mirror.endpoint().to_owned();
            let reason = format!("HTTP {status}, 3 times in a row");
            place.fails(&["owner/name at ", file, &endpoint, &reason, "connect to the network"]);
            let asked = place.mirror.requests().into_iter().filter(|line| line.contains(part)).count();
            assert_eq!(asked, 3, "{:?}", place.mirror.requests());
        }
    }
}

#[test]
fn the_wait_that_the_hub_asks_for_is_bounded() {
    let place = Place::new();
    place.mirror.fault("/resolve/", 1, Fault::Status(429, Some(3600)));
    place.fails(&["HTTP 429; it asks to wait 3600 s"]);
    place.succeeds();
}

#[test]
fn silence_is_not_waited_for_and_slowness_is() {
    let place = Place::new();
    place.mirror.fault(LARGE, 1, Fault::Stall(7_000));
    // Longer in all than a connection may be silent.
    place.mirror.fault(LARGE, 1, Fault::Slow(8, Duration::from_millis(60)));
    place.succeeds();
    assert!(place.bodies()[1].ends_with(" from 7000"), "{:?}", place.bodies());
}

#[test]
fn endless_silence_keeps_what_arrived() {
    let place = Place::new();
    place.mirror.fault(LARGE, 1, Fault::Stall(7_000));
    place.mirror.fault(LARGE, 3, Fault::Stall(0));
    place.fails(&["7000 of 20000 bytes", "what has arrived is kept"]);
    assert_eq!(fs::metadata(place.partial()).unwrap().len(), 7_000);
    place.succeeds();
}

#[test]
fn a_wrong_byte_is_found_and_never_enters_the_cache() {
    let place = Place::new();
    place.mirror.fault(LARGE, 2, Fault::Wrong);
    place.fails(&[LARGE, "its checksum is", "thrown away"]);
    let blobs = place.blobs();
    // The small file is there, of the large one nothing.
    assert!(blobs.iter().all(|name| name.len() == 40), "{blobs:?}");
    place.mirror.fault(LARGE, 1, Fault::Wrong);
    place.succeeds();
}

#[test]
fn more_bytes_than_announced_are_refused() {
    let place = Place::new();
    place.mirror.fault(LARGE, 2, Fault::Longer);
    place.fails(&[LARGE, "longer than 20000 bytes"]);
    place.succeeds();
}

#[test]
fn a_web_page_is_no_data() {
    for part in ["/revision/", "/tree/", "/resolve/", "/store/"] {
        let place = Place::new();
        place.mirror.fault(part, usize::MAX, Fault::Page);
        place.fails(&[place.mirror.endpoint(), "does not answer like the Hub", "HF_ENDPOINT"]);
        assert!(place.blobs().iter().all(|name| !name.ends_with(".incomplete") || part == "/store/"));
    }
}

#[test]
fn a_listing_goes_on_where_it_began_and_ends() {
    let place = Place::new();
    let elsewhere = "http://127.0.0.1:9/api/datasets/owner/name/tree/main".to_owned();
    place.mirror.fault("/tree/", 1, Fault::Next(elsewhere));
    place.fails(&["does not answer like the Hub", "its listing goes on elsewhere"]);
    let itself = place.mirror.requests().into_iter().rfind(|line| line.contains("/tree/")).unwrap();
    let itself = itself.trim_start_matches("GET ").to_owned();
    place.mirror.fault("/tree/", usize::MAX, Fault::Next(itself));
    place.fails(&["does not answer like the Hub", "its listing has no end"]);
    // What is no address is none.
    let place = Place::new();
    place.mirror.put("datasets", "owner/small", "main", LARGE, &large());
    place.mirror.fault("/tree/", 1, Fault::Next("> <".into()));
    let small = Repository::dataset("owner", "small");
    assert!(place.hub().file(&small, "main", LARGE).unwrap().is_file());
}

#[test]
fn a_server_without_ranges_is_given_up_when_nothing_new_comes() {
    let place = Place::new();
    // The third attempt gets further than the second, and not than the first.
    for after in [9_000, 8_000, 9_000, 8_000, 9_000, 8_000] {
        place.mirror.fault(LARGE, 1, Fault::CutWithoutRange(after));
    }
    place.fails(&[LARGE, "the connection broke after 9000 of 20000 bytes", "3 times in a row"]);
    assert_eq!(place.bodies().len(), 3, "{:?}", place.bodies());
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::new();
    let message = place.hub().file(&place.repository, "v2", LARGE).unwrap_err().to_string();
    assert!(message.starts_with("owner/name at v2: ") && message.contains("HTTP 404"), "{message}");
    let message = place.hub().file(&place.repository, "main", "nothing.bin").unwrap_err().to_string();
    assert!(message.starts_with("owner/name at main: none of its files"), "{message}");
    let nobody = Repository::dataset("owner", "nothing");
    let message = place.hub().file(&nobody, "main", LARGE).unwrap_err().to_string();
    assert!(message.starts_with("owner/nothing at main: ") && message.contains("HTTP 404"), "{message}");
    assert!(!place.folder().join("snapshots").exists());
}

#[test]
fn who_may_not_is_told_about_tokens() {
    for (part, status) in [("/revision/", 401), ("/tree/", 403), ("/resolve/", 403)] {
        let place = Place::new();
        place.mirror.fault(part, usize::MAX, Fault::Status(status, None));
        place.fails(&[&format!("HTTP {status}"), "HF_TOKEN", "gated"]);
    }
}

#[test]
fn nobody_at_the_endpoint() {
    let cache = tempfile::tempdir().unwrap();
    let endpoint = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let hub = Hub::at(&endpoint, cache.path(), None, impatient()).unwrap();
    let message = hub.file(&Repository::dataset("owner", "name"), "main", LARGE).unwrap_err().to_string();
    assert!(message.starts_with("not in the Hugging Face cache"), "{message}");
    assert!(message.contains(&endpoint) && message.contains("Connection refused"), "{message}");
    for endpoint in ["nonsense", "mailto:a@b"] {
        let message = Hub::at(endpoint, cache.path(), None, impatient()).unwrap_err().to_string();
        assert!(message.contains("HF_ENDPOINT"), "{message}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let place = Place::new();
    // Not even root can make a folder where a file is.
    fs::write(place.folder(), "in the way").unwrap();
    let message = place.fails(&["HF_HUB_CACHE"]);
    assert!(message.contains(&*place.folder().to_string_lossy()), "{message}");
    fs::remove_file(place.folder()).unwrap();
    place.succeeds();
}

/// `/dev/full` fails every write as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_in_one_line() {
    let place = Place::new();
    place.mirror.fault("/store/", 3, Fault::Status(503, None));
    place.fetch().unwrap_err();
    let partial = place.partial();
    fs::remove_file(&partial).unwrap();
    std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
    place.fails(&["cannot be written (No space left on device", "free space"]);
    fs::remove_file(&partial).unwrap();
    assert!(Path::new("/dev/full").exists());
    place.succeeds();
}
