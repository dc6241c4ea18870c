//! `evaluations.csv`: what is read is asked for, added to, written and read again.
#![no_main]

use experiments::verdicts::{Place, Verdicts};
use fuzz::Folder;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.write("evaluations.csv", bytes);
    let Ok(mut verdicts) = Verdicts::read(path.clone()) else { return };
    let place = Place { checkpoint: "best".into(), norm: "linf".into(), epsilon: "8/255".into() };
    let stages = ["pgd-20".to_owned(), "square".to_owned()];
    for wanted in [0, 1, 5] {
        if let Some(outcome) = verdicts.outcome_at_most(&place, "two", &stages, wanted) {
            assert!(outcome.standing() <= outcome.correct.len() && (0. ..=100.).contains(&outcome.percent()));
            let staged = verdicts.by_stage(&place, &stages, outcome.correct.len());
            assert!(staged.iter().all(|stage| stage.attacked == stage.broken + stage.standing));
        }
    }
    let open = verdicts.unknown(&place, &stages[..1], "square", 5);
    verdicts.note(&place, "square", (&open, &vec![true; open.len()]), 1.);
    verdicts.complete(&place, "square", 5);
    assert!(verdicts.unknown(&place, &stages[..1], "square", 5).is_empty());
    let known = verdicts.outcome(&place, "two", &stages, 5).map(|outcome| outcome.correct);
    verdicts.save().expect("/dev/shm can be written");
    let again = Verdicts::read(path).expect("what was written can be read");
    assert_eq!(again.outcome(&place, "two", &stages, 5).map(|outcome| outcome.correct), known);
});
