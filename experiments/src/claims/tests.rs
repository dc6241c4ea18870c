//! Verdicts on made-up differences whose truth is known.

use super::{rule::holm, *};
use kernels::{Key, fill_normal};
use std::collections::BTreeMap;

fn claims() -> Claims {
    Claims::read(None).unwrap()
}

/// Where the claim called `id` stands.
fn place(claims: &Claims, id: &str) -> usize {
    claims.claims.iter().position(|claim| claim.id == id).unwrap()
}

/// How differences are distributed around their mean; all symmetric, as sign flips assume under no effect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Noise {
    Normal,
    /// What a seed does to one framework it does to all.
    Correlated,
    /// Student's distribution with one degree of freedom: there is no variance.
    HeavyTailed,
}

/// Contrasts of every claim over `seeds` seeds; `effect` says the mean of claim `i`'s framework `j`, in deviations.
fn drawn(
    claims: &Claims,
    trial: u64,
    seeds: u64,
    noise: Noise,
    effect: impl Fn(usize, usize) -> f64,
) -> Vec<Vec<Contrast>> {
    let key = Key { seed: trial, epoch: 0, example: 0, restart: 0 }.domain("verdicts");
    let normals = |claim: usize, framework: usize, seed: u64| {
        let mut drawn = [0.0f32; 2];
        let key = Key { epoch: claim as u64, example: seed, restart: framework as u64, ..key };
        fill_normal(key, 1.0, &mut drawn);
        drawn.map(f64::from)
    };
    let contrast = |claim: usize, framework: usize, name: &String| {
        let difference = |seed: u64| {
            let [own, other] = normals(claim, framework, seed);
            let [shared, _] = normals(claims.claims.len(), 0, seed);
            let chance = match noise {
                Noise::Normal => own,
                Noise::Correlated => 0.9 * shared + 0.436 * own,
                Noise::HeavyTailed => own / other.abs().max(1e-9),
            };
            (seed, chance + effect(claim, framework))
        };
        let differences = (0..seeds).map(difference).collect();
        Contrast { name: name.clone(), differences, examples: [1000].into(), ..Contrast::default() }
    };
    let contrasts = |(i, claim): (usize, &Claim)| {
        claim.frameworks.iter().enumerate().map(|(j, name)| contrast(i, j, name)).collect()
    };
    claims.claims.iter().enumerate().map(contrasts).collect()
}

fn verdicts(claims: &Claims, contrasts: &[Vec<Contrast>]) -> Vec<Verdict> {
    judge(claims, contrasts).into_iter().map(|finding| finding.verdict).collect()
}

/// With sizes of effects that always matter: what decides is chance alone.
fn any_size() -> Claims {
    let mut claims = claims();
    claims.claims.iter_mut().for_each(|claim| claim.matters = 0.0);
    claims
}

#[test]
fn without_an_effect_some_verdict_is_false_at_most_once_in_twenty() {
    const TRIALS: u64 = 2000;
    let claims = any_size();
    for noise in [Noise::Normal, Noise::Correlated, Noise::HeavyTailed] {
        let wrong = |trial: &u64| {
            let contrasts = drawn(&claims, *trial, 11, noise, |_, _| 0.0);
            verdicts(&claims, &contrasts).iter().any(|verdict| *verdict != Verdict::Undecided)
        };
        let rate = (0..TRIALS).filter(wrong).count() as f64 / TRIALS as f64;
        // Not idle either: 11 seeds allow steps of 1/1024, so that most of the level is used where claims are independent.
        assert!(rate <= 0.05, "{noise:?}: {rate}");
        assert!(noise == Noise::Correlated || rate > 0.015, "{noise:?}: {rate}");
    }
}

#[test]
fn effects_elsewhere_do_not_make_false_verdicts() {
    const TRIALS: u64 = 1500;
    let claims = any_size();
    let (diversity, several, every) = (place(&claims, "d-diversity"), place(&claims, "f"), place(&claims, "g-robust"));
    // Strength and clean accuracy have large effects. Of the several frameworks only the first gains, which is no gain
    // of two; and one comparator is not beaten.
    let effect = |claim: usize, framework: usize| match claim {
        c if c == diversity => 0.0,
        c if c == several && framework > 0 => 0.0,
        c if c == every && framework == 0 => 0.0,
        _ => 5.0,
    };
    let mut right = 0;
    let wrong = (0..TRIALS).filter(|trial| {
        let found = verdicts(&claims, &drawn(&claims, *trial, 11, Noise::Normal, effect));
        let null = [diversity, several, every];
        right += (0..found.len()).filter(|i| !null.contains(i) && found[*i] == Verdict::Supported).count() as u64;
        null.iter().any(|i| found[*i] != Verdict::Undecided)
    });
    let rate = wrong.count() as f64 / TRIALS as f64;
    assert!(rate <= 0.05 && rate > 0.005, "{rate}");
    assert!(right >= 4 * TRIALS * 99 / 100, "{right}");
}

/// Nine seeds of ten comparators cannot contradict a claim whose rule is `every`; who is better is told all the same.
#[test]
fn who_is_better_taken_alone_is_named() {
    let claims = claims();
    let every = place(&claims, "g-clean");
    let name = |framework: usize| claims.claims[every].frameworks[framework].clone();
    let effect = |claim: usize, framework: usize| match (claim == every, framework) {
        (false, _) => 0.0,
        (true, 2 | 4) => -20.0,
        (true, _) => 20.0,
    };
    let finding = &judge(&claims, &drawn(&claims, 0, 9, Noise::Normal, effect))[every];
    let remark = format!("each taken alone, {}, {} are better (p at most 0.05)", name(2), name(4));
    assert!(finding.verdict == Verdict::Undecided && finding.remarks.contains(&remark), "{:?}", finding.remarks);
}

#[test]
fn large_effects_get_the_verdict_of_their_sign() {
    const TRIALS: u64 = 200;
    let claims = claims();
    for noise in [Noise::Normal, Noise::Correlated] {
        for (size, expected) in [(4.0, Verdict::Supported), (-4.0, Verdict::Contradicted)] {
            let found = (0..TRIALS).flat_map(|trial| verdicts(&claims, &drawn(&claims, trial, 12, noise, |_, _| size)));
            let right = found.filter(|verdict| *verdict == expected).count();
            let all = TRIALS as usize * claims.claims.len();
            assert!(right * 100 >= all * 98, "{noise:?}, {size}: {right} of {all}");
        }
    }
}

/// All claims with the same differences for every framework.
fn same(claims: &Claims, differences: &[f64]) -> Vec<Vec<Contrast>> {
    let by_seed: BTreeMap<u64, f64> = (0..).zip(differences.iter().copied()).collect();
    let contrast = |name: &String| Contrast {
        name: name.clone(),
        differences: by_seed.clone(),
        examples: [1000].into(),
        ..Contrast::default()
    };
    claims.claims.iter().map(|claim| claim.frameworks.iter().map(contrast).collect()).collect()
}

#[test]
fn too_few_seeds_decide_nothing_and_say_how_many_would() {
    let claims = claims();
    let findings = judge(&claims, &same(&claims, &[50.0; 8]));
    for (claim, finding) in claims.claims.iter().zip(&findings) {
        assert_eq!(finding.verdict, Verdict::Undecided, "{}", claim.id);
        let said = format!("too few seeds: 8 seeds, with which no p is below 0.0078125; {} are needed", claim.seeds);
        assert_eq!(finding.remarks, [said]);
    }
    let one = judge(&claims, &same(&claims, &[50.0]));
    assert_eq!(one[0].remarks, ["too few seeds: 1 seed; 9 are needed"]);
    // What is asked for is enough, and no seed too many.
    for (i, claim) in claims.claims.iter().enumerate() {
        let enough = judge(&claims, &same(&claims, &vec![50.0; claim.seeds]));
        assert_eq!(enough[i].verdict, Verdict::Supported, "{}", claim.id);
        let tests = claims.claims.len() * if claim.rule == Rule::Several { claim.frameworks.len() } else { 1 };
        assert!(tests as f64 * 0.5f64.powi(claim.seeds as i32 - 2) > claims.level, "{}", claim.id);
    }
}

#[test]
fn an_effect_that_does_not_matter_decides_nothing() {
    let claims = claims();
    let findings = judge(&claims, &same(&claims, &[0.009; 12]));
    let undecided: Vec<&str> = claims
        .claims
        .iter()
        .zip(&findings)
        .filter(|(_, finding)| finding.verdict == Verdict::Undecided)
        .map(|(claim, _)| claim.id.as_str())
        .collect();
    assert_eq!(undecided, ["d-strength", "e-clean", "e-adversarial", "f", "g-clean", "g-robust"]);
    assert_eq!(findings[0].remarks, ["every mean difference is smaller than 0.5 points"]);
}

/// What a limit names is enough: so many points, a p of the level itself; one seed less is not.
#[test]
fn limits_are_reached_where_they_are() {
    let mut claims = claims();
    claims.claims[0].matters = 0.5;
    let half = judge(&claims, &same(&claims, &[0.5; 12])).swap_remove(0);
    assert_eq!(half.verdict, Verdict::Supported);
    claims.level = half.adjusted_p;
    assert_eq!(verdicts(&claims, &same(&claims, &[0.5; 12]))[0], Verdict::Supported);
    claims.level = 0.05;
    claims.claims[0].seeds = 12;
    assert_eq!(verdicts(&claims, &same(&claims, &[50.0; 12]))[0], Verdict::Supported);
    assert_eq!(verdicts(&claims, &same(&claims, &[50.0; 11]))[0], Verdict::Undecided);
}

#[test]
fn several_and_every_mean_what_they_say() {
    let claims = claims();
    let (several, every) = (place(&claims, "f"), place(&claims, "g-clean"));
    let verdict = |claim: usize, effects: &[(usize, f64)]| {
        let mut contrasts = same(&claims, &[0.0; 12]);
        for (framework, size) in effects {
            contrasts[claim][*framework].differences.values_mut().for_each(|difference| *difference = *size);
        }
        judge(&claims, &contrasts).swap_remove(claim)
    };
    assert_eq!(verdict(several, &[(0, 3.0)]).verdict, Verdict::Undecided);
    assert_eq!(verdict(several, &[(0, 3.0), (3, 3.0)]).verdict, Verdict::Supported);
    let mixed = verdict(several, &[(0, 3.0), (3, 3.0), (4, -3.0)]);
    assert_eq!(
        (mixed.verdict, mixed.remarks[0].as_str()),
        (Verdict::Undecided, "mixed: the opposite holds for fast-at")
    );
    assert_eq!(verdict(several, &[(0, -3.0), (3, -3.0)]).verdict, Verdict::Contradicted);
    // Who was not tested, or on too few seeds, may lose.
    let mut contrasts = same(&claims, &[3.0; 12]);
    contrasts[several][1].differences.clear();
    contrasts[several][3].differences.retain(|seed, _| *seed < 10);
    let untested = judge(&claims, &contrasts).swap_remove(several);
    assert_eq!(untested.verdict, Verdict::Undecided);
    assert_eq!(untested.remarks, ["the opposite may hold for trades, alp: fewer than 11 seeds"]);

    let all: Vec<(usize, f64)> = (0..claims.claims[every].frameworks.len()).map(|i| (i, 3.0)).collect();
    assert_eq!(verdict(every, &all).verdict, Verdict::Supported);
    assert_eq!(verdict(every, &all[1..]).verdict, Verdict::Undecided);
    assert_eq!(verdict(every, &[&all[1..], &[(0, -3.0)]].concat()).verdict, Verdict::Contradicted);
}

#[test]
fn a_mean_counts_complete_seeds_only() {
    let claims = claims();
    let mut contrasts = same(&claims, &[2.0; 12]);
    // One framework has other seeds: nine are shared.
    contrasts[0][1].differences = (3..15).map(|seed| (seed, 4.0)).collect();
    let finding = &judge(&claims, &contrasts)[0];
    let paired = finding.tested[0].paired.unwrap();
    assert_eq!((paired.difference.seeds, finding.tested[0].name.as_str()), (9, "mean of 5"));
    assert!((paired.difference.mean - 2.4).abs() < 1e-12);
    assert_eq!(finding.verdict, Verdict::Supported);
    contrasts[0][1].differences.clear();
    assert_eq!(judge(&claims, &contrasts)[0].verdict, Verdict::NotMeasured);
}

#[test]
fn robustness_in_doubt_decides_nothing_unless_less_of_it_would_decide_the_same() {
    let claims = claims();
    let failed = Doubts { failed: ["run-1 fails its audit (black box)".into()].into(), ..Doubts::default() };
    let unaudited = Doubts { unaudited: ["run-1".into(), "run-2".into()].into(), ..Doubts::default() };
    let said = ["run-1 fails its audit (black box)", "2 of the runs behind it were not audited, such as run-1"];
    for (doubts, said) in [(failed, said[0]), (unaudited, said[1])] {
        let (before, after) = (doubts.clone(), doubts);
        let before = Sides { before, ..Sides::default() };
        let after = Sides { after, ..Sides::default() };
        for (sides, sign, decided) in [
            (&after, 1.0, None),
            (&after, -1.0, Some(Verdict::Contradicted)),
            (&before, 1.0, Some(Verdict::Supported)),
            (&before, -1.0, None),
        ] {
            let mut contrasts = same(&claims, &[sign * 50.0; 12]);
            contrasts.iter_mut().flatten().for_each(|contrast| contrast.doubts = sides.clone());
            for (claim, finding) in claims.claims.iter().zip(judge(&claims, &contrasts)) {
                assert_eq!(finding.verdict, decided.unwrap_or(Verdict::Undecided), "{}", claim.id);
                let remarks = decided.map_or_else(|| vec![said.to_owned()], |_| Vec::new());
                assert_eq!(finding.remarks, remarks, "{}", claim.id);
            }
        }
        // Of comparators, one that is better beyond doubt is enough.
        let mut contrasts = same(&claims, &[-50.0; 12]);
        contrasts.iter_mut().for_each(|own| own[0].doubts = before.clone());
        for (claim, finding) in claims.claims.iter().zip(judge(&claims, &contrasts)) {
            let contradicted = claim.rule == Rule::Every;
            assert_eq!(finding.verdict == Verdict::Contradicted, contradicted, "{}", claim.id);
            assert_eq!(finding.remarks.is_empty(), contradicted, "{}: {:?}", claim.id, finding.remarks);
        }
        // What chance leaves open says what else is against it.
        let mut contrasts = same(&claims, &[50.0; 3]);
        contrasts.iter_mut().for_each(|own| own[0].doubts = before.clone());
        assert_eq!(judge(&claims, &contrasts)[0].remarks[1], said);
    }
}

#[test]
fn a_direction_can_be_less() {
    let mut claims = claims();
    claims.claims[0].supports = Direction::Less;
    assert_eq!(verdicts(&claims, &same(&claims, &[5.0; 12]))[0], Verdict::Contradicted);
    assert_eq!(verdicts(&claims, &same(&claims, &[-5.0; 12]))[0], Verdict::Supported);
}

#[test]
fn holm_by_hand() {
    assert_eq!(holm(&[]), [0.0; 0]);
    // Sorted 0.01, 0.02, 0.03, 0.4: times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.4.
    let adjusted = holm(&[0.03, 0.01, 0.4, 0.02]);
    for (found, expected) in adjusted.iter().zip([0.06, 0.04, 0.4, 0.06]) {
        assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
    }
    // The second may not be smaller than the first; none is above 1.
    assert_eq!(holm(&[0.5, 0.5, 0.9]), [1.0, 1.0, 1.0]);
}
