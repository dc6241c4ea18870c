//! Golden values of PyTorch: every case of `ops.safetensors` that is an operator of this crate.

use crate::near::floats;
use candle::{Device, Result, Tensor, Var};
use kernels::{Conv2d, Packing, SgdStep, Statistics};
use std::collections::{BTreeMap, BTreeSet};

/// Cases by name, each with its tensors by name.
type Cases = BTreeMap<String, BTreeMap<String, Tensor>>;

fn cases() -> Option<Cases> {
    let Some(folder) = std::env::var_os("I2FR_FIXTURES") else {
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "I2FR_FIXTURES is unset, so there is nothing to compare with");
        return None;
    };
    let path = std::path::Path::new(&folder).join("ops.safetensors");
    let tensors = candle::safetensors::load(&path, &Device::Cpu).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut cases = Cases::new();
    for (name, t) in tensors {
        let (case, tensor) = match name.strip_prefix("sgd.") {
            Some(rest) => ("sgd", rest),
            None => name.rsplit_once('.').expect("case.tensor"),
        };
        cases.entry(case.to_owned()).or_default().insert(tensor.to_owned(), t);
    }
    Some(cases)
}

/// Operators of other crates, tested there.
const ELSEWHERE: [&str; 9] =
    ["box_", "clamp01", "cross_entropy", "kl_", "linear", "log_softmax", "normalize_rows", "sign", "softmax"];

/// Every case whose name starts with one of `prefixes`, of which there must be some.
fn each(prefixes: &[&str], test: impl Fn(&str, &BTreeMap<String, Tensor>) -> Result<()>) {
    let Some(cases) = cases() else { return };
    let mut seen = 0;
    for (name, case) in cases.iter().filter(|(n, _)| prefixes.iter().any(|p| n.starts_with(p))) {
        test(name, case).unwrap_or_else(|e| panic!("{name}: {e}"));
        seen += 1;
    }
    assert!(seen > 0, "no case {prefixes:?}");
}

fn to_last(t: &Tensor) -> Result<Tensor> {
    t.permute((0, 2, 3, 1))?.contiguous()
}

fn to_first(t: &Tensor) -> Result<Tensor> {
    if t.rank() == 4 { t.permute((0, 3, 1, 2))?.contiguous() } else { Ok(t.clone()) }
}

/// Values may be off by `rtol` of themselves and, for sums that cancel, of the typical entry.
fn value(what: &str, a: &Tensor, b: &Tensor, rtol: f64) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let b = floats(b);
    let typical = (b.iter().map(|b| f64::from(b * b)).sum::<f64>() / b.len() as f64).sqrt();
    for (a, b) in floats(a).iter().zip(&b) {
        let off = f64::from((a - b).abs());
        assert!(off <= rtol * (f64::from(b.abs()) + typical), "{what}: {a}, not {b}");
    }
}

fn gradient(what: &str, a: &Tensor, b: &Tensor, tolerance: f64) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let b: Vec<f64> = floats(b).iter().map(|&b| f64::from(b)).collect();
    crate::near::assert_near(what, &floats(a), &b, tolerance);
}

/// Checks value and gradients of `f`, which takes `x` channels-last and leaves so.
fn check(
    name: &str,
    case: &BTreeMap<String, Tensor>,
    tolerance: f64,
    f: impl Fn(&Tensor, &BTreeMap<String, Var>) -> Result<Tensor>,
) -> Result<()> {
    let x = Var::from_tensor(&case["x"])?;
    let mut others = BTreeMap::new();
    for parameter in ["w", "b"] {
        if let Some(t) = case.get(parameter) {
            others.insert(parameter.to_owned(), Var::from_tensor(t)?);
        }
    }
    let last = if x.rank() == 4 { to_last(&x)? } else { x.as_tensor().clone() };
    let y = to_first(&f(&last, &others)?)?;
    value(&format!("{name}.out"), &y, &case["out"], 1e-5);
    let grads = (&y * &case["gout"])?.sum_all()?.backward()?;
    gradient(&format!("{name}.grad_x"), grads.get(&x).expect("grad_x"), &case["grad_x"], tolerance);
    for (parameter, var) in &others {
        let what = format!("grad_{parameter}");
        gradient(&format!("{name}.{what}"), grads.get(var).expect("a gradient"), &case[&what], 1e-4);
    }
    Ok(())
}

fn number(t: &Tensor) -> Result<usize> {
    Ok(t.to_vec1::<i64>()?[0] as usize)
}

#[test]
fn parity_covers_every_case() {
    let Some(cases) = cases() else { return };
    let here = ["conv", "shortcut_a", "bn_", "maxpool2x2", "relu_zero", "global_avg_pool", "input_normalise", "sgd"];
    let unknown: BTreeSet<_> =
        cases.keys().filter(|n| !here.iter().chain(&ELSEWHERE).any(|p| n.starts_with(p))).collect();
    assert!(unknown.is_empty(), "cases no test knows: {unknown:?}");
}

#[test]
fn parity_convolution() {
    each(&["conv"], |name, case| {
        let geometry = Conv2d { stride: number(&case["stride"])?, padding: number(&case["padding"])? };
        check(name, case, 1e-4, |x, p| {
            let y = kernels::conv2d(x, &p["w"], geometry, &Packing::default())?;
            p.get("b").map_or(Ok(y.clone()), |b| kernels::bias(&y, b, false))
        })
    });
}

#[test]
fn parity_shortcut() {
    each(&["shortcut_a"], |name, case| {
        let channels = case["out"].dim(1)?;
        check(name, case, 1e-4, |x, _| kernels::shortcut_a(x, 2, channels))
    });
}

#[test]
fn parity_batch_norm() {
    each(&["bn_"], |name, case| {
        let tolerance = if name.starts_with("bn_b2_1x1") { 2e-3 } else { 1e-4 };
        check(name, case, tolerance, |x, p| {
            let statistics = if name.ends_with(".eval") {
                Statistics::Running { mean: &case["running_mean"], var: &case["running_var"] }
            } else {
                Statistics::Batch
            };
            let (y, moments) = kernels::batch_norm(x, &p["w"], &p["b"], 1e-5, statistics, false)?;
            if let Some(new_mean) = case.get("new_running_mean") {
                let m = moments.expect("moments of the batch");
                let unbiased = (m.var * (m.count as f64 / (m.count as f64 - 1.0)))?;
                let mix = |old: &Tensor, new: &Tensor| (old * 0.9)? + (new * 0.1)?;
                value(name, &mix(&case["running_mean"], &m.mean)?, new_mean, 1e-5);
                value(name, &mix(&case["running_var"], &unbiased)?, &case["new_running_var"], 1e-5);
            }
            Ok(y)
        })
    });
}

#[test]
fn parity_pooling_and_relu() {
    each(&["maxpool2x2"], |name, case| check(name, case, 1e-4, |x, _| kernels::max_pool2(x)));
    each(&["global_avg_pool"], |name, case| check(name, case, 1e-4, |x, _| kernels::global_avg_pool(x)));
    each(&["relu_zero"], |name, case| check(name, case, 1e-4, |x, _| kernels::relu(x)));
}

#[test]
fn parity_input_normalisation() {
    each(&["input_normalise"], |name, case| {
        let x = Var::from_tensor(&case["x"])?;
        let y = to_first(&kernels::enter(&x, &floats(&case["mean"]), &floats(&case["std"]))?)?;
        value(name, &y, &case["out"], 1e-5);
        let grads = (&y * &case["gout"])?.sum_all()?.backward()?;
        gradient(name, grads.get(&x).expect("grad_x"), &case["grad_x"], 1e-4);
        Ok(())
    });
}

#[test]
fn parity_sgd() {
    each(&["sgd"], |_, case| {
        let setups: BTreeSet<_> = case.keys().filter_map(|k| k.split_once(".w.")).map(|(setup, _)| setup).collect();
        assert!(!setups.is_empty());
        for setup in setups {
            let parts: Vec<_> = setup.split('_').collect();
            for p in &parts {
                assert!(["plain", "m09", "nesterov", "wd"].contains(p), "sgd.{setup}: what is {p}?");
            }
            let weight_decay = match setup {
                "wd" => 2e-4,
                _ if parts.contains(&"wd") => 5e-4,
                _ => 0.0,
            };
            let momentum = if parts.contains(&"m09") { 0.9 } else { 0.0 };
            for name in ["w", "b"] {
                let w = Var::from_tensor(&case[&format!("{name}0")])?;
                let v = w.zeros_like()?;
                for (k, lr) in floats(&case["lr"]).into_iter().enumerate() {
                    let step = SgdStep { lr: lr.into(), momentum, weight_decay, nesterov: parts.contains(&"nesterov") };
                    kernels::sgd_step(&w, &v, &case[&format!("grad_{name}.{k}")], step)?;
                    let key = format!("{setup}.{name}.{}", k + 1);
                    value(&format!("sgd.{key}"), &w, &case[&key], 1e-5);
                }
            }
        }
        Ok(())
    });
}
