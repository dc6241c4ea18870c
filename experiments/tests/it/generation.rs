//! Strength and diversity by hand, and how they are printed.

use experiments::{
    generation::{Diversity, KINDS, Kind, SUBJECTS, Seen, Strength, Table, wrong_class_entropy},
    report::{Measure, Row},
};

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-12
}

fn diversity(perturbations: &[&[f32]]) -> Diversity {
    Diversity::of(&perturbations.iter().map(|row| row.to_vec()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn equal_perturbations_are_one() {
    let found = diversity(&[&[1., 2.][..]; 5]);
    assert!(near(found.vendi_score, 1.) && near(found.directions, 1.), "{found:?}");
    assert!(near(found.distance, 0.) && near(found.angle, 0.), "{found:?}");
    // Longer is farther, but no other direction.
    let longer = diversity(&[&[3., 4.], &[6., 8.]]);
    assert!(near(longer.distance, 5.) && near(longer.angle, 0.) && near(longer.vendi_score, 1.), "{longer:?}");
}

#[test]
fn orthogonal_perturbations_all_count() {
    let found = diversity(&[&[1., 0., 0.], &[0., 2., 0.], &[0., 0., 3.]]);
    assert!(near(found.vendi_score, 3.) && near(found.directions, 3.) && near(found.angle, 1.), "{found:?}");
    assert!(near(found.distance, (5f64.sqrt() + 10f64.sqrt() + 13f64.sqrt()) / 3.), "{found:?}");
}

/// Two equal directions and one orthogonal to them: eigenvalues 2/3, 1/3 and 0.
#[test]
fn a_spectrum_by_hand() {
    let found = diversity(&[&[1., 0.], &[1., 0.], &[0., 1.]]);
    let entropy = -(2f64 / 3.) * (2f64 / 3.).ln() - (1f64 / 3.) * (1f64 / 3.).ln();
    assert!(near(found.vendi_score, entropy.exp()) && near(found.directions, 9. / 5.), "{found:?}");
    // Two at 60 degrees: (1 + cos) / 2 and (1 - cos) / 2.
    let pair = diversity(&[&[2., 0.], &[1., 3f32.sqrt()]]);
    let entropy = -0.75f64 * 0.75f64.ln() - 0.25f64 * 0.25f64.ln();
    assert!((pair.vendi_score - entropy.exp()).abs() < 1e-7 && (pair.directions - 1.6).abs() < 1e-7, "{pair:?}");
    assert!((pair.angle - 0.5).abs() < 1e-7, "{pair:?}");
    // Opposite directions are one axis, seen from both sides.
    let opposite = diversity(&[&[1., 1.], &[-1., -1.]]);
    assert!(near(opposite.angle, 2.) && near(opposite.vendi_score, 1.), "{opposite:?}");
}

#[test]
fn no_perturbation_is_a_direction_of_its_own() {
    let found = diversity(&[&[0., 0.], &[0., 0.], &[1., 0.]]);
    assert!(near(found.directions, 9. / 5.) && found.vendi_score.is_finite(), "{found:?}");
    assert_eq!(Diversity::of(&[vec![1.]]), None);
}

#[test]
fn wrong_classes_by_hand() {
    assert_eq!(wrong_class_entropy(&[4, 4, 4], 4), None);
    assert_eq!(wrong_class_entropy(&[], 4), None);
    assert_eq!(wrong_class_entropy(&[4, 2, 2], 4), Some(0.));
    assert!(near(wrong_class_entropy(&[1, 2, 4, 3], 4).unwrap(), 3f64.ln()));
    let found = wrong_class_entropy(&[1, 1, 2, 4], 4).unwrap();
    assert!(near(found, 3f64.ln() - 2. / 3. * 2f64.ln()), "{found}");
}

#[test]
fn strength_by_hand() {
    let clean = Seen { losses: vec![0.5, 2.], predicted: vec![0, 3], features: vec![vec![1., 0.], vec![0., 1.]] };
    let adv = Seen { losses: vec![1.5, 2.5], predicted: vec![2, 3], features: vec![vec![1., 3.], vec![4., 1.]] };
    let mut found = Strength::default();
    found.count(&[0, 1], &clean, &adv, &[0, 0]);
    assert_eq!(found.loss_raised(), 0.75);
    assert_eq!(found.error_raised_percent(), 50., "what was wrong already is not raised");
    assert_eq!(found.feature_displacement(), 3.5);
    assert_eq!(found.transfer_error_percent(), 50.);
    // Another restart of the same images.
    found.count(&[0, 1], &clean, &clean, &[2, 2]);
    assert_eq!((found.loss_raised(), found.error_raised_percent()), (0.375, 25.));
    assert_eq!((found.feature_displacement(), found.transfer_error_percent()), (1.75, 75.));
}

fn measure(framework: &str, kind: &Kind, subject: &str, seed: u64, value: f64) -> Measure {
    Measure {
        source: "table4".into(),
        framework: framework.into(),
        regularizer: "none".into(),
        dataset: "cifar10".into(),
        arch: "resnet8".into(),
        norm: "linf".into(),
        epsilon: "8/255".into(),
        subject: subject.into(),
        measure: kind.name.into(),
        checkpoint: "best".into(),
        seed,
        examples: 500,
        value,
        run: format!("{framework}-{seed}"),
        profile: "cpu".into(),
        seconds: 1.,
    }
}

fn row(framework: &str, label: &str) -> Row {
    Row { framework: framework.into(), regularizer: "none".into(), label: label.into(), audits: Vec::new() }
}

fn table(seeds: u64) -> Table {
    let mut measures = Vec::new();
    for (i, framework) in ["pgd-at", "trades"].into_iter().enumerate() {
        for seed in 0..seeds {
            for kind in &KINDS {
                for (j, subject) in SUBJECTS.into_iter().enumerate() {
                    let value = 1. + i as f64 + j as f64 * (0.25 + 0.125 * seed as f64);
                    measures.push(measure(framework, kind, subject, seed, value));
                }
            }
        }
    }
    // A measurement without its partner is no pair.
    measures.push(measure("trades", &KINDS[0], SUBJECTS[0], 9, 100.));
    let rows = vec![row("pgd-at", "PGD-AT"), row("pgd-at", "PGD-AT"), row("trades", "TRADES"), row("mart", "MART")];
    Table::new("table4", "Examples without and with I2FR", rows, measures)
}

#[test]
fn effects_are_paired_by_seed() {
    let effect = table(2).effect(&row("trades", "TRADES"), &KINDS[0]).unwrap();
    assert_eq!((effect.plain.mean, effect.i2fr.mean, effect.examples), (2., 2.3125, 500));
    let paired = effect.paired;
    assert_eq!((paired.difference.mean, paired.difference.seeds, paired.p_value), (0.3125, 2, Some(0.5)));
    assert_eq!(table(2).effect(&row("mart", "MART"), &KINDS[0]), None);
}

#[test]
fn one_seed_claims_nothing_and_two_have_an_interval() {
    let one = table(1).markdown();
    assert!(one.contains("| PGD-AT | 1.000 → 1.250 (+0.250) | 1.00 → 1.25 (+0.25) |"), "{one}");
    assert!(one.contains("nothing is known of a difference's sign") && !one.contains("p = "), "{one}");
    assert!(one.contains("| MART | — | — | — | — |"), "{one}");
    assert_eq!(one.matches("| PGD-AT |").count(), 2, "one line in each part: {one}");
    // Differences 0.25 and 0.375: half width 12.7062 * 0.0625.
    let two = table(2).markdown();
    assert!(two.contains("| PGD-AT | 1.000 → 1.312 (+0.312 ± 0.794, p = 0.5) |"), "{two}");
}

#[test]
fn every_rendering_is_written() {
    let folder = tempfile::tempdir().unwrap();
    // Set to look at the pictures.
    let out = std::env::var_os("I2FR_PLOTS").map_or(folder.path().to_owned(), std::path::PathBuf::from);
    let written = table(3).write(&out).unwrap();
    let read = |i: usize| std::fs::read_to_string(&written[i]).unwrap();
    assert_eq!(read(0).lines().count(), 1 + 2 * KINDS.len());
    assert!(read(0).starts_with("label,framework,regularizer,measure,unit,seeds,examples,plain_mean,i2fr_mean,"));
    assert!(read(2).contains("\\begin{tabular}{lrrrr}") && !read(2).contains('→'), "{}", read(2));
    let svg = read(3);
    for text in KINDS.iter().map(|kind| kind.label).chain(["TRADES", "MART", "Strength", "Diversity"]) {
        assert!(svg.contains(&format!(">\n{text}\n</text>")), "{text}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert!(std::fs::read(&written[4]).unwrap().starts_with(b"\x89PNG"));
}
