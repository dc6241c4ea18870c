//! Running class means, by hand.

use candle::{Device, Result, Tensor, Var};
use i2fr::{I2fr, Reference};
use models::Output;
use objectives::{Clean, Objective, Stage};
use std::collections::BTreeMap;

const CLASSES: usize = 3;

fn options(reference: Reference) -> I2fr {
    I2fr { intra_clean: 0., intra_class: 1., inter: 1., margin: 10., normalize: false, reference, clean_gradient: true }
}

fn running() -> Result<Objective> {
    options(Reference::RunningMeans { decay: 0.75 }).objective()
}

/// One loss an example, as `stage` computes it.
fn losses(
    objective: &Objective,
    stage: Stage,
    adv: &[[f32; 2]],
    clean: &[[f32; 2]],
    labels: &[u32],
) -> Result<Vec<f32>> {
    let output = |features: &[[f32; 2]]| -> Result<Output> {
        let logits = Tensor::zeros((features.len(), CLASSES), candle::DType::F32, &Device::Cpu)?;
        Ok(Output { features: Tensor::from_vec(features.concat(), (features.len(), 2), &Device::Cpu)?, logits })
    };
    let labels = Tensor::new(labels, &Device::Cpu)?;
    objective.losses(&Clean::known(output(clean)?, &labels, stage).against_known(output(adv)?))?.to_vec1()
}

fn memory(objective: &Objective) -> BTreeMap<String, Tensor> {
    objective.terms().flat_map(|(_, term)| term.memory()).collect()
}

fn restore(objective: &Objective, memory: &BTreeMap<String, Tensor>) -> Result<()> {
    objective.terms().try_for_each(|(_, term)| term.restore(memory))
}

/// Means, and which classes were seen.
type Held = (Vec<Vec<f32>>, Vec<f32>);

fn held(objective: &Objective) -> Result<Option<Held>> {
    let memory = memory(objective);
    let (Some(means), Some(seen)) = (memory.get("i2fr.means"), memory.get("i2fr.seen")) else { return Ok(None) };
    Ok(Some((means.to_vec2()?, seen.to_vec1()?)))
}

// Class 0 has mean (1, 0), class 1 (0, 4); class 2 is absent.
const FIRST: ([[f32; 2]; 3], [u32; 3]) = ([[0., 0.], [2., 0.], [0., 4.]], [0, 0, 1]);
// Class 0 moves, class 1 is absent, class 2 is new.
const SECOND: ([[f32; 2]; 2], [u32; 2]) = ([[3., 2.], [5., 5.]], [0, 2]);

#[test]
fn means_follow_the_training_batches() -> Result<()> {
    let objective = running()?;
    assert_eq!(held(&objective)?, None);
    let (clean, labels) = FIRST;
    let adv = [[1., 1.], [1., 0.], [0., 3.]];
    // Without a past the batch's own means are used: (1,0) and (0,4).
    let first = losses(&objective, Stage::Training, &adv, &clean, &labels)?;
    // Own class 1, 0, 1; closeness max(0, 10 - d) with d = 10, 17, 10.
    assert_eq!(first, [1., 0., 1.]);
    let batch = losses(&options(Reference::BatchMeans).objective()?, Stage::Training, &adv, &clean, &labels)?;
    assert_eq!(first, batch);
    assert_eq!(held(&objective)?, Some((vec![vec![1., 0.], vec![0., 4.], vec![0., 0.]], vec![1., 1., 0.])));

    let (clean, labels) = SECOND;
    let adv = [[1., 2.], [2., 2.]];
    // Against (1,0) and (0,4), before they move. Example 0: own class at 4, class 1 at 5, so 4 + 5.
    // Example 1: its class was never seen, so 0; others at 5 and 8, so (5 + 2) / 2.
    assert_eq!(losses(&objective, Stage::Training, &adv, &clean, &labels)?, [9., 3.5]);
    // 0.75 (1,0) + 0.25 (3,2); class 1 stays; class 2 starts at its batch mean.
    assert_eq!(held(&objective)?, Some((vec![vec![1.5, 0.5], vec![0., 4.], vec![5., 5.]], vec![1., 1., 1.])));
    Ok(())
}

#[test]
fn generation_reads_but_does_not_move_them() -> Result<()> {
    let objective = running()?;
    let (clean, labels) = FIRST;
    losses(&objective, Stage::Generation, &clean, &clean, &labels)?;
    assert_eq!(held(&objective)?, None, "nothing is learnt from an attack");
    losses(&objective, Stage::Training, &clean, &clean, &labels)?;
    let before = held(&objective)?;
    let (clean, labels) = SECOND;
    let first = losses(&objective, Stage::Generation, &clean, &clean, &labels)?;
    let again = losses(&objective, Stage::Generation, &clean, &clean, &labels)?;
    assert_eq!(first, again);
    assert_eq!(before, held(&objective)?);
    // The same numbers as training would compute with the same means.
    assert_eq!(first, losses(&objective, Stage::Training, &clean, &clean, &labels)?);
    Ok(())
}

#[test]
fn copies_of_an_objective_share_them() -> Result<()> {
    let outer = running()?;
    let inner = 0.5 * outer.clone();
    let (clean, labels) = FIRST;
    losses(&outer, Stage::Training, &clean, &clean, &labels)?;
    assert!(held(&inner)?.is_some());
    assert_eq!(held(&inner)?, held(&outer)?, "an attack must see what training learnt");
    Ok(())
}

#[test]
fn a_resumed_run_goes_on_with_them() -> Result<()> {
    let (first, second) = (running()?, running()?);
    let (clean, labels) = FIRST;
    losses(&first, Stage::Training, &clean, &clean, &labels)?;
    restore(&second, &memory(&first))?;
    let (clean, labels) = SECOND;
    for _ in 0..3 {
        let steps = [&first, &second].map(|o| losses(o, Stage::Training, &clean, &clean, &labels));
        let [a, b] = steps;
        assert_eq!(a?, b?);
        assert_eq!(held(&first)?, held(&second)?);
    }
    restore(&second, &BTreeMap::new())?;
    assert_eq!(held(&second)?, None);
    Ok(())
}

#[test]
fn an_incomplete_memory_is_refused() -> Result<()> {
    let objective = running()?;
    let (clean, labels) = FIRST;
    losses(&objective, Stage::Training, &clean, &clean, &labels)?;
    let whole = memory(&objective);
    let before = held(&objective)?;
    for name in ["i2fr.means", "i2fr.seen"] {
        let mut half = whole.clone();
        half.remove(name);
        assert!(restore(&objective, &half).is_err());
        let mut crooked = whole.clone();
        crooked.insert(name.to_owned(), Tensor::zeros((2, 2, 2), candle::DType::F32, &Device::Cpu)?);
        assert!(restore(&objective, &crooked).is_err());
        assert_eq!(before, held(&objective)?);
    }
    Ok(())
}

/// Means are constants: the gradient of the features is that of the distance to fixed points.
#[test]
fn means_are_constants() -> Result<()> {
    let objective = running()?;
    let (clean, labels) = FIRST;
    losses(&objective, Stage::Training, &clean, &clean, &labels)?;
    let (adv, clean) = (Var::new(&[[2f32, 2.]], &Device::Cpu)?, Var::new(&[[7f32, 7.]], &Device::Cpu)?);
    let output = |features: &Var| -> Result<Output> {
        let logits = Tensor::zeros((1, CLASSES), candle::DType::F32, &Device::Cpu)?;
        Ok(Output { features: features.as_tensor().clone(), logits })
    };
    let labels = Tensor::new(&[0u32], &Device::Cpu)?;
    let batch = Clean::known(output(&clean)?, &labels, Stage::Training);
    let grads = objective.losses(&batch.against_known(output(&adv)?))?.sum_all()?.backward()?;
    // 2 ((2,2) - (1,0)) to the own class, minus 2 ((2,2) - (0,4)) away from the other, at 8 < 10.
    assert_eq!(grads.get(&adv).expect("a gradient").to_vec2::<f32>()?, [[2. - 4., 4. + 4.]]);
    // The own clean image has weight 0 here.
    let own = grads.get(&clean).map(Tensor::to_vec2::<f32>).transpose()?;
    assert!(own.is_none_or(|rows| rows == [[0., 0.]]), "a gradient into the means");
    assert!(memory(&objective).values().all(|t| !t.track_op()), "a graph that grows from step to step");
    Ok(())
}
