//! Attacks by name.

use attacks::{Ball, Probe};

#[test]
fn every_documented_name_is_known() {
    let ball = Ball::grey_levels(8.);
    for (name, attack, objective) in [
        ("fgsm", "pgd-1 (linf 8/255, step 0.03137, Image)", "ce(adv)"),
        ("pgd-20", "pgd-20 (linf 8/255, step 0.00784, Uniform)", "ce(adv)"),
        ("pgd-20x3", "pgd-20 (linf 8/255, step 0.00784, Uniform, 3 restarts)", "ce(adv)"),
        ("pgd-10000x10000", "pgd-10000 (linf 8/255, step 0.00784, Uniform, 10000 restarts)", "ce(adv)"),
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
        ("square-7", "square-7 (linf 8/255)", "margin"),
        ("autoattack", "autoattack (linf 8/255: apgd-ce, apgd-t, fab-t, square)", "ce(adv)"),
        ("apgd-t-5", "apgd-t-5 (linf 8/255, 9 targets)", "ce(adv)"),
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
        "apgd-ce-5x2",
        "apgd-t-",
        "apgd-t-0",
        "fab",
        "fab-t-5",
        "square-",
        "square-0",
        "apgd-dlr-0",
        "apgd-dlr-1-1",
        "autoattacks",
        "clean-1",
    ] {
        let Err(e) = Probe::named(name, Ball::grey_levels(8.)) else { panic!("`{name}` is known") };
        let message = e.to_string();
        assert!(message.starts_with(&format!("unknown attack `{name}`; known: fgsm, ")), "{message}");
        assert!(!message.contains("  "), "{message}");
    }
}
