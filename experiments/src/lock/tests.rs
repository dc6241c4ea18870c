use super::*;
use std::sync::{
    Barrier,
    atomic::{AtomicUsize, Ordering},
};

/// A lock whose process is dead.
fn corpse(folder: &Path) {
    let since = 1_700_000_000_000_000_000;
    let mut holder = serde_json::to_value(Holder { process: Process::this(), since }).unwrap();
    holder["started"] = 1.into();
    fs::write(folder.join("run.lock"), holder.to_string()).unwrap();
}

const WAIT: &str = "look elsewhere";

/// As on a file system that knows no links, which some of FAT and of the network are.
const LINKLESS: Means = Means { link: |_, _| Err(ErrorKind::Unsupported.into()), ..MEANS };

#[test]
fn one_of_many_takes_it_over() {
    for means in [MEANS, LINKLESS].into_iter().cycle().take(100) {
        let folder = tempfile::tempdir().unwrap();
        corpse(folder.path());
        let (start, taken) = (Barrier::new(4), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    let lock = Lock::take_by(means, folder.path(), WAIT);
                    taken.fetch_add(usize::from(lock.is_ok()), Ordering::SeqCst);
                    start.wait();
                });
            }
        });
        assert_eq!(taken.into_inner(), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
    }
}

#[test]
fn the_second_is_told_who_is_first_and_what_to_do() {
    for means in [MEANS, LINKLESS] {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take_by(means, folder.path(), WAIT).unwrap();
        let refused = Lock::take_by(means, folder.path(), WAIT).err().unwrap().to_string();
        let process = format!("process {} on ", std::process::id());
        for part in [&folder.path().display().to_string(), &*process, "is at work", "wait for it, or look elsewhere"] {
            assert!(refused.contains(part), "no {part:?}: {refused}");
        }
        drop(lock);
        drop(Lock::take_by(means, folder.path(), WAIT).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
    }
}

#[test]
fn a_claim_is_seen_to_be_lost() {
    for means in [MEANS, LINKLESS] {
        let folder = tempfile::tempdir().unwrap();
        let mut lock = Lock::take_by(means, folder.path(), WAIT).unwrap();
        assert!(lock.confirmed().unwrap());
        fs::remove_file(folder.path().join("run.lock")).unwrap();
        assert!(!lock.confirmed().unwrap(), "its file was gone");
        assert!(lock.confirmed().unwrap());
        corpse(folder.path());
        assert!(lock.confirmed().unwrap_err().to_string().contains("another process has taken this run over"));
        drop(lock);
        assert!(folder.path().join("run.lock").is_file(), "it is not ours to remove");
    }
}

/// Two find the same dead lock; the second is about to remove it when the first has taken its place.
#[test]
fn a_living_lock_is_not_mistaken_for_the_dead_one_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.lock");
    corpse(folder.path());
    let dead = Found::at(&path).unwrap().unwrap();
    let mut lock = Lock::take(folder.path(), WAIT).unwrap();
    set_aside(&path, &dead).unwrap();
    assert!(lock.confirmed().unwrap());
}

/// As NFS does that lost its answer to the first request and is asked again.
#[test]
fn a_link_that_was_made_in_spite_of_the_answer_is_ours() {
    let twice = |file: &Path, name: &Path| fs::hard_link(file, name).and_then(|()| fs::hard_link(file, name));
    let folder = tempfile::tempdir().unwrap();
    let means = Means { link: twice, ..MEANS };
    let mut lock = Lock::take_by(means, folder.path(), WAIT).unwrap();
    assert!(lock.confirmed().unwrap());
    assert!(Lock::take_by(means, folder.path(), WAIT).is_err(), "two have it");
    drop(lock);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
}

#[test]
fn a_lock_that_cannot_be_read_may_be_anybodys() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("run.lock")).unwrap();
    let refused = Lock::take(folder.path(), WAIT).err().unwrap();
    assert!(refused.is::<Held>() && refused.to_string().contains("run.lock: "), "{refused:#}");
}

#[test]
fn a_living_process_touches_its_lock() {
    for means in [MEANS, LINKLESS].map(|means| Means { beat: Duration::from_millis(1), ..means }) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.lock");
        let mut lock = Lock::take_by(means, folder.path(), WAIT).unwrap();
        let touched = || fs::metadata(&path).unwrap().modified().unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + SILENCE;
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        let beaten = (0..10_000).any(|_| {
            thread::sleep(Duration::from_millis(1));
            touched() != long_ago
        });
        assert!(beaten, "it is never touched");
        assert!(lock.confirmed().unwrap(), "what it says is the same");
        drop(lock);
        assert!(!path.exists(), "it is touched no more");
    }
}
