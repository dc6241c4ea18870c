//! The operators losses are made of, against PyTorch's.

use crate::golden::{Tensors, assert_gradient, assert_values, cases, labels};
use candle::{D, Result, Tensor, Var};
use models::Output;
use objectives::{Clean, Objective, Pass, Stage, ce, kl, log_softmax, smoothed_ce};

/// Operators of other crates, by the crate whose tests compare them.
const ELSEWHERE: [(&str, &[&str]); 4] = [
    ("kernels", &["bn_", "conv", "global_avg_pool", "input_normalise", "maxpool2x2", "relu_zero", "sgd", "shortcut_a"]),
    ("models", &["linear"]),
    ("i2fr", &["normalize_rows"]),
    ("attacks", &["box_min_max", "clamp01_bounds", "sign"]),
];

fn losses(objective: &Objective, clean: &Tensor, adv: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let output = |logits: &Tensor| Output { features: logits.clone(), logits: logits.clone() };
    objective.losses(&Clean::known(output(clean), labels, Stage::Training).against_known(output(adv)))
}

/// Cross-entropy of `x`, smoothed or not, reduced as the end of the name says.
fn cross_entropy(name: &str, x: &Tensor, case: &Tensors) -> Result<Tensor> {
    let rest = name.trim_start_matches("cross_entropy_");
    let (objective, reduction) = match rest.strip_prefix("smooth01_") {
        Some(reduction) => (smoothed_ce(Pass::Adv, 0.1), reduction),
        None => (ce(Pass::Adv), rest),
    };
    let losses = losses(&objective, x, x, &labels(&case["labels"])?)?;
    match reduction {
        "mean" => losses.mean_all(),
        "sum" => losses.sum_all(),
        "none" => Ok(losses),
        other => panic!("{name}: what is {other}?"),
    }
}

/// Compares a function of `x`; a file without cotangent means a scalar.
fn check(name: &str, case: &Tensors, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    let x = Var::from_tensor(&case["x"])?;
    let out = f(&x)?;
    assert_values(name, &out, &case["out"], 1e-5, 1e-6);
    let scalar = match case.get("gout") {
        Some(gout) => (out * gout)?.sum_all()?,
        None => out,
    };
    let grads = scalar.backward()?;
    assert_gradient(&format!("{name}.grad_x"), grads.get(&x).expect("a gradient"), &case["grad_x"], 1e-4);
    Ok(())
}

/// The divergence; `kl_torch_elementwise_mean` is PyTorch's default, which is not the one of TRADES.
fn check_kl(name: &str, case: &Tensors) -> Result<()> {
    let (clean, adv) = (Var::from_tensor(&case["clean"])?, Var::from_tensor(&case["adv"])?);
    let losses = losses(&kl(), &clean, &adv, &Tensor::zeros(clean.dim(0)?, candle::DType::U32, clean.device())?)?;
    let out = if name == "kl_trades_sum" { losses.sum_all()? } else { losses.mean_all()? };
    if name == "kl_torch_elementwise_mean" {
        assert_values(name, &(out / clean.dim(1)? as f64)?, &case["out"], 1e-5, 1e-7);
        return Ok(());
    }
    assert!(["kl_trades_mean", "kl_trades_sum", "kl_trades_equal"].contains(&name), "{name}: a case no test knows");
    assert_values(name, &out, &case["out"], 1e-5, 1e-7);
    let grads = out.backward()?;
    for (tensor, var) in [("grad_clean", &clean), ("grad_adv", &adv)] {
        let ours = grads.get(var).expect("a gradient");
        match name {
            "kl_trades_equal" => assert_values(&format!("{name}.{tensor}"), ours, &case[tensor], 0., 1e-7),
            _ => assert_gradient(&format!("{name}.{tensor}"), ours, &case[tensor], 1e-4),
        }
    }
    Ok(())
}

#[test]
fn parity_operators_of_losses() -> Result<()> {
    let Some(cases) = cases("ops.safetensors") else { return Ok(()) };
    let elsewhere = |name: &str| ELSEWHERE.iter().any(|(_, prefixes)| prefixes.iter().any(|p| name.starts_with(p)));
    let mut seen = 0;
    for (name, case) in cases.iter().filter(|(name, _)| !elsewhere(name)) {
        match name.as_str() {
            "softmax" => {
                check(name, case, |x| candle_nn::ops::softmax(x, D::Minus1))?;
                check(name, case, |x| log_softmax(x)?.exp())?;
            }
            n if n.starts_with("log_softmax") => check(name, case, log_softmax)?,
            n if n.starts_with("cross_entropy_") => check(name, case, |x| cross_entropy(name, x, case))?,
            n if n.starts_with("kl_") => check_kl(name, case)?,
            _ => panic!("{name}: a case no test knows"),
        }
        seen += 1;
    }
    assert!(seen > 0, "no case of this crate");
    Ok(())
}
