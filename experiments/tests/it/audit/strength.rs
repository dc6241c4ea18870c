//! Attacks that are weaker than they should be, by made-up evidence: each limit is met, then passed.

use super::{
    detail, finds,
    models::{BALL, Fault, Matcher, images, subject},
};
use anyhow::Result;
use attacks::Ball;
use experiments::audit::{Audit, Verdict};

/// What stands, of 1000 examples, under attacks that are as they should be.
const SOUND: [(&str, f64, usize); 18] = [
    ("clean", 1., 900),
    ("fgsm", 1., 600),
    ("pgd-20", 1., 550),
    ("pgd-100", 1., 545),
    ("pgd-20x5", 1., 544),
    ("cw", 1., 540),
    ("apgd-ce", 1., 543),
    ("apgd-t", 1., 520),
    ("fab-t", 1., 525),
    ("autoattack", 1., 519),
    ("square", 1., 640),
    ("noise-1000", 1., 890),
    ("transfer", 1., 800),
    ("adaptive", 1., 530),
    ("pgd-20", 0.5, 720),
    ("pgd-20", 2., 200),
    ("pgd-20", 4., 5),
    ("pgd-100", 5., 0),
];

/// The examples from `broken` to `end` stand.
fn stand(broken: usize, end: usize) -> Vec<bool> {
    (0..1000).map(|i| (broken..end).contains(&i)).collect()
}

/// Audits a sound network by [`SOUND`], in which `planted` stands under `attack` at `factor` radii.
fn script(attack: &str, factor: f64, planted: &[bool]) -> Audit {
    let count = planted.len();
    let (model, data) = (Matcher::with(Fault::Nothing), images(count));
    let mut evidence = |asked: &str, ball: Ball| -> Result<Option<Vec<bool>>> {
        let at = |name: &str, radius: f64| name == asked && (radius * BALL.eps - ball.eps).abs() < 1e-9;
        let sound =
            SOUND.iter().find(|(name, radius, _)| at(name, *radius)).map(|(.., n)| stand(0, *n)[..count].to_vec());
        Ok(if at(attack, factor) { Some(planted.to_vec()) } else { sound })
    };
    Audit::of(&subject(&model, &data), &mut evidence).unwrap()
}

#[test]
fn sound_attacks_pass() {
    let audit = script("clean", 1., &stand(0, 900));
    assert!(audit.checks.iter().all(|check| check.verdict == Verdict::Pass), "{}", audit.markdown());
    assert_eq!(audit.verdict(), Verdict::Pass);
    assert!(
        detail(&audit, "worst case").starts_with("51.90 % (interval 48.80 to 54.98) stand under all of 13 attacks")
    );
}

#[test]
fn steps_that_weaken_are_found() {
    finds(&script("fgsm", 1., &stand(0, 545)), &[], &[]);
    finds(&script("fgsm", 1., &stand(0, 544)), &["one step"], &[]);
    finds(&script("pgd-100", 1., &stand(0, 560)), &[], &[]);
    finds(&script("pgd-100", 1., &stand(0, 561)), &[], &["more steps"]);
    finds(&script("pgd-100", 1., &stand(0, 601)), &["more steps"], &[]);
}

#[test]
fn steps_and_restarts_that_still_help_are_found() {
    finds(&script("pgd-100", 1., &stand(0, 530)), &[], &[]);
    finds(&script("pgd-100", 1., &stand(0, 529)), &[], &["more steps"]);
    finds(&script("pgd-20x5", 1., &stand(0, 530)), &[], &[]);
    finds(&script("pgd-20x5", 1., &stand(0, 529)), &[], &["more restarts"]);
}

#[test]
fn restart_that_repairs_is_found() {
    finds(&script("pgd-20x5", 1., &stand(0, 552)), &[], &["more restarts"]);
    finds(&script("pgd-20x5", 1., &stand(0, 553)), &["more restarts"], &[]);
}

#[test]
fn radii_that_weaken_are_found() {
    finds(&script("pgd-20", 4., &stand(0, 205)), &[], &[]);
    finds(&script("pgd-20", 4., &stand(0, 206)), &["larger radius"], &[]);
    finds(&script("pgd-20", 0.5, &stand(0, 500)), &["larger radius"], &[]);
}

#[test]
fn limits_where_all_is_allowed_are_found() {
    finds(&script("pgd-100", 5., &stand(0, 10)), &[], &[]);
    finds(&script("pgd-100", 5., &stand(0, 11)), &[], &["unbounded"]);
    finds(&script("pgd-100", 5., &stand(0, 101)), &["unbounded"], &[]);
}

#[test]
fn black_box_that_beats_white_is_found() {
    for attack in ["square", "noise-1000", "transfer"] {
        finds(&script(attack, 1., &stand(2, 900)), &[], &[]);
        finds(&script(attack, 1., &stand(3, 900)), &[], &["black box"]);
        let audit = script(attack, 1., &stand(21, 900));
        finds(&audit, &["black box"], &[]);
        assert!(detail(&audit, "black box").contains(&format!("{attack} breaks 21")), "{}", audit.markdown());
    }
}

#[test]
fn one_image_of_few_is_no_gradient_masking() {
    let verdict = |broken: usize| {
        let audit = script("square", 1., &stand(broken, 900)[..30]);
        audit.checks.into_iter().find(|check| check.name == "black box").map(|check| check.verdict)
    };
    assert_eq!([0, 1, 2].map(verdict), [Verdict::Pass, Verdict::Warn, Verdict::Fail].map(Some));
}

#[test]
fn cross_entropy_that_overrates_is_found() {
    let gap = |n: usize| script("apgd-t", 1., &stand(0, 543 - n));
    finds(&gap(100), &[], &[]);
    finds(&gap(101), &[], &["cross-entropy against targeted"]);
    finds(&gap(251), &["cross-entropy against targeted"], &[]);
}

#[test]
fn adaptive_attack_that_beats_autoattack_is_found() {
    finds(&script("adaptive", 1., &stand(5, 900)), &[], &[]);
    finds(&script("adaptive", 1., &stand(6, 900)), &[], &["own terms"]);
    finds(&script("adaptive", 1., &stand(21, 900)), &["own terms"], &[]);
}

#[test]
fn example_that_an_attack_repairs_is_found() {
    finds(&script("transfer", 1., &stand(0, 901)), &["worst case"], &[]);
}
