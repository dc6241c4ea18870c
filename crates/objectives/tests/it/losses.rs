//! Values and gradients of the losses, against the official code of each method.

use crate::golden::{Tensors, assert_gradient, assert_values, cases, labels, numbers};
use candle::{Result, Tensor, Var};
use models::Output;
use objectives::{Clean, Objective, Pass, Stage, boosted_ce, ce, dlr, kl, margin, pairing, targeted_dlr, weighted_kl};

/// Cases of the module `comparators`, and of the crate `frameworks` (`awp`).
const ELSEWHERE: [&str; 7] = ["adr_", "awp", "cw_margin50", "fs_", "he_", "pcl_", "tla_"];

/// The coefficient a case is named after.
fn coefficient(case: &Tensors, name: &str) -> f64 {
    numbers(&case[name])[0]
}

/// How per-example losses become the value in the file.
enum Reduction {
    Mean,
    Sum,
}

fn objective(name: &str, case: &Tensors, input: &Tensors) -> Result<Option<(Objective, Reduction)>> {
    use Reduction::{Mean, Sum};
    Ok(Some(match name {
        n if n.starts_with("trades_beta") => (ce(Pass::Clean) + coefficient(case, "beta") * kl(), Mean),
        n if n.starts_with("mart_lambda") => (boosted_ce() + coefficient(case, "lambda") * weighted_kl(), Mean),
        n if n.starts_with("alp_beta") => {
            (0.5 * ce(Pass::Clean) + 0.5 * ce(Pass::Adv) + coefficient(case, "beta") * pairing(), Mean)
        }
        "cw_margin_sum" => (margin(), Sum),
        "dlr" => (dlr(), Sum),
        "dlr_targeted" => (targeted_dlr(labels(&input["target"])?), Sum),
        _ => return Ok(None),
    }))
}

#[test]
fn parity_losses() -> Result<()> {
    let Some(mut cases) = cases("losses.safetensors") else { return Ok(()) };
    let input = cases.remove("input").expect("the inputs");
    let labels = labels(&input["labels"])?;
    let mut seen = 0;
    for (name, case) in cases.iter().filter(|(name, _)| !ELSEWHERE.iter().any(|p| name.starts_with(p))) {
        let (objective, reduction) =
            objective(name, case, &input)?.unwrap_or_else(|| panic!("{name}: a case no test knows"));
        let (clean, adv) = (Var::from_tensor(&input["clean"])?, Var::from_tensor(&input["adv"])?);
        let output = |logits: &Tensor| Output { features: logits.clone(), logits: logits.clone() };
        let batch = Clean::known(output(&clean), &labels, Stage::Training);
        let losses = objective.losses(&batch.against_known(output(&adv)))?;
        assert_eq!(losses.dims(), labels.dims(), "{name}: one loss an example");
        if let Some(expected) = case.get("per_example") {
            assert_values(name, &losses, expected, 1e-5, 1e-6);
        }
        let value = match reduction {
            Reduction::Mean => losses.mean_all()?,
            Reduction::Sum => losses.sum_all()?,
        };
        assert_values(name, &value, &case["loss"], 1e-5, 0.);
        let grads = value.backward()?;
        for (tensor, var) in [("grad_clean", &clean), ("grad_adv", &adv)] {
            match (case.get(tensor), grads.get(var)) {
                (Some(expected), Some(ours)) => assert_gradient(&format!("{name}.{tensor}"), ours, expected, 1e-4),
                (None, None) => {}
                (expected, _) => {
                    panic!("{name}: {tensor} should{} be there", if expected.is_some() { "" } else { " not" })
                }
            }
        }
        seen += 1;
    }
    assert!(seen > 0, "no case of this crate");
    Ok(())
}
