//! PGD that stops when it has won.

use crate::setting::{bits, eval, examples, images, judge, net, predictions};
use attacks::{Attack, Ball, EarlyStopped, Keys, Norm, Pgd};
use candle::Result;
use objectives::{Pass, ce};

const N: usize = 12;
const STEPS: usize = 6;

fn ball() -> Ball {
    Ball { norm: Norm::Linf, eps: 0.02 }
}

fn attack(patience: Vec<(u64, usize)>) -> EarlyStopped {
    EarlyStopped { pgd: Pgd { step: 0.005, ..Pgd::new(ball(), STEPS) }, patience, noise: 0. }
}

#[test]
fn an_example_stops_as_many_steps_after_it_was_won_as_it_has_patience() -> Result<()> {
    let (net, x, examples) = (net(), images(N), examples(N));
    let (model, objective) = (net.frozen(), ce(Pass::Adv));
    let victim = eval(&model, &objective);
    let y = predictions(&model, &x)?;
    let keys = Keys { seed: 11, epoch: 7, examples: &examples };
    // PGD of 0, 1, ... steps: the path, and where on it each example is first misclassified.
    let path = (0..=STEPS)
        .map(|steps| Pgd { steps, step: 0.005, ..Pgd::new(ball(), steps) }.perturb(victim, &x, &y, &keys))
        .collect::<Result<Vec<_>>>()?;
    let won = path.iter().map(|point| Ok(judge(victim, point, &y)?.0)).collect::<Result<Vec<_>>>()?;
    let wins: Vec<Option<usize>> = (0..N).map(|i| won.iter().position(|won| won[i])).collect();
    let early = wins.iter().flatten().filter(|step| (1..4).contains(*step)).count();
    assert!(early > 1 && early < N, "{wins:?}");
    for patience in 0..3 {
        let found = attack(vec![(0, patience)]).perturb(victim, &x, &y, &keys)?;
        ball().check(&found, &x)?;
        for i in 0..N {
            // Being right again in between does not start the count anew.
            let stop = (0..STEPS).filter(|step| won[*step][i]).nth(patience);
            let there = path[stop.unwrap_or(STEPS)].get(i)?;
            assert!(
                bits(&found.get(i)?)? == bits(&there)?,
                "example {i}, won after {:?}, patience {patience}",
                wins[i]
            );
        }
    }
    Ok(())
}

#[test]
fn patience_grows_with_the_epochs() -> Result<()> {
    let (net, x, examples) = (net(), images(N), examples(N));
    let (model, objective) = (net.frozen(), ce(Pass::Adv));
    let (victim, y) = (eval(&model, &objective), predictions(&model, &x)?);
    let found = |patience, epoch| {
        bits(&attack(patience).perturb(victim, &x, &y, &Keys { seed: 11, epoch, examples: &examples })?)
    };
    let grows = || vec![(2, 1), (4, 2)];
    for (epoch, patience) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (9, 2), (0, 2)] {
        assert_eq!(found(grows(), epoch)?, found(vec![(0, patience)], epoch)?, "epoch {epoch}");
    }
    assert_ne!(found(vec![(0, 0)], 9)?, found(vec![(0, 2)], 9)?);
    let noisy = EarlyStopped { noise: 1e-3, ..attack(Vec::new()) };
    let keys = Keys { seed: 11, epoch: 1, examples: &examples };
    let noisy = noisy.perturb(victim, &x, &y, &keys)?;
    ball().check(&noisy, &x)?;
    assert_ne!(bits(&noisy)?, found(Vec::new(), 1)?);
    Ok(())
}

/// As in the official code: what a step took past the bound is on the bound, whatever noise was added.
#[test]
fn noise_does_not_bring_pixels_back_from_the_bound() -> Result<()> {
    let (net, x, examples) = (net(), images(N), examples(N));
    let (model, objective) = (net.frozen(), ce(Pass::Adv));
    let (victim, y) = (eval(&model, &objective), predictions(&model, &x)?);
    let keys = Keys { seed: 11, epoch: 1, examples: &examples };
    let once = |noise| {
        let pgd = Pgd { step: 0.06, ..Pgd::new(ball(), 1) };
        EarlyStopped { pgd, patience: Vec::new(), noise }
            .perturb(victim, &x, &y, &keys)?
            .flatten_all()?
            .to_vec1::<f32>()
    };
    let (quiet, noisy, clean) = (once(0.)?, once(1e-4)?, x.flatten_all()?.to_vec1::<f32>()?);
    let bound = |i: &usize| (quiet[*i] - clean[*i]).abs() > 0.02 - 1e-6 && (0.03..0.97).contains(&clean[*i]);
    let bound: Vec<usize> = (0..clean.len()).filter(bound).collect();
    assert!(bound.len() > clean.len() / 4, "{} of {}", bound.len(), clean.len());
    assert!(bound.iter().all(|&i| quiet[i] == noisy[i]));
    Ok(())
}
