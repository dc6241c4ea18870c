//! A stronger attack is not weaker, on a briefly trained network.

use crate::setting::{eval, judge};
use attacks::{Apgd, Attack, Ball, Evaluation, Keys, Norm, Pgd, Probe};
use candle::{Device, Result};
use data::{Batch, Dataset, Name};
use models::{Arch, Mode, Net};
use objectives::{Clean, Pass, Stage, ce, dlr, margin};
use std::ops::ControlFlow;

/// A network after two short epochs of plain gradient descent, and unseen images it classifies correctly.
fn trained() -> Result<(Net, Dataset)> {
    let splits = data::load(Name::Synthetic, None, 5).expect("the synthetic set");
    let mut net = Net::new(Arch::Tiny, [3, 32, 32], 10, 7, &Device::Cpu)?;
    let few = splits.train.first(1500);
    for positions in (0..2).flat_map(|epoch| few.epoch(1, epoch, 20)) {
        let Batch { images, labels, .. } = splits.train.batch(&positions, &Device::Cpu).expect("a batch");
        let losses = {
            let live = net.live();
            let clean = Clean::new(&live, Mode::Train, &images, &labels, Stage::Training);
            let output = models::Model::forward(&live, &images, Mode::Train)?;
            ce(Pass::Adv).losses(&clean.against_known(output))?
        };
        let grads = losses.mean_all()?.backward()?;
        net.update(|parameters| {
            for (_, var) in parameters.trainable() {
                let grad = grads.get(var).expect("a gradient");
                var.set(&(var.as_detached_tensor() - (grad * 0.2)?)?)?;
            }
            Result::Ok(())
        })?;
    }
    let test = splits.test.first(150);
    let correct = Evaluation { model: &net.frozen(), data: &test, batch: 50, device: &Device::Cpu }
        .clean(&mut |_| ControlFlow::Continue(()))?;
    let correct = correct.expect("not stopped");
    let standing: Vec<usize> = (0..test.len()).filter(|&i| correct[i]).collect();
    assert!(standing.len() >= 40, "only {} of 150 are correct", standing.len());
    Ok((net, test.select(&standing[..standing.len().min(40)])))
}

/// How many examples survive the attack called `name`.
fn survivors(net: &Net, data: &Dataset, name: &str, ball: Ball) -> Result<usize> {
    let probe = Probe::named(name, ball).expect("a known attack");
    let before = vec![true; data.len()];
    let mut on = |_| ControlFlow::Continue(());
    let robust = Evaluation { model: &net.frozen(), data, batch: 60, device: &Device::Cpu }
        .robust(&probe, &before, 9, &mut on)?;
    Ok(robust.expect("not stopped").iter().filter(|hit| **hit).count())
}

#[test]
fn more_is_not_weaker() -> Result<()> {
    let (net, data) = trained()?;
    // Half of the examples fall at about this radius, where attacks differ most.
    let mut levels = 0.25;
    while survivors(&net, &data, "pgd-10", Ball::grey_levels(levels))? > data.len() / 2 {
        levels *= 1.5;
    }
    let at = |name: &str, factor: f64| survivors(&net, &data, name, Ball::grey_levels(levels * factor));
    // A radius.
    let radii = [0., 0.5, 1., 2.].map(|factor| at("pgd-10", factor).expect("an attack"));
    assert_eq!(radii[0], data.len());
    assert!(radii.is_sorted_by(|a, b| a >= b), "{radii:?}");
    assert_eq!(survivors(&net, &data, "pgd-20", Ball::grey_levels(255.))?, 0, "everything falls at full range");
    // Steps; different attacks may disagree on an example at the edge.
    let [fgsm, few, many, apgd] =
        ["fgsm", "pgd-5", "pgd-40", "apgd-ce-40"].map(|name| at(name, 1.).expect("an attack"));
    assert!(many <= few + 1 && many <= fgsm, "fgsm {fgsm}, pgd-5 {few}, pgd-40 {many}");
    assert!(apgd <= many + 1, "pgd-40 {many}, apgd-ce-40 {apgd}");
    let (cw, dlr) = (at("cw", 1.)?, at("apgd-dlr-40", 1.)?);
    assert!(dlr <= cw + 1, "cw {cw}, apgd-dlr-40 {dlr}");
    // Restarts: the first run is among them.
    assert!(at("pgd-5x3", 1.)? <= few);
    Ok(())
}

#[test]
fn restarts_are_never_weaker() -> Result<()> {
    let (net, data) = trained()?;
    let view = net.frozen();
    let all: Vec<usize> = (0..data.len()).collect();
    let Batch { images, labels, examples } = data.batch(&all, &Device::Cpu).expect("a batch");
    let keys = Keys { seed: 3, epoch: 0, examples: &examples };
    let ball = Ball::grey_levels(2.);
    let l2 = Ball::new(Norm::L2, 0.2).expect("a ball");
    let pairs: [(Box<dyn Attack>, Box<dyn Attack>); 4] = [
        (Box::new(Pgd::new(ball, 4)), Box::new(Pgd { restarts: 3, ..Pgd::new(ball, 4) })),
        (Box::new(Pgd::new(l2, 4)), Box::new(Pgd { restarts: 3, ..Pgd::new(l2, 4) })),
        (Box::new(Apgd::new(ball, 6)), Box::new(Apgd { restarts: 3, ..Apgd::new(ball, 6) })),
        (Box::new(Apgd::new(l2, 6)), Box::new(Apgd { restarts: 3, ..Apgd::new(l2, 6) })),
    ];
    for objective in [ce(Pass::Adv), margin(), dlr()] {
        let victim = eval(&view, &objective);
        for (one, three) in &pairs {
            let (wrong, loss) = judge(victim, &one.perturb(victim, &images, &labels, &keys)?, &labels)?;
            let (more_wrong, more_loss) = judge(victim, &three.perturb(victim, &images, &labels, &keys)?, &labels)?;
            let mut gained = 0;
            for i in 0..loss.len() {
                assert!(more_wrong[i] >= wrong[i], "{three}, {objective}: example {i} recovered");
                assert!(
                    more_wrong[i] != wrong[i] || more_loss[i] >= loss[i],
                    "{three}, {objective}: example {i} is weaker"
                );
                gained += usize::from(more_loss[i] > loss[i]);
            }
            assert!(gained > 0, "{three}, {objective}: restarts changed nothing");
        }
    }
    Ok(())
}
