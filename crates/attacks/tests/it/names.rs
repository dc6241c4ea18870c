//! Attacks by name.

use attacks::{Ball, Norm, Probe, revision};

#[test]
fn every_documented_name_is_known() {
    let ball = Ball::grey_levels(8.);
    for (name, attack, objective) in [
        ("fgsm", "pgd-1 (linf 8/255, step 0.03137, Image)", "ce(adv)"),
        ("pgd-20", "pgd-20 (linf 8/255, step 0.00784, Uniform)", "ce(adv)"),
        ("pgd-20x3", "pgd-20 (linf 8/255, step 0.00784, Uniform, 3 restarts)", "ce(adv)"),
        ("pgd-10000x10000", "pgd-10000 (linf 8/255, step 0.00784, Uniform, 10000 restarts)", "ce(adv)"),
        ("pgd-20@0.003", "pgd-20 (linf 8/255, step 0.00300, Uniform)", "ce(adv)"),
        ("cw-7x2@0.1", "pgd-7 (linf 8/255, step 0.10000, Uniform, 2 restarts)", "margin"),
        ("mim-5@0.01-eot2", "mim-5 (linf 8/255, step 0.01000, Image, 2 passes)", "ce(adv)"),
        ("mim-20", "mim-20 (linf 8/255, step 0.00784, Image)", "ce(adv)"),
        ("cw", "pgd-30 (linf 8/255, step 0.00784, Uniform)", "margin"),
        ("cw-7", "pgd-7 (linf 8/255, step 0.00784, Uniform)", "margin"),
        ("apgd-ce", "apgd-100 (linf 8/255)", "ce(adv)"),
        ("apgd-ce-20", "apgd-20 (linf 8/255)", "ce(adv)"),
        ("apgd-dlr", "apgd-100 (linf 8/255)", "dlr"),
        ("apgd-dlr-1", "apgd-1 (linf 8/255)", "dlr"),
        ("apgd-t", "apgd-t-100 (linf 8/255, 9 targets)", "ce(adv)"),
        ("fab-t", "fab-t-100 (linf 8/255, 9 targets)", "margin"),
        ("square", "square-5000 (linf 8/255)", "margin"),
        ("square-7", "square-7 (linf 8/255, rescaled)", "margin"),
        ("autoattack", "autoattack (linf 8/255: apgd-ce, apgd-t, fab-t, square)", "ce(adv)"),
        ("autoattack-rand", "autoattack-rand (linf 8/255: apgd-ce-eot20, apgd-dlr-eot20)", "ce(adv)"),
        ("apgd-t-5", "apgd-t-5 (linf 8/255, 9 targets)", "ce(adv)"),
        ("apgd-t-5x2", "apgd-t-5 (linf 8/255, 9 targets, 2 restarts)", "ce(adv)"),
        ("apgd-ce-5x2-eot3", "apgd-5 (linf 8/255, 2 restarts, 3 passes)", "ce(adv)"),
        ("cw-7x2-eot3", "pgd-7 (linf 8/255, step 0.00784, Uniform, 2 restarts, 3 passes)", "margin"),
        ("fgsm-eot3", "pgd-1 (linf 8/255, step 0.03137, Image, 3 passes)", "ce(adv)"),
        ("mim-2-eot3", "mim-2 (linf 8/255, step 0.00784, Image, 3 passes)", "ce(adv)"),
        ("noise", "noise-1000 (linf 8/255)", "margin"),
        ("noise-7", "noise-7 (linf 8/255)", "margin"),
        ("apgd-scaled-ce", "apgd-100 (linf 8/255)", "scaled-ce"),
        ("apgd-scaled-ce-5x2-eot3", "apgd-5 (linf 8/255, 2 restarts, 3 passes)", "scaled-ce"),
        ("fab", "fab-100 (linf 8/255)", "margin"),
        ("fab-5x2", "fab-5 (linf 8/255, 2 restarts)", "margin"),
        (
            "autoattack-plus",
            "autoattack-plus (linf 8/255: apgd-ce-100x5, apgd-dlr-100x5, fab-100x5, square, apgd-t, fab-t)",
            "ce(adv)",
        ),
        ("fab-t-5", "fab-t-5 (linf 8/255, 9 targets)", "margin"),
        ("fab-t-5x2", "fab-t-5 (linf 8/255, 9 targets, 2 restarts)", "margin"),
        ("square-7x2", "square-7 (linf 8/255, 2 restarts, rescaled)", "margin"),
    ] {
        let probe = Probe::named(name, ball).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(probe.name, name);
        assert_eq!(probe.attack.to_string(), attack);
        assert_eq!(probe.objective.to_string(), objective);
        assert_eq!(probe.ball, ball);
    }
}

#[test]
fn other_names_are_unknown() {
    for name in [
        "",
        "-",
        "pgd",
        "pgd-",
        "pgd-0",
        "pgd--1",
        "pgd-10001",
        "pgd-5x0",
        "pgd-5x",
        "pgd-x5",
        "pgd-5x2x2",
        "pgd-+5",
        "pgd-05",
        "pgd- 5",
        "pgd-5.0",
        "pgd-99999999999999999999",
        "PGD-5",
        "fgsm-1",
        "fgsm-",
        "mim",
        "mim-0",
        "mim-5x2",
        "cw-",
        "cw-0",
        "cw-x",
        "apgd",
        "apgd-",
        "apgd-20",
        "apgd-ce-",
        "apgd-ce-0",
        "apgd-t-",
        "apgd-t-0",
        "fab-",
        "fab-t-",
        "fab-t-0",
        "fab-t-5-eot2",
        "square-",
        "square-0",
        "square-eot2",
        "square-5x1",
        "apgd-ce-5x1",
        "apgd-ce-x2",
        "apgd-ce-eot1",
        "apgd-ce-eot02",
        "apgd-ce-eot+2",
        "apgd-ce-eot",
        "apgd-ce-eot2-eot2",
        "apgd-ce-eot2-5",
        "apgd-ce-eot10001",
        "apgd-t-5x1",
        "pgd-5x1",
        "pgd-eot2",
        "mim-5x2-eot2",
        "fgsm-5",
        "autoattack-eot2",
        "autoattack-rand-5",
        "autoattack-standard",
        "apgd-dlr-0",
        "apgd-dlr-1-1",
        "autoattacks",
        "noise-5x2",
        "noise-0",
        "noise-eot2",
        "pgd@0.003",
        "pgd-20@0.0030",
        "pgd-20@2/255",
        "fgsm@0.1",
        "apgd-scaled",
        "clean-1",
    ] {
        let Err(e) = Probe::named(name, Ball::grey_levels(8.)) else { panic!("`{name}` is known") };
        let message = e.to_string();
        assert!(message.starts_with(&format!("unknown attack `{name}`; known: fgsm[-eotPASSES], ")), "{message}");
        assert!(!message.contains("  "), "{message}");
    }
}

#[test]
fn sequences_have_stages() {
    let ball = Ball::grey_levels(8.);
    for (name, expected) in [
        ("pgd-20x3", vec!["pgd-20x3"]),
        ("apgd-t", vec!["apgd-t"]),
        ("autoattack", vec!["apgd-ce", "apgd-t", "fab-t", "square"]),
        ("autoattack-plus", vec!["apgd-ce-100x5", "apgd-dlr-100x5", "fab-100x5", "square", "apgd-t", "fab-t"]),
        ("autoattack-rand", vec!["apgd-ce-eot20", "apgd-dlr-eot20"]),
    ] {
        let stages = Probe::stages(name, ball).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), expected);
        for stage in stages {
            let named = Probe::named(&stage.name, ball).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(stage.attack.to_string(), named.attack.to_string());
            assert_eq!(stage.objective.to_string(), named.objective.to_string());
            assert_eq!(stage.ball, ball);
        }
    }
    for name in ["", "autoattack-", "autoattack-eot2", "apgd"] {
        assert!(Probe::stages(name, ball).is_err(), "{name}");
    }
}

#[test]
fn revisions_are_those_of_the_family() {
    for (in_l2, names) in [
        (2, "fgsm fgsm-eot3 pgd-20 pgd-20x3 pgd-20@0.003 pgd-5x2@0.1-eot2 mim-20 mim-5@0.01 cw cw-7x2@0.1-eot3"),
        // Frameworks ask by a family's own name.
        (2, "pgd mim"),
        (1, "apgd-ce apgd-ce-20x5-eot2 apgd-dlr apgd-scaled-ce apgd-t apgd-t-5x2 fab fab-5 fab-t fab-t-5x2"),
        (1, "square square-7x2 noise noise-7 autoattack autoattack-plus autoattack-rand clean"),
        // Known to nobody: what a name begins with is not its family.
        (1, "pgd-cos-20 pgd-cos pgds pgd- cw-l2 cwx mimic mim-x fgsm-rs"),
    ] {
        for name in names.split(' ') {
            assert_eq!((revision(name, Norm::L2), revision(name, Norm::Linf)), (in_l2, 1), "{name}");
        }
    }
}
