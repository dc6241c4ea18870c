//! Auto-PGD that leaves an example alone once it is broken.

use crate::setting::{Counting, bits, eval, examples, images, judge, keys, net, predictions};
use attacks::{Apgd, ApgdT, Attack, Ball, Keys, Norm, Probe, Victim};
use candle::{Device, Result, Tensor};
use models::Mode;
use objectives::{Objective, Pass, ce, dlr, kl, margin, targeted_dlr};

const N: usize = 24;

/// Radii at which some examples fall at once, some late and some never.
fn balls() -> [Ball; 3] {
    [Ball::grey_levels(2.), Ball::grey_levels(4.), Ball { norm: Norm::L2, eps: 0.3 }]
}

fn objectives() -> Result<Vec<Objective>> {
    // Targets differ from example to example, so one that is not dropped with its example is noticed.
    let targets = Tensor::from_iter((0..N as u32).map(|i| i * 7 % 10), &Device::Cpu)?;
    Ok(vec![ce(Pass::Adv), margin(), dlr(), targeted_dlr(targets), kl() + 0.1 * ce(Pass::Adv)])
}

#[test]
fn verdicts_are_the_same_and_so_are_survivors() -> Result<()> {
    let (net, x, n) = (net(), images(N), examples(N));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let (mut broken, mut survived, mut others) = (0, 0, 0);
    for ball in balls() {
        for objective in &objectives()? {
            for (steps, restarts) in [(0, 1), (12, 1), (4, 3)] {
                let all = Apgd { restarts, ..Apgd::new(ball, steps) };
                let victim = eval(&view, objective);
                let run = |first| Apgd { first, ..all }.perturb(victim, &x, &y, &keys(&n));
                let (slow, quick) = (run(false)?, run(true)?);
                ball.check(&quick, &x)?;
                let wrong = judge(eval(&view, &margin()), &slow, &y)?.0;
                assert_eq!(wrong, judge(eval(&view, &margin()), &quick, &y)?.0, "{all} on {objective}");
                for (i, wrong) in wrong.into_iter().enumerate() {
                    let same = bits(&slow.get(i)?)? == bits(&quick.get(i)?)?;
                    assert!(wrong || same, "{all} on {objective}: example {i} survives as another image");
                    broken += usize::from(wrong);
                    survived += usize::from(!wrong);
                    others += usize::from(!same);
                }
            }
        }
    }
    assert!(broken > 200 && survived > 200 && others > 50, "{broken} broken, {survived} not, {others} earlier");
    Ok(())
}

#[test]
fn an_example_does_not_depend_on_who_else_is_broken() -> Result<()> {
    let (net, x) = (net(), images(N));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let all = examples(N);
    for ball in balls() {
        let attack = Apgd { first: true, restarts: 2, ..Apgd::new(ball, 8) };
        let objective = kl() + 0.1 * ce(Pass::Adv);
        let together = attack.perturb(eval(&view, &objective), &x, &y, &keys(&all))?;
        for (i, example) in all.iter().enumerate() {
            let (x, y) = (x.narrow(0, i, 1)?, y.narrow(0, i, 1)?);
            let keys = Keys { examples: &[*example], ..keys(&all) };
            let alone = attack.perturb(eval(&view, &objective), &x, &y, &keys)?;
            assert_eq!(bits(&alone)?, bits(&together.narrow(0, i, 1)?)?, "{attack}: example {i}");
        }
    }
    Ok(())
}

/// Images in all passes of `attack`.
fn cost(attack: &dyn Attack, mode: Mode) -> Result<usize> {
    let (net, x, n) = (net(), images(N), examples(N));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let counting = Counting::new(&view);
    let objective = &ce(Pass::Adv);
    attack.perturb(Victim { model: &counting, mode, objective }, &x, &y, &keys(&n))?;
    Ok(counting.counts().into_iter().sum())
}

#[test]
fn broken_examples_cost_nothing() -> Result<()> {
    let cost =
        |levels, first, mode| cost(&Apgd { first, restarts: 2, ..Apgd::new(Ball::grey_levels(levels), 20) }, mode);
    let all = N * 2 * 21;
    assert_eq!(cost(4., false, Mode::Eval)?, all);
    let some = cost(4., true, Mode::Eval)?;
    assert!(some < all * 3 / 4, "{some} of {all}");
    let none = cost(255., true, Mode::Eval)?;
    assert!(none < 4 * N, "{none} when all fall at once");
    assert_eq!(cost(0., true, Mode::Eval)?, all, "none falls");
    // Batch statistics would be those of fewer examples.
    assert_eq!(cost(255., true, Mode::BatchStats)?, all);
    Ok(())
}

/// Nothing is left out there, so an example comes back as it does without `first`.
#[test]
fn with_batch_statistics_every_bit_is_the_same() -> Result<()> {
    let (net, x, n) = (net(), images(N), examples(N));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    let objective = ce(Pass::Adv);
    let victim = Victim { mode: Mode::BatchStats, ..eval(&view, &objective) };
    let run =
        |first| Apgd { first, restarts: 2, ..Apgd::new(Ball::grey_levels(8.), 8) }.perturb(victim, &x, &y, &keys(&n));
    assert_eq!(bits(&run(true)?)?, bits(&run(false)?)?);
    Ok(())
}

/// A network that answers at random may get right, when it is asked again, what it got wrong once.
#[test]
fn gradients_that_are_means_go_all_the_way() -> Result<()> {
    let cost = |name| {
        let Probe { attack, .. } = Probe::named(name, Ball::grey_levels(255.)).map_err(candle::Error::wrap)?;
        cost(attack.as_ref(), Mode::Eval)
    };
    let (one, mean) = (cost("apgd-ce-8")?, cost("apgd-ce-8-eot2")?);
    assert!(one < 4 * N && mean >= 2 * 8 * N, "{one}, {mean}");
    Ok(())
}

#[test]
fn targets_are_dropped_with_their_examples() -> Result<()> {
    let (net, x, n) = (net(), images(N), examples(N));
    let view = net.frozen();
    let y = predictions(&view, &x)?;
    for ball in balls() {
        let slow = ApgdT { apgd: Apgd::new(ball, 8), targets: 3 };
        let quick = ApgdT { apgd: Apgd { first: true, ..slow.apgd }, ..slow };
        let run = |attack: ApgdT| -> Result<_> {
            let counting = Counting::new(&view);
            let adv = attack.perturb(eval(&counting, &margin()), &x, &y, &keys(&n))?;
            Ok((judge(eval(&view, &margin()), &adv, &y)?.0, counting.counts().into_iter().sum::<usize>()))
        };
        let ((wrong, cost), (again, less)) = (run(slow)?, run(quick)?);
        assert_eq!(wrong, again, "{quick}");
        assert!(less < cost, "{quick}: {less} of {cost} images");
    }
    Ok(())
}
