//! What each method ascends and descends: terms and their weights, as tables have them.

use crate::{
    golden::{assert_values, cases, labels},
    passes::named,
};
use candle::Result;
use models::{
    Head::{self, Cosine, Linear},
    Output,
};
use objectives::{Clean, Stage};

/// What the attack ascends, what training descends, and the last layer, as stored with every run.
#[test]
fn games_are_those_of_each_method() {
    let expected: &[(&str, &str, &str, Head)] = &[
        ("standard", "ce(adv)", "ce(clean)", Linear),
        ("pgd-at", "ce(adv)", "ce(adv)", Linear),
        ("mixed-at", "ce(adv)", "0.5 ce(clean) + 0.5 ce(adv)", Linear),
        ("trades", "kl", "ce(clean) + 6 kl", Linear),
        ("mart", "ce(adv)", "boosted-ce + 5 weighted-kl", Linear),
        ("alp", "ce(adv)", "0.5 ce(clean) + 0.5 ce(adv) + pairing", Linear),
        ("fast-at", "ce(adv)", "ce(adv)", Linear),
        ("friendly-at", "ce(adv)", "ce(adv)", Linear),
        (
            "adr",
            "ce(adv)",
            "ce(clean) + ce(adv) + local-compactness + local-smoothness \
             + global-compactness + global-smoothness + confidence",
            Linear,
        ),
        (
            "tla",
            "ce(adv)",
            "ce(adv) + 2 triplet(own clean, hardest negatives, margin 0.03) \
             + 2 triplet(same class, hardest negatives, margin 0.03)",
            Linear,
        ),
        (
            "pcl",
            "ce(adv)",
            "0.5 ce(clean) + 0.5 ce(adv) + proximity(clean, adv) + -0.00001 contrastive(clean, adv)",
            Linear,
        ),
        ("he", "ce(adv)", "margin-ce(adv, scale 1, margin 3)", Cosine { scale: 15. }),
        ("feature-scattering", "transport", "ce(adv, 0.5 on other classes)", Linear),
    ];
    assert!(frameworks::ALL.iter().map(|(name, _)| name).eq(expected.iter().map(|(name, ..)| name)));
    for (name, inner, outer, head) in expected {
        let method = named(name);
        assert_eq!(method.inner.to_string(), *inner, "{name} ascends");
        assert_eq!(method.outer.to_string(), *outer, "{name} descends");
        assert_eq!(method.head, *head, "{name}");
    }
}

/// Methods whose whole training loss is a golden value at the weights they have here.
#[test]
fn parity_of_training_losses() -> Result<()> {
    let Some(mut cases) = cases("losses.safetensors") else { return Ok(()) };
    let input = cases.remove("input").expect("the inputs");
    let labels = labels(&input["labels"])?;
    let output =
        |features: &str, logits: &str| Output { features: input[features].clone(), logits: input[logits].clone() };
    let clean = Clean::known(output("z_clean", "clean"), &labels, Stage::Training);
    let passes = clean.against_known(output("z_adv", "adv"));
    for (name, case) in [
        ("trades", "trades_beta6"),
        ("mart", "mart_lambda5"),
        ("alp", "alp_beta1"),
        ("adr", "adr_pgd_total"),
        ("feature-scattering", "fs_train_ce_ls0p5"),
    ] {
        let loss = named(name).outer.losses(&passes)?.mean_all()?;
        assert_values(name, &loss, &cases[case]["loss"], 1e-5, 0.);
    }
    Ok(())
}
