//! Values and gradients of every term, against an independent implementation in 64 bits.

use crate::golden::{Tensors, assert_values, cases, labels, numbers};
use candle::{D, Result, Tensor, Var};
use i2fr::{I2fr, Reference};
use models::Output;
use objectives::{Clean, Objective, Stage};

/// One loss an example of features `adv` against `clean`.
pub fn losses(objective: &Objective, adv: &Tensor, clean: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let classes = labels.max_all()?.to_scalar::<u32>()? as usize + 1;
    let output = |features: &Tensor| -> Result<Output> {
        let logits = Tensor::zeros((features.dim(0)?, classes), features.dtype(), features.device())?;
        Ok(Output { features: features.clone(), logits })
    };
    objective.losses(&Clean::known(output(clean)?, labels, Stage::Training).against_known(output(adv)?))
}

/// `w101` as weights of (clean, class, inter).
pub fn weights(name: &str) -> [f64; 3] {
    let digits: Vec<_> = name.strip_prefix('w').unwrap_or("").chars().filter_map(|c| c.to_digit(10)).collect();
    let [c, s, x] = digits[..] else { panic!("{name} is no triple of weights") };
    [c, s, x].map(f64::from)
}

/// `m2` as a margin.
pub fn margin(name: &str) -> f64 {
    name.strip_prefix('m').and_then(|m| m.parse().ok()).unwrap_or_else(|| panic!("{name} is no margin"))
}

/// `raw` or `l2`.
pub fn normalize(name: &str) -> bool {
    match name {
        "raw" => false,
        "l2" => true,
        other => panic!("{other} is no kind of features"),
    }
}

/// The options a term of the files stands for.
pub fn term(name: &str, margin: f64, normalize: bool) -> I2fr {
    let (name, reference) = match name.strip_suffix("_centroid") {
        Some(name) => (name, Reference::BatchMeans),
        None => (name, Reference::Pairs),
    };
    let [intra_clean, intra_class, inter] = match name {
        "intra_clean" => [1., 0., 0.],
        "intra_class" => [0., 1., 0.],
        "inter" => [0., 0., 1.],
        other => panic!("{other}: a term no test knows"),
    };
    I2fr { intra_clean, intra_class, inter, margin, normalize, reference, clean_gradient: true }
}

/// Rows whose gradient is a convention: of adversarial and of clean features.
struct Conventions {
    adv: Vec<bool>,
    clean: Vec<bool>,
}

type Rows = Vec<Vec<f64>>;

fn rows(t: &Tensor, normalize: bool) -> Result<Rows> {
    let width = t.dim(D::Minus1)?;
    let mut rows: Rows = numbers(t).chunks(width).map(<[f64]>::to_vec).collect();
    for row in rows.iter_mut().filter(|_| normalize) {
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
        row.iter_mut().for_each(|v| *v /= norm);
    }
    Ok(rows)
}

impl Conventions {
    /// A distance within 1e-5 of the margin is at the hinge, where the derivative of `inter` may be
    /// either one's; and a normalised zero row has no derivative.
    fn of(options: &I2fr, adv: &Tensor, clean: &Tensor, labels: &[u32]) -> Result<Self> {
        let zero = |t: &Tensor| -> Result<Vec<bool>> {
            let zero = |row: &Vec<f64>| options.normalize && row.iter().all(|v| *v == 0.);
            Ok(rows(t, false)?.iter().map(zero).collect())
        };
        let mut found = Self { adv: zero(adv)?, clean: zero(clean)? };
        if options.inter == 0. {
            return Ok(found);
        }
        let (adv, clean) = (rows(adv, options.normalize)?, rows(clean, options.normalize)?);
        // What each adversarial feature is compared with: a position and the clean rows it is made of.
        let groups: Vec<(u32, Vec<usize>)> = match options.reference {
            Reference::Pairs => labels.iter().enumerate().map(|(j, label)| (*label, vec![j])).collect(),
            _ => (0..=labels.iter().copied().max().unwrap_or(0))
                .map(|class| (class, (0..labels.len()).filter(|j| labels[*j] == class).collect()))
                .filter(|(_, members): &(u32, Vec<usize>)| !members.is_empty())
                .collect(),
        };
        for (i, own) in labels.iter().enumerate() {
            for (_, members) in groups.iter().filter(|(label, _)| label != own) {
                let mean = |k: usize| members.iter().map(|j| clean[*j][k]).sum::<f64>() / members.len() as f64;
                let distance: f64 = adv[i].iter().enumerate().map(|(k, v)| (v - mean(k)).powi(2)).sum();
                if (distance - options.margin).abs() < 1e-5 {
                    found.adv[i] = true;
                    members.iter().for_each(|j| found.clean[*j] = true);
                }
            }
        }
        Ok(found)
    }
}

/// Compares a gradient row by row to 1e-5; rows of a convention need only be finite. Returns how many
/// rows were compared.
fn compare_gradient(what: &str, ours: &Tensor, golden: &Tensor, convention: &[bool]) -> usize {
    assert_eq!(ours.dims(), golden.dims(), "{what}");
    let width = golden.dims()[1];
    let (ours, golden) = (numbers(ours), numbers(golden));
    assert!(ours.iter().all(|v| v.is_finite()), "{what}: not finite");
    for (i, _) in convention.iter().enumerate().filter(|(_, skip)| !**skip) {
        for (a, b) in ours[i * width..][..width].iter().zip(&golden[i * width..][..width]) {
            assert!((a - b).abs() <= 1e-5, "{what}: row {i}: {a}, not {b}");
        }
    }
    convention.iter().filter(|skip| !**skip).count()
}

/// One `total` with its gradients, with clean features differentiated and constant.
fn check_total(what: &str, options: &I2fr, case: &Tensors, prefix: &str) -> Result<(usize, usize)> {
    let labels = labels(&case["labels"])?;
    let conventions = Conventions::of(options, &case["z_adv"], &case["z_clean"], &labels.to_vec1()?)?;
    let (mut compared, mut total) = (0, 0);
    for clean_gradient in [true, false] {
        let (adv, clean) = (Var::from_tensor(&case["z_adv"])?, Var::from_tensor(&case["z_clean"])?);
        let objective = I2fr { clean_gradient, ..options.clone() }.objective()?;
        let losses = losses(&objective, &adv, &clean, &labels)?;
        assert_eq!(losses.dims(), labels.dims(), "{what}");
        let value = losses.mean_all()?;
        assert_values(what, &value, &case[&format!("{prefix}.total")], 1e-5, 1e-7);
        let grads = value.backward()?;
        let ours = grads.get(&adv).expect("a gradient of the adversarial features");
        let golden = &case[&format!("{prefix}.grad_adv")];
        compared += compare_gradient(&format!("{what}.grad_adv"), ours, golden, &conventions.adv);
        total += conventions.adv.len();
        match grads.get(&clean) {
            Some(ours) if clean_gradient => {
                let golden = &case[&format!("{prefix}.grad_clean")];
                compared += compare_gradient(&format!("{what}.grad_clean"), ours, golden, &conventions.clean);
                total += conventions.clean.len();
            }
            None if !clean_gradient => {}
            _ => panic!("{what}: clean_gradient is {clean_gradient}, the gradient says otherwise"),
        }
    }
    Ok((compared, total))
}

#[test]
fn parity_terms() -> Result<()> {
    let Some(cases) = cases("i2fr.safetensors") else { return Ok(()) };
    let (mut values, mut totals, mut compared, mut rows) = (0, 0, 0, 0);
    for (name, case) in &cases {
        for (tensor, golden) in case {
            let what = format!("{name}.{tensor}");
            match tensor.split('.').collect::<Vec<_>>()[..] {
                ["z_adv" | "z_clean" | "labels"] => {}
                [kind, m, quantity] => {
                    let objective = term(quantity, margin(m), normalize(kind)).objective()?;
                    let losses = losses(&objective, &case["z_adv"], &case["z_clean"], &labels(&case["labels"])?)?;
                    assert_values(&what, &losses.mean_all()?, golden, 1e-5, 1e-7);
                    values += 1;
                }
                [kind, m, references, weighting, "total"] => {
                    let reference = match references {
                        "pairs" => Reference::Pairs,
                        "centroid" => Reference::BatchMeans,
                        other => panic!("{what}: {other} is no kind of reference"),
                    };
                    let [intra_clean, intra_class, inter] = weights(weighting);
                    let options = I2fr {
                        intra_clean,
                        intra_class,
                        inter,
                        margin: margin(m),
                        normalize: normalize(kind),
                        reference,
                        clean_gradient: true,
                    };
                    let prefix = tensor.strip_suffix(".total").unwrap_or(tensor);
                    let (some, all) = check_total(&what, &options, case, prefix)?;
                    totals += 1;
                    (compared, rows) = (compared + some, rows + all);
                }
                // Read together with their total.
                [kind, m, references, weighting, "grad_adv" | "grad_clean"] => {
                    let total = format!("{kind}.{m}.{references}.{weighting}.total");
                    assert!(case.contains_key(&total), "{what}: a gradient without its value");
                }
                _ => panic!("{what}: a tensor no test knows"),
            }
        }
    }
    assert!(values > 0 && totals > 0, "{values} values, {totals} totals");
    assert!(compared * 100 >= rows * 95, "only {compared} of {rows} rows were compared");
    Ok(())
}
