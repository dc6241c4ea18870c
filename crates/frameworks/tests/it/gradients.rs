//! The loss of one batch: a mean over examples, on labels as smooth as asked, from which terms learn.

use crate::{awp::network, golden::numbers, passes::named};
use attacks::Keys;
use candle::Result;
use frameworks::Framework;
use models::{Mode, Model};

fn keys(examples: &[u64]) -> Keys<'_> {
    Keys { seed: 0, epoch: 1, examples }
}

const ALL: [u64; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

/// The mean over examples of minus the logarithm of what the network gives a class: the label's, and of all the mean.
fn surprise() -> Result<[f64; 2]> {
    let (net, images, labels) = network()?;
    let logits = net.frozen().forward(&images, Mode::BatchStats)?.logits.to_vec2::<f32>()?;
    let mut sums = [0.; 2];
    for (row, label) in logits.iter().zip(labels.to_vec1::<u32>()?) {
        let whole = row.iter().map(|z| f64::from(*z).exp()).sum::<f64>().ln();
        let lost: Vec<f64> = row.iter().map(|z| whole - f64::from(*z)).collect();
        sums[0] += lost[label as usize];
        sums[1] += lost.iter().sum::<f64>() / lost.len() as f64;
    }
    Ok(sums.map(|sum| sum / ALL.len() as f64))
}

#[test]
fn a_loss_is_a_mean_over_examples_and_follows_smoothed_labels() -> Result<()> {
    let [own, all] = surprise()?;
    assert!((own - all).abs() > 1e-3, "{own} and {all} tell nothing");
    for (smoothing, expected) in [(0., own), (0.3, 0.7 * own + 0.3 * all)] {
        let method = Framework { label_smoothing: smoothing, ..named("standard") };
        let (mut net, images, labels) = network()?;
        let (loss, _) = method.gradients(&mut net, &images, &labels, &keys(&ALL))?;
        let loss = f64::from(loss.to_scalar::<f32>()?);
        assert!((loss - expected).abs() < 1e-4, "smoothed by {smoothing}: {loss}, not {expected}");
    }
    Ok(())
}

#[test]
fn class_centres_learn_in_every_step() -> Result<()> {
    let (method, (mut net, images, labels)) = (named("pcl"), network()?);
    let mut centres = || -> Result<Vec<Vec<f64>>> {
        method.gradients(&mut net, &images, &labels, &keys(&ALL))?;
        Ok(method.outer.terms().flat_map(|(_, term)| term.memory()).map(|(_, held)| numbers(&held)).collect())
    };
    let (first, second) = (centres()?, centres()?);
    assert_eq!((first.len(), second.len()), (2, 2), "near and far ones");
    assert!(first.iter().zip(&second).all(|(first, second)| first != second));
    Ok(())
}
