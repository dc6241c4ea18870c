//! What golden values do not show: batches without partners, equal features, learnable centres.

use crate::golden::numbers;
use candle::{DType, Device, Result, Tensor, Var};
use models::Output;
use objectives::{
    Centers, Clean, Negative, Pass, Positive, Stage, adr, cosine_costs, global_compactness, local_compactness,
    proximity, transport, transport_plan, triplet,
};
use std::collections::BTreeMap;

/// Four clean examples with logits as features.
fn small(labels: &Tensor) -> Result<Clean<'_>> {
    let rows = [[1f32, 0., 0.2], [0., 1., 0.], [0.8, 0.1, 0.], [0., 0., 1.]];
    let features = Tensor::new(&rows, &Device::Cpu)?;
    Ok(Clean::known(Output { features: features.clone(), logits: features }, labels, Stage::Training))
}

fn adversarial() -> Result<Output> {
    let rows = [[0.9f32, 0.1, 0.2], [0.2, 0.9, 0.], [0.7, 0.3, 0.], [0.1, 0., 0.8]];
    let features = Tensor::new(&rows, &Device::Cpu)?;
    Ok(Output { features: features.clone(), logits: features })
}

#[test]
fn a_batch_of_one_class_is_finite_everywhere() -> Result<()> {
    let labels = Tensor::new(&[1u32; 4], &Device::Cpu)?;
    let clean = small(&labels)?;
    let passes = clean.against_known(adversarial()?);
    for objective in [adr(), triplet(Positive::SameClass, Negative::Hardest, 2.), transport()] {
        let losses = numbers(&objective.losses(&passes)?);
        assert!(losses.iter().all(|l| l.is_finite()), "{objective}: {losses:?}");
    }
    // No other class, so no triplet: only the norms of the pair are left, which a margin does not change.
    let at = |margin| triplet(Positive::OwnClean, Negative::Hardest, margin).losses(&passes);
    assert_eq!(numbers(&at(0.)?), numbers(&at(5.)?));
    let norm = |x: &Tensor| x.sqr()?.mean(1);
    let ratio = numbers(&(at(0.)? / (norm(&adversarial()?.features)? + norm(&passes.clean()?.features)?)?)?);
    assert!(ratio.iter().all(|r| (r - ratio[0]).abs() < 1e-6 * ratio[0]), "{ratio:?}");
    Ok(())
}

#[test]
fn all_pairs_of_a_batch_of_one_class_weigh_one() -> Result<()> {
    let labels = Tensor::new(&[1u32; 4], &Device::Cpu)?;
    let clean = small(&labels)?;
    let passes = clean.against_known(adversarial()?);
    let rows = |output: &Output| output.features.to_dtype(DType::F64)?.to_vec2::<f64>();
    let (clean, adv) = (rows(passes.clean()?)?, rows(&adversarial()?)?);
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let distance = |a: &[f64], b: &[f64]| mean(a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect());
    let found = numbers(&global_compactness().losses(&passes)?);
    for (adv, found) in adv.iter().zip(found) {
        let expected = mean(clean.iter().map(|clean| distance(clean, adv)).collect());
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
    Ok(())
}

#[test]
fn same_class_positives_go_around_the_class() -> Result<()> {
    let labels = Tensor::new(&[0u32, 1, 0, 2], &Device::Cpu)?;
    let clean = small(&labels)?;
    let passes = clean.against_known(adversarial()?);
    let rows = Positive::Rows(Tensor::new(&[2u32, 1, 0, 3], &Device::Cpu)?);
    let losses = |positive| triplet(positive, Negative::Hardest, 1.).losses(&passes);
    assert_eq!(numbers(&losses(Positive::SameClass)?), numbers(&losses(rows)?));
    Ok(())
}

#[test]
fn compactness_has_no_gradient_where_features_are_equal() -> Result<()> {
    let labels = Tensor::new(&[0u32, 1, 0, 2], &Device::Cpu)?;
    let clean = small(&labels)?;
    let features = Var::from_tensor(&clean.against_known(adversarial()?).clean()?.features)?;
    let adv = Output { features: features.as_tensor().clone(), logits: features.as_tensor().clone() };
    let grads = local_compactness().losses(&clean.against_known(adv))?.sum_all()?.backward()?;
    assert!(numbers(grads.get(&features).expect("a gradient")).iter().all(|g| *g == 0.));
    Ok(())
}

#[test]
fn centers_learn_in_training_only_and_are_restored() -> Result<()> {
    let labels = Tensor::new(&[0u32, 1, 0, 2], &Device::Cpu)?;
    let start = Tensor::new(&[[0f32, 0., 0.], [1., 1., 1.], [0., 0.5, 0.]], &Device::Cpu)?;
    let centers = Centers::new(&start)?;
    let term = 2. * proximity(&centers, &[Pass::Adv]);
    let saved: BTreeMap<_, _> = term.terms().flat_map(|(_, term)| term.memory()).collect();
    let loss = |stage| {
        let adv = adversarial()?;
        let clean = Clean::known(adv.clone(), &labels, stage);
        term.losses(&clean.against_known(adv))?.mean_all()
    };
    let attack = loss(Stage::Generation)?;
    let var = centers.var().expect("given");
    assert!(attack.backward()?.get(var).is_none());
    let before = loss(Stage::Training)?;
    assert_eq!(numbers(&attack), numbers(&before));
    term.learn(&before.backward()?)?;
    assert!(numbers(&loss(Stage::Training)?) < numbers(&before));
    // The weight of the term is divided out: half the gradient of the mean squared distance.
    let adv = numbers(&adversarial()?.features.get(3)?);
    let moved: Vec<f64> = adv.iter().zip([0., 0.5, 0.]).map(|(z, c)| c + 0.5 * 2. * (z - c) / 4.).collect();
    let ours = numbers(&var.get(2)?);
    assert!(ours.iter().zip(&moved).all(|(a, b)| (a - b).abs() < 1e-6), "{ours:?}, not {moved:?}");
    for (_, term) in term.terms() {
        term.restore(&saved)?;
        assert!(term.restore(&BTreeMap::new()).is_err());
    }
    assert_eq!(numbers(var), numbers(&start));
    Ok(())
}

#[test]
fn a_transport_plan_has_uniform_marginals() -> Result<()> {
    let labels = Tensor::new(&[0u32; 4], &Device::Cpu)?;
    let (from, to) = (small(&labels)?, adversarial()?.logits);
    let from = from.against_known(adversarial()?).clean()?.logits.clone();
    let plan = transport_plan(&cosine_costs(&from, &to.narrow(0, 0, 3)?)?)?;
    for column in numbers(&plan.sum(0)?) {
        assert!((column - 1. / 3.).abs() < 1e-3, "{column}");
    }
    Ok(())
}
