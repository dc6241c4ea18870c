//! Planted faults: each is found by the checks that are there for it, and by no others.

mod models;
mod strength;

use ::models::{Arch, Net, checkpoint};
use attacks::{Ball, Norm};
use candle::Device;
use data::{Augment, Name};
use experiments::{
    audit::{ATTACKS, Audit, Check, Evidence, Subject, Verdict, questions},
    interrupt::Interrupted,
};
use frameworks::{OptimizerConfig, Schedule, Trainer, TrainingConfig};
use models::{BALL, Fault, Matcher, audit, clarity, images, measured, subject};
use std::{fs, ops::ControlFlow, path::PathBuf};

fn names(audit: &Audit, verdict: Verdict) -> Vec<&str> {
    audit.checks.iter().filter(|check| check.verdict == verdict).map(|check| check.name).collect()
}

/// `fail` fails and `warn` warns, besides the size of the sample, and nothing else.
#[track_caller]
fn finds(audit: &Audit, fail: &[&str], warn: &[&str]) {
    let mut warnings = names(audit, Verdict::Warn);
    warnings.retain(|name| *name != "sample");
    assert_eq!((names(audit, Verdict::Fail).as_slice(), warnings.as_slice()), (fail, warn), "{}", audit.markdown());
}

fn detail<'a>(audit: &'a Audit, name: &str) -> &'a str {
    &audit.check(name).unwrap_or_else(|| panic!("no check {name}")).detail
}

#[test]
fn sound_network_passes() {
    let audit = audit(Fault::Nothing);
    finds(&audit, &[], &[]);
    assert_eq!(names(&audit, Verdict::Skipped), ["own terms"]);
    assert_eq!((audit.verdict(), detail(&audit, "own terms")), (Verdict::Warn, "adaptive was not measured"));
}

#[test]
fn sound_network_passes_in_l2() {
    let (model, data) = (Matcher::with(Fault::Nothing), images(60));
    let subject = Subject { ball: Ball { norm: Norm::L2, eps: 2. }, ..subject(&model, &data) };
    let audit = Audit::of(&subject, &mut measured(subject)).unwrap();
    finds(&audit, &[], &[]);
    assert_eq!(names(&audit, Verdict::Skipped), ["own terms"]);
    // Its steps are not what they were: an audit by the old ones is another.
    assert!(audit.settings.ends_with("pgd-20x5 revision 2, cw revision 2"), "{}", audit.settings);
    assert!(!self::audit(Fault::Nothing).settings.contains("revision"));
}

#[test]
fn trained_network_passes() {
    let splits = data::load(Name::Synthetic, None, 0).unwrap();
    let (config, device) = (
        TrainingConfig {
            epochs: 2,
            batch: 50,
            lr: 0.1,
            schedule: Schedule::OneCycle,
            optimizer: OptimizerConfig::default(),
            averaging: None,
            augment: Augment::NONE,
            seed: 0,
            selection: None,
        },
        &Device::Cpu,
    );
    let (train, test) = (splits.train.first(1000), splits.test.first(60));
    let net = Net::new(Arch::Tiny, train.shape(), train.classes(), 0, device).unwrap();
    let mut trainer = Trainer::new(frameworks::standard(), config, net, train, test.clone(), device).unwrap();
    while !trainer.finished() {
        trainer.epoch(&mut |_| ControlFlow::Continue(())).unwrap();
    }
    let frozen = trainer.net().frozen();
    let subject = Subject { ball: Ball::grey_levels(2.), ..subject(&frozen, &test) };
    let mut quick = |attack: &str, ball| match attack {
        "clean" | "fgsm" | "pgd-20" | "cw" | "square" => measured(subject).stands(attack, ball),
        _ => Ok(None),
    };
    finds(&Audit::of(&subject, &mut quick).unwrap(), &[], &[]);
}

#[test]
fn published_network_passes() {
    let folder = |variable| std::env::var_os(variable).map(PathBuf::from);
    let (Some(fixtures), Some(data)) = (folder("I2FR_FIXTURES"), folder("I2FR_DATA")) else { return };
    let test = data::load(Name::Cifar10, Some(&data.join("cifar10-small")), 0).unwrap().test.first(60);
    let mut net = Net::new(Arch::CifarResNet(20), test.shape(), test.classes(), 0, &Device::Cpu).unwrap();
    net.load(&checkpoint::read(&fixtures.join("checkpoints/resnet20-12fca82f.th")).unwrap()).unwrap();
    let frozen = net.frozen();
    for levels in [1., 8.] {
        let subject = Subject { ball: Ball::grey_levels(levels), ..subject(&frozen, &test) };
        let audit = Audit::of(&subject, &mut |_: &str, _| Ok(None)).unwrap();
        finds(&audit, &[], &[]);
        assert!(audit.checks[..5].iter().all(|check| check.verdict == Verdict::Pass), "{}", audit.markdown());
    }
}

#[test]
fn saturated_logits_are_found() {
    let fail = ["saturation", "unbounded", "cross-entropy against targeted"];
    finds(&audit(Fault::Scaled(1000.)), &fail, &[]);
}

#[test]
fn few_classes_are_found() {
    let (model, data) = (Matcher::with(Fault::ThreeClasses), images(60));
    let known: Vec<usize> = (0..data.len()).filter(|&i| data.label(i) < 3).collect();
    let audit = Audit::of(&subject(&model, &data.select(&known)), &mut |_: &str, _| Ok(None)).unwrap();
    finds(&audit, &[], &["logits"]);
    assert!(detail(&audit, "logits").contains("too few for the targeted difference-of-logits ratio"));
}

#[test]
fn logits_that_saturate_now_and_then_are_found() {
    // Margins of these images are 12 * 6.5 and less, of the clearest one 12 * 9.5: exp(-88) is the smallest
    // normal number, exp(-104) is zero.
    let (model, data) = (Matcher::with(Fault::Scaled(12.)), images(101));
    let seen: Vec<usize> = (0..101).filter(|&i| clarity(i as u64) < 60 || clarity(i as u64) == 100).collect();
    let audit = Audit::of(&subject(&model, &data.select(&seen)), &mut |_: &str, _| Ok(None)).unwrap();
    finds(&audit, &[], &["saturation"]);
    assert!(detail(&audit, "saturation").starts_with("the cross-entropy of 1 of 61 correct images"));
}

#[test]
fn quantised_input_without_a_gradient_is_found() {
    let audit = audit(Fault::Quantised);
    finds(&audit, &["gradient"], &[]);
    // What needs no gradient was measured all the same.
    assert_eq!(audit.check("clean").unwrap().verdict, Verdict::Pass);
    assert_eq!(detail(&audit, "black box"), "no attack with gradients was measured");
}

#[test]
fn straight_through_gradient_of_a_quantised_input_is_found() {
    finds(&audit(Fault::StraightThrough(3.)), &["finite differences"], &[]);
    // 8-bit images stay where they are; that the margin moves at random points does not hide it.
    let audit = audit(Fault::StraightThrough(255.));
    finds(&audit, &["finite differences"], &[]);
    assert!(detail(&audit, "finite differences").contains("in 0.0 % of images (100.0 % at random points)"));
}

#[test]
fn made_up_gradient_of_a_quantised_input_is_found() {
    let audit = audit(Fault::MadeUp);
    for name in ["finite differences", "larger radius", "unbounded"] {
        assert_eq!(audit.check(name).unwrap().verdict, Verdict::Fail, "{}", audit.markdown());
    }
}

#[test]
fn random_network_is_found() {
    assert_eq!(names(&audit(Fault::Random), Verdict::Fail), ["deterministic"]);
}

#[test]
fn probabilities_are_found() {
    finds(&audit(Fault::Softmax), &["logits"], &[]);
    finds(&audit(Fault::LogSoftmax), &[], &["logits"]);
}

#[test]
fn answers_that_are_no_numbers_are_found() {
    let audit = audit(Fault::NoNumber);
    finds(&audit, &["logits"], &[]);
    // Nothing else can be said, and nothing passes for lack of a number.
    assert_eq!(names(&audit, Verdict::Pass), ["control"]);
}

#[test]
fn chance_is_found() {
    finds(&audit(Fault::Chance), &["clean"], &[]);
}

#[test]
fn attack_that_leaves_its_ball_is_found() {
    let (model, data) = (Matcher::with(Fault::Nothing), images(60));
    let subject = subject(&model, &data);
    let mut honest = measured(subject);
    let mut escape = |attack: &str, ball| honest.stands(if attack == "adaptive" { "too far" } else { attack }, ball);
    let audit = Audit::of(&subject, &mut escape).unwrap();
    finds(&audit, &["threat model"], &[]);
    assert!(detail(&audit, "threat model").starts_with("adaptive: an attack broke its threat model linf 0.1"));
    assert_eq!(detail(&audit, "own terms"), "adaptive left its ball");
}

#[test]
fn control_that_resists_is_found() {
    let (model, data) = (Matcher::with(Fault::Nothing), images(60));
    let with = |control| {
        let subject = Subject { control, ..subject(&model, &data) };
        Audit::of(&subject, &mut |_: &str, _| Ok(None)).unwrap().check("control").unwrap().verdict
    };
    let verdicts = [4.9, 5., 14.9, 15.].map(|percent| with(Some(("a standard network", percent))));
    assert_eq!(verdicts, [Verdict::Pass, Verdict::Warn, Verdict::Warn, Verdict::Fail]);
    assert_eq!(with(None), Verdict::Skipped);
}

#[test]
fn small_sample_is_found() {
    let audit = audit(Fault::Chance);
    assert!(detail(&audit, "sample").starts_with("60 images give 0.00 % to 3.01 points either way: "));
    assert_eq!(audit.check("sample").unwrap().verdict, Verdict::Warn);
}

#[test]
fn what_was_not_measured_is_skipped() {
    let (model, data) = (Matcher::with(Fault::Nothing), images(60));
    let mut asked = Vec::new();
    let mut nothing = |attack: &str, ball: Ball| {
        asked.push((attack.to_owned(), ball));
        Ok(None)
    };
    let audit = Audit::of(&subject(&model, &data), &mut nothing).unwrap();
    let skipped = names(&audit, Verdict::Skipped);
    assert_eq!((skipped.len(), skipped[0], audit.verdict()), (12, "one step", Verdict::Pass));
    assert_eq!(detail(&audit, "one step"), "fgsm was not measured");
    // It asks for what it says it asks for, once each and in order.
    let announced = questions(BALL, data.shape());
    assert!(asked.iter().map(|(attack, ball)| (attack.as_str(), *ball)).eq(announced.iter().copied()));
    assert!(ATTACKS.iter().all(|attack| announced.contains(&(attack, BALL))));
}

#[test]
fn other_errors_end_the_audit() {
    let (model, data) = (Matcher::with(Fault::Nothing), images(60));
    let subject = subject(&model, &data);
    let mut stopped = |_: &str, _| Err(Interrupted.into());
    assert!(Audit::of(&subject, &mut stopped).unwrap_err().is::<Interrupted>());
    let mut short = |_: &str, _| Ok(Some(vec![true; 59]));
    let error = Audit::of(&subject, &mut short).unwrap_err().to_string();
    assert_eq!(error, "clean tells of 59 examples, not of 60");
    let none = Subject { data: &data.first(0), ..subject };
    assert!(Audit::of(&none, &mut measured(subject)).is_err());
}

#[test]
fn files_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let stem = folder.path().join("some/audit-best");
    assert_eq!(Audit::read(&stem).unwrap(), None);
    let audit = audit(Fault::Quantised);
    audit.write(&stem).unwrap();
    assert_eq!(Audit::read(&stem).unwrap(), Some(audit.clone()));
    assert_eq!(fs::read_to_string(stem.with_extension("md")).unwrap(), audit.markdown());
    assert!(audit.csv().unwrap().starts_with("check,verdict,detail,subject,settings\ndeterministic,pass,"));

    let shorter = audit.csv().unwrap().lines().take(5).collect::<Vec<_>>().join("\n");
    for broken in ["", "check\nclean\n", &shorter] {
        fs::write(stem.with_extension("csv"), broken).unwrap();
        let error = Audit::read(&stem).unwrap_err().to_string();
        assert!(error.ends_with("not an audit of this version; delete it to audit again"), "{error}");
    }
}

#[test]
fn report() {
    let check = |(name, verdict, detail): (&'static str, Verdict, &str)| Check { name, verdict, detail: detail.into() };
    let audit = Audit {
        subject: "PGD-AT, seed 1".into(),
        settings: "linf 8/255; 500 images of cifar10; best epoch under pgd-10 on held-out images".into(),
        checks: [
            ("one step", Verdict::Pass, "pgd-20 leaves 48.20 %, fgsm 55.10 %"),
            ("black box", Verdict::Fail, "square | noise: gradients are masked"),
            ("sample", Verdict::Warn, "500 images: evaluate more images"),
            ("control", Verdict::Skipped, "no undefended network was given"),
        ]
        .map(check)
        .into(),
    };
    assert_eq!((audit.verdict(), audit.verdict().mark(), Verdict::Warn.mark()), (Verdict::Fail, "‡", ""));
    insta::assert_snapshot!(audit.markdown(), @r"
    # Audit of PGD-AT, seed 1

    linf 8/255; 500 images of cifar10; best epoch under pgd-10 on held-out images

    | | check | what was found |
    |---|---|---|
    | ✓ pass | one step | pgd-20 leaves 48.20 %, fgsm 55.10 % |
    | ✗ **fail** | black box | square \| noise: gradients are masked |
    | ! warn | sample | 500 images: evaluate more images |
    | – | control | no undefended network was given |

    **Failed: black box.** Until that is explained, robust accuracy of this network is no evidence. To look at: sample. Not checked: control.
    ");
    let sound = Audit { checks: audit.checks[..1].to_vec(), ..audit };
    assert!(sound.markdown().ends_with("|\n\nNo check failed.\n"));
}
