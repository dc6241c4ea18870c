//! How each method passes images through the network: batch statistics, running ones, and where attacks start.

use crate::awp::{bits, network};
use attacks::{Ball, Keys, Norm};
use candle::Result;
use frameworks::{Awp, Framework, Place, Setting, revision};
use models::Mode::{self, BatchStats, Eval, Train};
use objectives::{Stage, pairing};
use std::cell::RefCell;

/// With two steps to the attack, and the weights of terms that tables have.
pub fn named(name: &str) -> Framework {
    let ball = Ball::grey_levels(8.);
    let setting = Setting { ball, steps: 2, step: None, epochs: 2, seed: 3, warm_up: 0, beta: None, grey: false };
    frameworks::named(name, setting).unwrap()
}

/// As the methods' official code has it, or what the documentation of each says of it; where a method knows no clean
/// pass, it leaves running statistics alone. Attacks start from noise, anywhere in the ball, or at the image.
#[test]
fn modes_and_starts_are_those_of_each_method() {
    let expected: &[(&str, Mode, Mode, &str)] = &[
        ("standard", Eval, Train, "none"),
        ("pgd-at", BatchStats, BatchStats, "Uniform"),
        ("mixed-at", BatchStats, BatchStats, "Uniform"),
        ("trades", Eval, Train, "Gaussian(0.001)"),
        ("mart", Eval, Train, "Gaussian(0.001)"),
        ("alp", Eval, Train, "Gaussian(0.001)"),
        ("fast-at", BatchStats, BatchStats, "Uniform"),
        ("friendly-at", Eval, BatchStats, "Uniform"),
        ("adr", Eval, Train, "Uniform"),
        ("tla", Eval, Train, "Uniform"),
        ("pcl", Eval, Train, "Image"),
        ("he", Eval, BatchStats, "Gaussian(0.001)"),
        ("feature-scattering", Eval, BatchStats, "Uniform"),
    ];
    assert!(frameworks::ALL.iter().map(|(name, _)| name).eq(expected.iter().map(|(name, ..)| name)));
    for (name, attack, clean, start) in expected {
        let method = named(name);
        assert_eq!((method.attack_mode, method.clean_mode), (*attack, *clean), "{name}");
        assert!(method.attack.to_string().contains(start), "{name}: {}", method.attack);
    }
}

#[test]
fn fast_at_lets_its_start_leave_the_pixels_range_on_grey_images_alone() {
    let ball = Ball { norm: Norm::Linf, eps: 0.3 };
    for name in frameworks::ALL.iter().map(|(name, _)| *name) {
        let of = |grey| {
            let setting = Setting { ball, steps: 2, step: None, epochs: 2, seed: 3, warm_up: 0, beta: None, grey };
            frameworks::named(name, setting).unwrap().attack.to_string()
        };
        let own = name == "fast-at";
        assert_eq!((of(true).contains("Unclipped"), of(true) != of(false)), (own, own), "{name}");
        assert_eq!(revision(name, Norm::Linf, true) != revision(name, Norm::Linf, false), own, "{name}");
    }
}

/// The network's bits after one pass of training, whose gradients nobody steps along: running statistics have moved.
fn after(method: &Framework) -> Result<std::collections::BTreeMap<String, Vec<u32>>> {
    let (mut net, images, labels) = network()?;
    let examples: Vec<u64> = (0..8).collect();
    method.gradients(&mut net, &images, &labels, &Keys { seed: 0, epoch: 1, examples: &examples })?;
    bits(&net)
}

#[test]
fn a_term_that_looks_at_clean_images_moves_no_running_statistics() -> Result<()> {
    let alone = named("pgd-at");
    // In training alone, so that both see the same adversarial images.
    let with = alone.regularized("pairing", &pairing(), Place::Training);
    let (untouched, ..) = network()?;
    assert!(after(&alone)? != bits(&untouched)?, "adversarial images move them");
    assert!(after(&alone)? == after(&with)?);
    assert!(after(&alone)? != after(&Framework { clean_mode: Train, ..with })?, "clean images would, too");
    Ok(())
}

/// What terms remember must come from the second of two passes.
#[test]
fn weights_are_perturbed_by_a_pass_that_nothing_remembers() -> Result<()> {
    let (mut net, images, _) = network()?;
    let stages = RefCell::new(Vec::new());
    Awp { gamma: 0.01 }.gradients(&mut net, |net, stage| {
        stages.borrow_mut().push(stage);
        models::Model::forward(&net.live(), &images, BatchStats)?.logits.sqr()?.mean_all()
    })?;
    assert_eq!(stages.into_inner(), [Stage::Generation, Stage::Training]);
    Ok(())
}
