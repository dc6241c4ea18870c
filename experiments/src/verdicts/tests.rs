use super::*;

#[test]
fn a_stage_with_nobody_left_to_ask_limits_nothing() {
    let place = Place { checkpoint: "best".into(), norm: "linf".into(), epsilon: "8/255".into() };
    let stages = ["first".to_owned(), "second".to_owned()];
    let mut verdicts = Verdicts { path: PathBuf::new(), lines: Vec::new() };
    let mut note = |stage: &str, signs: &str| {
        let correct: Vec<bool> = signs.bytes().map(|sign| sign == STANDS).collect();
        let all: Vec<usize> = (0..correct.len()).collect();
        verdicts.note(&place, stage, (&all, &correct), 1.);
        verdicts.complete(&place, stage, correct.len());
        verdicts.outcome_at_most(&place, "both", &stages, 0).map(|outcome| outcome.correct)
    };
    assert_eq!(note(CLEAN, "111111"), None);
    assert_eq!(note("first", "110"), None, "who stands was not asked by the second");
    assert_eq!(note("second", "10"), Some(vec![true, false, false]));
    // Of more images the first stage breaks all: the second is never asked.
    assert_eq!(note("first", "110000"), Some(vec![true, false, false, false, false, false]));
    assert_eq!(note("first", "110001"), Some(vec![true, false]), "one stands whom the second was not asked about");
}

#[test]
fn an_interrupted_larger_evaluation_does_not_hide_a_smaller_one() {
    let place = Place { checkpoint: "best".into(), norm: "linf".into(), epsilon: "8/255".into() };
    let stages = ["first".to_owned()];
    let mut verdicts = Verdicts { path: PathBuf::new(), lines: Vec::new() };
    let known = |verdicts: &Verdicts, wanted| {
        let outcome = verdicts.outcome_at_most(&place, "first", &stages, wanted);
        outcome.map(|outcome| outcome.correct.len())
    };
    verdicts.note(&place, CLEAN, (&[0, 1], &[true, true]), 1.);
    assert_eq!(known(&verdicts, 0), None, "nothing is complete");
    assert!(verdicts.complete(&place, CLEAN, 2) && !verdicts.complete(&place, CLEAN, 2));
    verdicts.note(&place, "first", (&[0, 1], &[true, false]), 1.);
    assert!(verdicts.complete(&place, "first", 2));
    // The third is known clean only, the fourth by chance: the clean pass has broken it.
    verdicts.note(&place, CLEAN, (&[2, 3], &[true, false]), 1.);
    assert_eq!(known(&verdicts, 0), Some(2));
    verdicts.complete(&place, CLEAN, 4);
    assert_eq!((known(&verdicts, 0), known(&verdicts, 4), known(&verdicts, 1)), (Some(2), Some(2), Some(1)));
    verdicts.note(&place, "first", (&[2], &[false]), 1.);
    assert_eq!((known(&verdicts, 0), known(&verdicts, 4)), (Some(4), Some(4)), "all that was asked for is known");
    verdicts.complete(&place, "first", 4);
    assert_eq!(known(&verdicts, 0), Some(4));
}

/// AutoAttack on more images than an audit asks each of its stages about, alone.
#[test]
fn a_stage_keeps_what_it_was_asked_alone() {
    let place = Place { checkpoint: "best".into(), norm: "linf".into(), epsilon: "8/255".into() };
    let [first, second] = ["first", "second"].map(str::to_owned);
    let mut verdicts = Verdicts { path: PathBuf::new(), lines: Vec::new() };
    let mut note = |stage: &str, images: &[usize], stands: &[bool], examples| {
        verdicts.note(&place, stage, (images, stands), 1.);
        verdicts.complete(&place, stage, examples);
    };
    note(CLEAN, &[0, 1, 2, 3, 4, 5], &[true; 6], 6);
    note("alone", &[0, 1], &[true; 2], 2);
    note("second", &[0, 1], &[true, false], 2);
    note("first", &[0, 1, 2, 3, 4, 5], &[true, true, true, false, false, true], 6);
    note("second", &[2, 5], &[true; 2], 6);
    let known = |stages: &[String], wanted| {
        let outcome = verdicts.outcome_at_most(&place, "second", stages, wanted);
        outcome.map(|outcome| outcome.correct.len())
    };
    let (both, alone) = ([first, second.clone()], [second]);
    assert_eq!((known(&both, 0), known(&both, 4)), (Some(6), Some(4)));
    assert_eq!((known(&alone, 0), known(&alone, 1)), (Some(2), Some(1)), "not of the fourth");
    let so_far = verdicts.outcome_so_far(&place, "second", &alone).unwrap();
    assert_eq!(so_far.correct, [true, false, true]);
}

#[test]
fn what_an_attack_found_before_it_was_revised_is_not_its_own() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let old = "checkpoint,attack,norm,epsilon,examples,seconds,correct\n\
               best,clean,l2,0.5,2,1.0,11\nbest,pgd-20,l2,0.5,2,1.0,11\nbest,apgd-ce,l2,0.5,2,1.0,10\n";
    std::fs::write(file.path(), old).unwrap();
    let mut verdicts = Verdicts::read(file.path().to_owned()).unwrap();
    let place = Place { checkpoint: "best".into(), norm: "l2".into(), epsilon: "0.5".into() };
    let of = |verdicts: &Verdicts, attack: &str| {
        verdicts.outcome(&place, attack, &[attack.to_owned()], 2).map(|outcome| outcome.correct)
    };
    assert_eq!(verdicts.attacks(&place), [CLEAN, "apgd-ce"]);
    assert_eq!((of(&verdicts, "pgd-20"), of(&verdicts, "apgd-ce")), (None, Some(vec![true, false])));
    verdicts.note(&place, "pgd-20", (&[0, 1], &[false, true]), 1.);
    assert!(verdicts.complete(&place, "pgd-20", 2));
    verdicts.save().unwrap();
    let mut again = Verdicts::read(file.path().to_owned()).unwrap();
    assert_eq!(of(&again, "pgd-20"), Some(vec![false, true]));
    assert_eq!(again.attacks(&place), [CLEAN, "apgd-ce", "pgd-20"]);
    assert!(again.forget("pgd-20") && !again.forget("pgd-20"));
    assert_eq!(of(&again, "pgd-20"), None);
    // In other balls it has not changed.
    let linf = Place { norm: "linf".into(), ..place.clone() };
    again.note(&linf, "pgd-20", (&[0], &[true]), 1.);
    assert_eq!(again.attacks(&linf), [CLEAN, "pgd-20"]);
}
