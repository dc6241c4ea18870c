//! Names that would leave the cache.

use hub::{Hub, Patience, Repository};

use crate::place::{Place, everything};

#[test]
fn listed_names_that_leave_their_folder_are_refused_before_anything_is_written() {
    let names =
        ["../../x", "/etc/x", "a/../../b", "a\0b", "..\\..\\x", "a//b", "./x", "data/../../../x", "x/", "..", "a\nb"];
    for name in names {
        let place = Place::new();
        place.mirror.put("datasets", "owner/name", "main", name, b"evil");
        let message = place.hub().snapshot(&place.repository, "main", |_| true).unwrap_err().to_string();
        assert!(message.contains("within its folder") && !message.contains('\n'), "{name:?}: {message}");
        assert!(everything(place.cache.path()).is_empty(), "{name:?}: {:?}", everything(place.cache.path()));
        // Who does not want that file is not bothered.
        place.succeeds();
    }
}

#[test]
fn asked_names_that_leave_the_cache_are_refused() {
    let place = Place::new();
    for (owner, name, revision) in [("..", "name", "main"), ("owner", "../name", "main"), ("owner", "name", "../main")]
    {
        let repository = Repository::dataset(owner, name);
        let message = place.hub().file(&repository, revision, "x").unwrap_err().to_string();
        assert!(message.contains("within its folder"), "{message}");
    }
    assert!(place.mirror.requests().is_empty());
    assert!(everything(place.cache.path()).is_empty());
}

#[test]
fn a_file_where_a_folder_should_be_is_an_error() {
    let place = Place::new();
    place.mirror.put("datasets", "owner/name", "main", "a", b"a file");
    place.mirror.put("datasets", "owner/name", "main", "a/b", b"in a file");
    let message = place.hub().snapshot(&place.repository, "main", |_| true).unwrap_err().to_string();
    assert!(message.contains("cannot be written"), "{message}");
    place.succeeds();
}

#[test]
fn a_password_in_an_address_is_not_told() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::at("http://user:secret@127.0.0.1:1", cache.path(), None, Patience::default()).unwrap();
    let shown = format!("{hub:?}");
    assert!(shown.contains("http://127.0.0.1:1") && !shown.contains("user") && !shown.contains("secret"), "{shown}");
}
