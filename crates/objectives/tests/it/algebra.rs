//! What holds for any numbers: sums and weights, one pass when asked, one loss an example.

use candle::{DType, Device, Result, Tensor, Var};
use models::{Mode, Model, Output};
use objectives::{
    Clean, Objective, Pass, Passes, Stage, Term, boosted_ce, ce, dlr, kl, margin, one_hot, pairing, scaled_kl, select,
    smoothed_ce, targeted_dlr, weighted_kl,
};
use proptest::prelude::*;
use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

const CLASSES: usize = 5;

fn tensor(rows: &[Vec<f32>]) -> Tensor {
    let flat: Vec<f32> = rows.concat();
    Tensor::from_vec(flat, (rows.len(), rows[0].len()), &Device::Cpu).expect("a matrix")
}

fn output(logits: &Tensor) -> Output {
    Output { features: logits.clone(), logits: logits.clone() }
}

fn indices(labels: &[u32]) -> Tensor {
    Tensor::new(labels, &Device::Cpu).expect("labels")
}

fn losses(objective: &Objective, clean: &Tensor, adv: &Tensor, labels: &[u32]) -> Result<Vec<f32>> {
    let labels = indices(labels);
    objective.losses(&Clean::known(output(clean), &labels, Stage::Training).against_known(output(adv)))?.to_vec1()
}

/// Every term without a parameter of its own.
fn terms() -> [Objective; 9] {
    [
        ce(Pass::Clean),
        ce(Pass::Adv),
        smoothed_ce(Pass::Adv, 0.1),
        kl(),
        boosted_ce(),
        weighted_kl(),
        pairing(),
        margin(),
        dlr(),
    ]
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() <= 1e-5 * b.abs().max(1.)
}

/// A model that counts its passes: logits are the mean of each image spread over the classes.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Model for Counting {
    fn forward(&self, images: &Tensor, _: Mode) -> Result<Output> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let scale = Tensor::arange(0f32, CLASSES as f32, &Device::Cpu)?.unsqueeze(0)?;
        Ok(output(&images.flatten_from(1)?.mean_keepdim(1)?.matmul(&scale)?))
    }
}

#[test]
fn passes_run_once_and_only_if_asked() -> Result<()> {
    let x = Tensor::rand(0f32, 1f32, (2, 1, 2, 2), &Device::Cpu)?;
    let labels = indices(&[0, 1]);
    for (objective, clean, adv) in [
        (ce(Pass::Adv) + margin(), 0, 1),
        (ce(Pass::Clean), 1, 0),
        (ce(Pass::Clean) + 6. * kl() + weighted_kl() + pairing() + boosted_ce(), 1, 1),
    ] {
        let model = Counting::default();
        let batch = Clean::new(&model, Mode::Eval, &x, &labels, Stage::Generation);
        for steps in 1..=3 {
            objective.losses(&batch.against(&x)?)?;
            // An attack sets many adversarial batches against one clean pass.
            assert_eq!(model.0.load(Ordering::Relaxed), clean + steps * adv, "{objective}");
        }
    }
    Ok(())
}

#[test]
fn known_outputs_have_no_model() -> Result<()> {
    let logits = Tensor::zeros((2, CLASSES), DType::F32, &Device::Cpu)?;
    let labels = indices(&[0, 1]);
    let batch = Clean::known(output(&logits), &labels, Stage::Training);
    assert!(batch.against(&logits).is_err());
    let passes = batch.against_known(output(&logits));
    assert_eq!(passes.stage(), Stage::Training);
    assert_eq!(passes.labels().to_vec1::<u32>()?, [0, 1]);
    Ok(())
}

#[test]
fn objectives_describe_themselves() {
    let shown = |o: Objective| o.to_string();
    assert_eq!(shown(ce(Pass::Clean) + 6. * kl()), "ce(clean) + 6 kl");
    assert_eq!(shown(boosted_ce() + 5. * weighted_kl()), "boosted-ce + 5 weighted-kl");
    assert_eq!(
        shown(0.5 * (ce(Pass::Clean) + 3. * ce(Pass::Adv)) + pairing()),
        "0.5 ce(clean) + 1.5 ce(adv) + pairing"
    );
    assert_eq!(shown(smoothed_ce(Pass::Adv, 0.1)), "ce(adv, smoothing 0.1)");
    assert_eq!(shown(scaled_kl(1.) + scaled_kl(15.)), "kl + kl(scale 15)");
    assert_eq!(shown(margin() + dlr() + targeted_dlr(indices(&[1]))), "margin + dlr + dlr-targeted");
    let weights: Vec<_> = (2. * (ce(Pass::Clean) + 3. * kl())).terms().map(|(w, t)| (w, t.to_string())).collect();
    assert_eq!(weights, [(2., "ce(clean)".to_owned()), (6., "kl".to_owned())]);
    assert!(terms().iter().all(|o| o.terms().all(|(_, t)| t.memory().is_empty())));
}

/// A term somebody has not finished: a number for each class, or one for the whole batch.
struct Unreduced {
    to_a_mean: bool,
}

impl Term for Unreduced {
    fn losses(&self, passes: &Passes<'_>) -> Result<Tensor> {
        let squares = passes.adv()?.logits.sqr()?;
        if self.to_a_mean { squares.mean_all() } else { Ok(squares) }
    }
}

impl fmt::Display for Unreduced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unreduced")
    }
}

#[test]
fn a_term_without_one_loss_an_example_is_named() {
    let t = tensor(&[vec![0., 1., 2., 3., 4.], vec![4., 3., 2., 1., 0.]]);
    for (to_a_mean, dims) in [(false, "[2, 5]"), (true, "[]")] {
        let term = || Objective::from(Unreduced { to_a_mean });
        for objective in [term(), 0.5 * term(), ce(Pass::Adv) + term()] {
            let text = losses(&objective, &t, &t, &[0, 1]).expect_err("not (N,)").to_string();
            let told = format!("the term `unreduced` gives {dims}, not one loss per example [2]");
            assert!(text.starts_with(&told), "{objective}: {text}");
        }
    }
}

#[test]
fn too_few_classes_for_dlr_is_an_error() {
    for classes in 1..=4u32 {
        let logits = tensor(&[(0..classes).map(|c| c as f32).collect()]);
        assert_eq!(losses(&dlr(), &logits, &logits, &[0]).is_ok(), classes >= 3, "{classes} classes");
        let targeted = losses(&targeted_dlr(indices(&[0])), &logits, &logits, &[0]);
        assert_eq!(targeted.is_ok(), classes >= 4, "{classes} classes");
    }
}

/// A sure network, right or wrong, and ties: values and gradients stay finite.
#[test]
fn extreme_logits_stay_finite() -> Result<()> {
    let rows = [
        vec![500., 0., 0., 0., 0.],
        vec![0., 500., -500., 0., 0.],
        vec![-500., 0., 0., 0., 500.],
        vec![0.; CLASSES],
        vec![1e4, 1e4, 1e4, -1e4, 0.],
    ];
    let labels = indices(&[0, 2, 0, 1, 1]);
    for objective in terms() {
        let (clean, adv) = (Var::from_tensor(&tensor(&rows))?, Var::from_tensor(&tensor(&rows).affine(-1., 0.)?)?);
        let batch = Clean::known(output(&clean), &labels, Stage::Training);
        let losses = objective.losses(&batch.against_known(output(&adv)))?;
        let grads = losses.sum_all()?.backward()?;
        let gradients = [&clean, &adv].into_iter().filter_map(|v| grads.get(v)).cloned();
        for t in gradients.chain([losses]) {
            assert!(t.flatten_all()?.to_vec1::<f32>()?.iter().all(|v| v.is_finite()), "{objective}: {t}");
        }
    }
    Ok(())
}

/// Two classes that tie for the largest: one of them gets the whole gradient.
#[test]
fn a_tie_gives_the_gradient_to_one_class() -> Result<()> {
    let logits = Var::from_tensor(&tensor(&[vec![0., 2., 2., 1., -1.]]))?;
    let labels = indices(&[0]);
    let batch = Clean::known(output(&logits), &labels, Stage::Generation);
    let grads = margin().losses(&batch.against_known(output(&logits)))?.sum_all()?.backward()?;
    assert_eq!(grads.get(&logits).expect("a gradient").to_vec2::<f32>()?, [[-1., 1., 0., 0., 0.]]);
    Ok(())
}

#[test]
fn picking_by_class() -> Result<()> {
    let mask = one_hot(&indices(&[2, 0]), 3)?;
    assert_eq!(mask.to_vec2::<f32>()?, [[0., 0., 1.], [1., 0., 0.]]);
    assert_eq!(select(&tensor(&[vec![1., 2., 3.], vec![4., 5., 6.]]), &mask)?.to_vec1::<f32>()?, [3., 4.]);
    assert!(select(&tensor(&[vec![1., 2.]]), &mask).is_err());
    Ok(())
}

#[test]
fn a_label_without_a_class_is_an_error() -> Result<()> {
    let t = tensor(&[vec![0., 1., 2., 3., 4.]]);
    for objective in terms().into_iter().filter(|o| !["kl", "pairing"].contains(&&*o.to_string())) {
        assert!(losses(&objective, &t, &t, &[4]).is_ok(), "{objective}");
        let text = losses(&objective, &t, &t, &[5]).expect_err("five classes").to_string();
        assert!(text.contains("class 5 is not one of 5 classes"), "{objective}: {text}");
    }
    assert!(one_hot(&Tensor::new(&[-1i64], &Device::Cpu)?, CLASSES).is_err());
    assert!(one_hot(&Tensor::new(&[1f32], &Device::Cpu)?, CLASSES).is_err());
    assert_eq!(one_hot(&Tensor::zeros(0, DType::U32, &Device::Cpu)?, CLASSES)?.dims(), [0, CLASSES]);
    Ok(())
}

fn logits() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-8f32..8., CLASSES)
}

prop_compose! {
    /// Clean and adversarial logits with labels, one to six examples.
    fn batches()(rows in prop::collection::vec((logits(), logits(), 0..CLASSES as u32), 1..6))
        -> (Vec<Vec<f32>>, Vec<Vec<f32>>, Vec<u32>) {
        let labels = rows.iter().map(|r| r.2).collect();
        let (clean, adv) = rows.into_iter().map(|r| (r.0, r.1)).unzip();
        (clean, adv, labels)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn an_example_s_loss_does_not_depend_on_its_batch((clean, adv, labels) in batches()) {
        for objective in terms() {
            let together = losses(&objective, &tensor(&clean), &tensor(&adv), &labels).unwrap();
            for i in 0..labels.len() {
                let alone = losses(&objective, &tensor(&clean[i..=i]), &tensor(&adv[i..=i]), &labels[i..=i]).unwrap();
                prop_assert!(near(together[i], alone[0]), "{objective}: {} and {}", together[i], alone[0]);
            }
        }
    }

    #[test]
    fn sums_and_weights_are_those_of_numbers((clean, adv, labels) in batches(), a in -3f64..3., b in -3f64..3.) {
        let (clean, adv) = (tensor(&clean), tensor(&adv));
        let [x, y] = [ce(Pass::Clean), kl()].map(|o| losses(&o, &clean, &adv, &labels).unwrap());
        let both = losses(&(a * (ce(Pass::Clean) + b * kl())), &clean, &adv, &labels).unwrap();
        for i in 0..labels.len() {
            let expected = (a * (f64::from(x[i]) + b * f64::from(y[i]))) as f32;
            prop_assert!((both[i] - expected).abs() <= 1e-4 * expected.abs().max(1.));
        }
    }

    #[test]
    fn adding_a_constant_to_the_logits_changes_nothing((clean, adv, labels) in batches(), shift in -50f64..50.) {
        let (clean, adv) = (tensor(&clean), tensor(&adv));
        let moved = [&clean, &adv].map(|t| (t + shift).unwrap());
        for objective in terms().into_iter().filter(|o| !["pairing", "dlr"].contains(&&*o.to_string())) {
            let before = losses(&objective, &clean, &adv, &labels).unwrap();
            let after = losses(&objective, &moved[0], &moved[1], &labels).unwrap();
            for (a, b) in before.iter().zip(after) {
                prop_assert!((a - b).abs() <= 1e-4 * b.abs().max(1.), "{objective}: {a} and {b}");
            }
        }
    }

    #[test]
    fn signs((clean, adv, labels) in batches()) {
        let (c, a) = (tensor(&clean), tensor(&adv));
        for objective in [ce(Pass::Clean), kl(), weighted_kl(), pairing()] {
            for loss in losses(&objective, &c, &a, &labels).unwrap() {
                prop_assert!(loss >= -1e-6, "{objective}: {loss}");
            }
        }
        for objective in [kl(), weighted_kl(), pairing()] {
            for loss in losses(&objective, &c, &c, &labels).unwrap() {
                prop_assert!(loss.abs() <= 1e-6, "{objective} of equal logits: {loss}");
            }
        }
        let (margins, ratios) = (losses(&margin(), &c, &a, &labels).unwrap(), losses(&dlr(), &c, &a, &labels).unwrap());
        for (i, row) in adv.iter().enumerate() {
            let own = row[labels[i] as usize];
            let wrong = row.iter().enumerate().any(|(k, z)| k != labels[i] as usize && *z > own);
            prop_assert_eq!(margins[i] > 0., wrong);
            prop_assert_eq!(ratios[i] > 0., wrong);
        }
    }

    #[test]
    fn untargeted_and_targeted_ratios_share_their_sign(row in logits(), label in 0..CLASSES as u32) {
        let rival = (0..CLASSES as u32).filter(|k| *k != label).max_by(|a, b| row[*a as usize].total_cmp(&row[*b as usize]));
        let t = tensor(&[row]);
        let free = losses(&dlr(), &t, &t, &[label]).unwrap()[0];
        let aimed = losses(&targeted_dlr(indices(&[rival.unwrap()])), &t, &t, &[label]).unwrap()[0];
        prop_assert_eq!(free > 0., aimed > 0.);
    }
}
