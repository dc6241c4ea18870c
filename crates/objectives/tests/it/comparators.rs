//! Values and gradients of the comparators' official code: every `he_*`, `adr_*`, `tla_*`, `pcl_*`,
//! `fs_*` and `cw_margin50*` case of `losses.safetensors`, and every tensor of it.

mod edges;

use crate::golden::{Tensors, cases, labels, numbers};
use candle::{D, DType, Result, Tensor, Var};
use models::Output;
use objectives::{
    Centers, Clean, Negative, Objective, Pass, Positive, Stage, adr, angular_distance, ce, confidence, contrastive,
    cosine_costs, cosines, global_compactness, global_smoothness, hinged_lead, hinged_margin, kl, local_compactness,
    local_smoothness, margin_ce, negative_scores, pairing, proximity, scaled_kl, spread_ce, transport, transport_plan,
    triplet,
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// The tensors of one case, and which of them were looked at.
struct Case {
    name: String,
    tensors: Tensors,
    seen: RefCell<BTreeSet<String>>,
}

impl Case {
    fn get(&self, key: &str) -> &Tensor {
        self.seen.borrow_mut().insert(key.to_owned());
        self.tensors.get(key).unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    /// An option of the method, as it was written in decimals.
    fn number(&self, key: &str) -> f64 {
        let value = self.get(key).to_vec1::<f32>().expect("one number")[0];
        value.to_string().parse().expect("a number")
    }

    fn value(&self, key: &str, ours: &Tensor, tolerance: f64) {
        let (ours, theirs) = (numbers(ours), numbers(self.get(key)));
        assert_eq!(ours.len(), theirs.len(), "{}.{key}", self.name);
        let largest = theirs.iter().fold(0f64, |m, v| m.max(v.abs()));
        for (a, b) in ours.iter().zip(&theirs) {
            // Entries that are differences of large ones carry the error of the large ones.
            let allowed = tolerance * if theirs.len() == 1 { b.abs() } else { largest };
            assert!((a - b).abs() <= allowed, "{}.{key}: {a}, not {b}", self.name);
        }
    }

    /// The loss and every `grad_*` of the case; an input without a gradient has gradient 0.
    fn loss(&self, loss: &Tensor, inputs: &Inputs, tolerances: (f64, f64)) -> Result<()> {
        self.value("loss", loss, tolerances.0);
        let grads = loss.backward()?;
        for key in self.tensors.keys().filter(|k| k.starts_with("grad_")) {
            let input = &inputs.vars[&key["grad_".len()..]];
            let ours = grads.get(input).cloned().map_or_else(|| input.zeros_like(), Ok)?;
            self.value(key, &ours, tolerances.1);
        }
        Ok(())
    }
}

/// What the losses are functions of.
#[derive(Clone)]
struct Inputs {
    vars: BTreeMap<String, Var>,
    labels: Tensor,
    positives: Tensor,
    negatives: Tensor,
}

impl Inputs {
    fn t(&self, name: &str) -> Tensor {
        self.vars[name].as_tensor().clone()
    }

    /// The mean of `objective` over passes with these logits, and the stored features.
    fn mean_with(&self, objective: &Objective, clean: &Tensor, adv: &Tensor) -> Result<Tensor> {
        let output = |features, logits: &Tensor| Output { features: self.t(features), logits: logits.clone() };
        let clean = Clean::known(output("z_clean", clean), &self.labels, Stage::Training);
        objective.losses(&clean.against_known(output("z_adv", adv)))?.mean_all()
    }

    fn mean(&self, objective: &Objective) -> Result<Tensor> {
        self.mean_with(objective, &self.t("clean"), &self.t("adv"))
    }
}

/// Tests every case whose name starts with one of `prefixes`; there must be some, and `test` must look
/// at every tensor of them.
fn each(prefixes: &[&str], test: impl Fn(&Case, &Inputs) -> Result<()>) {
    let Some(mut cases) = cases("losses.safetensors") else { return };
    let input = cases.remove("input").expect("the inputs");
    let rows = |t: &Tensor| labels(t).expect("row numbers");
    let inputs = Inputs {
        labels: rows(&input["labels"]),
        positives: rows(&input["tla_pos1_index"]),
        negatives: rows(&cases["tla_negatives"]["index"]),
        vars: input
            .into_iter()
            .filter(|(_, tensor)| tensor.dtype() == DType::F32)
            .map(|(name, tensor)| (name, Var::from_tensor(&tensor).expect("an input")))
            .collect(),
    };
    for prefix in prefixes {
        assert!(cases.keys().any(|name| name.starts_with(prefix)), "no case {prefix}*");
    }
    for (name, tensors) in cases.into_iter().filter(|(n, _)| prefixes.iter().any(|p| n.starts_with(p))) {
        let case = Case { name, tensors, seen: RefCell::default() };
        test(&case, &inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let seen = case.seen.borrow();
        let unseen: Vec<_> = case.tensors.keys().filter(|key| !seen.contains(*key)).collect();
        assert!(unseen.is_empty(), "{}: not compared: {unseen:?}", case.name);
    }
}

/// Tolerances of values, relative, and of gradients, of their largest entry.
const EXACT: (f64, f64) = (1e-5, 1e-4);

#[test]
fn parity_adversarial_divergence_reduction() {
    each(&["adr_"], |case, inputs| {
        let objective = match case.name.as_str() {
            "adr_local_compactness" => local_compactness(),
            "adr_global_compactness" => global_compactness(),
            "adr_local_smoothness" => local_smoothness(),
            "adr_global_smoothness" => global_smoothness(),
            "adr_confidence" => confidence(),
            "adr_pgd_total" => ce(Pass::Clean) + ce(Pass::Adv) + adr(),
            "adr_trades_total" => ce(Pass::Clean) + kl() + adr(),
            unknown => panic!("no term for {unknown}"),
        };
        case.loss(&inputs.mean(&objective)?, inputs, EXACT)
    });
}

#[test]
fn parity_triplet_loss() {
    each(&["tla_"], |case, inputs| {
        let (adv, clean) = (inputs.t("z_adv"), inputs.t("z_clean"));
        if case.name == "tla_negatives" {
            case.value("score", &negative_scores(&adv, &clean, &inputs.labels)?, 1e-5);
            let own_choice = triplet(Positive::OwnClean, Negative::Hardest, 0.5);
            let given = triplet(Positive::OwnClean, Negative::Rows(case.get("index").clone()), 0.5);
            assert_eq!(numbers(&inputs.mean(&own_choice)?), numbers(&inputs.mean(&given)?), "the hardest negatives");
            return Ok(());
        }
        let negatives = || Negative::Rows(inputs.negatives.clone());
        let same_class = || Positive::Rows(inputs.positives.clone());
        if case.name == "tla_total" {
            let margin = 0.03;
            let both = triplet(Positive::OwnClean, negatives(), margin) + triplet(same_class(), negatives(), margin);
            let total = ce(Pass::Adv) + case.number("lambda") * both;
            return case.loss(&inputs.mean(&total)?, inputs, EXACT);
        }
        let (positive, positives) = match case.name.as_str() {
            "tla_own_clean" | "tla_own_clean_margin0p5" => (Positive::OwnClean, clean.clone()),
            "tla_same_class" => (same_class(), clean.index_select(&inputs.positives, 0)?),
            unknown => panic!("no term for {unknown}"),
        };
        let chosen = clean.index_select(&inputs.negatives, 0)?;
        case.value("pos_dist", &angular_distance(&adv, &positives)?.mean_all()?, 1e-5);
        case.value("neg_dist", &angular_distance(&adv, &chosen)?.mean_all()?, 1e-5);
        let squares = ((adv.sqr()? + positives.sqr()?)? + chosen.sqr()?)?.mean_all()?;
        case.value("norm", &squares, 1e-5);
        assert_eq!(case.number("regularize"), 1e-3);
        case.loss(&inputs.mean(&triplet(positive, negatives(), case.number("margin")))?, inputs, EXACT)
    });
}

#[test]
fn parity_prototype_conformity() {
    each(&["pcl_"], |case, inputs| {
        // The centres are variables of their own, so their gradients are looked up under the case's names.
        let (near, far) = (Centers::new(&inputs.t("centers_prox"))?, Centers::new(&inputs.t("centers_con"))?);
        let mut vars = inputs.vars.clone();
        vars.insert("centers_prox".into(), near.var().expect("given").clone());
        vars.insert("centers_con".into(), far.var().expect("given").clone());
        let inputs = &Inputs { vars, ..inputs.clone() };
        let objective = match case.name.as_str() {
            "pcl_proximity" => proximity(&near, &[Pass::Clean]),
            "pcl_contrastive" => contrastive(&far, &[Pass::Clean]),
            "pcl_total_one_layer" => {
                let both = [Pass::Clean, Pass::Adv];
                0.5 * ce(Pass::Clean)
                    + 0.5 * ce(Pass::Adv)
                    + case.number("weight_prox") * proximity(&near, &both)
                    + -case.number("weight_conprox") * contrastive(&far, &both)
            }
            unknown => panic!("no term for {unknown}"),
        };
        case.loss(&inputs.mean(&objective)?, inputs, EXACT)
    });
}

#[test]
fn parity_hypersphere_embedding() {
    each(&["he_"], |case, inputs| {
        let weight = inputs.t("he_weight");
        let (s, m) = (case.number("s"), case.number("m"));
        if case.name.starts_with("he_from_cosines") {
            let given = inputs.t("cosines");
            let loss = inputs.mean_with(&margin_ce(Pass::Adv, s, m), &given.detach(), &given)?;
            return case.loss(&loss, inputs, EXACT);
        }
        let (clean, adv) = (cosines(&inputs.t("z_clean"), &weight)?, cosines(&inputs.t("z_adv"), &weight)?);
        for (key, ours) in [("cos_clean", &clean), ("cos_adv", &adv)] {
            if case.tensors.contains_key(key) {
                case.value(key, ours, 1e-5);
            }
        }
        let method = case.name.split('_').nth(1).expect("he_method");
        let objective = match method {
            "pgd" | "attack" => margin_ce(Pass::Adv, s, m),
            "trades" => margin_ce(Pass::Clean, s, m) + case.number("beta") * scaled_kl(s),
            "alp" => {
                0.5 * margin_ce(Pass::Clean, s, m) + 0.5 * margin_ce(Pass::Adv, s, m) + case.number("beta") * pairing()
            }
            unknown => panic!("no term for {unknown}"),
        };
        case.loss(&inputs.mean_with(&objective, &clean, &adv)?, inputs, EXACT)
    });
}

#[test]
fn parity_feature_scattering() {
    each(&["fs_"], |case, inputs| match case.name.as_str() {
        "fs_ot" | "fs_ot_far" => {
            assert_eq!((case.number("epsilon"), numbers(case.get("max_iterations"))), (0.01, vec![100.]));
            let moved = inputs.t(if case.name == "fs_ot" { "adv" } else { "far" });
            let costs = cosine_costs(&inputs.t("clean"), &moved)?;
            case.value("cost", &costs, 1e-5);
            case.value("plan", &transport_plan(&costs)?, 1e-3);
            case.loss(&inputs.mean_with(&transport(), &inputs.t("clean"), &moved)?, inputs, (1e-3, 1e-3))
        }
        "fs_train_ce_ls0p5" => {
            let share = case.number("ls_factor");
            let logs = objectives::log_softmax(&inputs.t("adv"))?;
            let target = case.get("soft_labels");
            let by_hand = (logs * target)?.sum(D::Minus1)?.neg()?.mean_all()?;
            case.value("loss", &by_hand, 1e-5);
            case.loss(&inputs.mean(&spread_ce(Pass::Adv, share))?, inputs, EXACT)
        }
        "fs_cw_margin50" => case.loss(&inputs.mean(&hinged_lead(50.))?, inputs, EXACT),
        unknown => panic!("no term for {unknown}"),
    });
}

#[test]
fn parity_hinged_margin() {
    each(&["cw_margin50"], |case, inputs| match case.name.as_str() {
        "cw_margin50_mean" => case.loss(&inputs.mean(&hinged_margin(50.))?, inputs, EXACT),
        unknown => panic!("no term for {unknown}"),
    });
}
