//! Whether the attacks were as strong as they should be, given what they left.

use super::{
    Judged, Rule, Stop, Verdict,
    evidence::{ATTACKS, BLACK, Measured, WHITE},
};
use crate::{report::wilson, verdicts::CLEAN};

/// Checks of the attacks.
pub(super) const RULES: [Rule<Measured>; 13] = [
    Rule {
        name: "one step",
        judge: one_step,
        advice: "gradients mislead beyond one step; check step size and masking",
    },
    Rule {
        name: "more steps",
        judge: more_steps,
        advice: "not converged or unstable; report more steps and check their size",
    },
    Rule { name: "more restarts", judge: more_restarts, advice: "report an attack with more restarts" },
    Rule { name: "larger radius", judge: larger_radius, advice: "the attack loses strength where it should gain it" },
    Rule {
        name: "unbounded",
        judge: unbounded,
        advice: "an attack that may do anything fails, so gradients are masked",
    },
    Rule { name: "black box", judge: black_box, advice: "gradients are masked or white-box attacks too weak" },
    Rule {
        name: "cross-entropy against targeted",
        judge: targeted,
        advice: "attacks on the cross-entropy overrate this network; report targeted ones",
    },
    Rule {
        name: "own terms",
        judge: own_terms,
        advice: "report the adaptive attack; the standard ones overrate this network",
    },
    Rule { name: "clean", judge: clean, advice: "there is nothing to defend; train it first" },
    Rule { name: "control", judge: control, advice: "the attack is too weak to judge any defence by" },
    Rule { name: "sample", judge: sample, advice: "evaluate more images" },
    Rule { name: "worst case", judge: worst_case, advice: "count an example as broken if it is wrong when clean" },
    Rule { name: "threat model", judge: threat_model, advice: "repair the attack before anything else" },
];

fn standing(stands: &[bool]) -> usize {
    stands.iter().filter(|stands| **stands).count()
}

/// How many stand in `a` and not in `b`.
fn only(a: &[bool], b: &[bool]) -> usize {
    a.iter().zip(b).filter(|(a, b)| **a && !**b).count()
}

impl Measured {
    fn share(&self, stands: &[bool]) -> f64 {
        self.percent(standing(stands))
    }

    /// Whether so many examples are both more than `least` and more than `points` per cent of all.
    fn exceeds(&self, examples: usize, least: usize, points: f64) -> bool {
        examples > least && 100. * examples as f64 > points * self.examples as f64
    }
}

fn one_step(facts: &Measured) -> Judged {
    let (one, many) = (facts.get("fgsm")?, facts.get("pgd-20")?);
    let weaker = standing(many).saturating_sub(standing(one));
    let found = format!("pgd-20 leaves {:.2} %, fgsm {:.2} %", facts.share(many), facts.share(one));
    Ok((Verdict::of(facts.exceeds(weaker, 1, 0.5), false), found))
}

fn more_steps(facts: &Measured) -> Judged {
    let (few, many) = (facts.get("pgd-20")?, facts.get("pgd-100")?);
    let (left_few, left_many) = (standing(few), standing(many));
    let (weaker, stronger) = (left_many.saturating_sub(left_few), left_few.saturating_sub(left_many));
    let (few, many) = (facts.share(few), facts.share(many));
    let found = format!("pgd-20 leaves {few:.2} %, pgd-100 {many:.2} % ({:+.2} points)", many - few);
    let warn = facts.exceeds(weaker, 2, 1.) || facts.exceeds(stronger, 1, 2.);
    Ok((Verdict::of(facts.exceeds(weaker, 2, 5.), warn), found))
}

fn more_restarts(facts: &Measured) -> Judged {
    let (one, five) = (facts.get("pgd-20")?, facts.get("pgd-20x5")?);
    let (repaired, broken) = (only(five, one), only(one, five));
    let found = format!(
        "pgd-20 leaves {:.2} %, pgd-20x5 {:.2} %, {repaired} of which pgd-20 broke",
        facts.share(one),
        facts.share(five)
    );
    // The first of five restarts is the one of pgd-20, to the last bits of a GPU.
    Ok((Verdict::of(facts.exceeds(repaired, 1, 0.2), repaired > 0 || facts.exceeds(broken, 1, 2.)), found))
}

fn larger_radius(facts: &Measured) -> Judged {
    let radii = [("eps/2", 0.5), ("eps", 1.), ("2 eps", 2.), ("4 eps", 4.)];
    let mut left = Vec::new();
    for (name, factor) in radii {
        left.push((name, standing(facts.at_radius(factor)?)));
    }
    let rises = left.windows(2).any(|pair| facts.exceeds(pair[1].1.saturating_sub(pair[0].1), 1, 0.5));
    let texts: Vec<String> = left.iter().map(|(name, n)| format!("{:.2} % at {name}", facts.percent(*n))).collect();
    Ok((Verdict::of(rises, false), format!("pgd-20 leaves {}", texts.join(", "))))
}

fn unbounded(facts: &Measured) -> Judged {
    let (left, chance) = (facts.share(facts.unbounded()?), 100. / facts.classes as f64);
    let found = format!("pgd-100 leaves {left:.2} % where it may make any image grey, chance is {chance:.2} %");
    Ok((Verdict::of(left > chance, left > 1.), found))
}

fn black_box(facts: &Measured) -> Judged {
    let (white, black) = (facts.known(&WHITE), facts.known(&BLACK));
    if white.is_empty() || black.is_empty() {
        let how = if white.is_empty() { "with" } else { "without" };
        return Err(Stop::Skip(format!("no attack {how} gradients was measured")));
    }
    let rest = facts.under_all(&WHITE);
    let names: Vec<&str> = white.iter().map(|(name, _)| *name).collect();
    let each: Vec<String> =
        black.iter().map(|(name, stands)| format!("{name} breaks {}", only(&rest, stands))).collect();
    let found = format!("of {} examples that stand under {}, {}", standing(&rest), names.join(", "), each.join(", "));
    let broken = only(&rest, &facts.under_all(&BLACK));
    // One image of a few tells nothing.
    Ok((Verdict::of(facts.exceeds(broken, 1, 2.), facts.exceeds(broken, 0, 0.2)), found))
}

fn targeted(facts: &Measured) -> Judged {
    let (ce, targeted) = (facts.get("apgd-ce")?, facts.get("apgd-t")?);
    let gap = standing(ce).saturating_sub(standing(targeted));
    let (ce, targeted) = (facts.share(ce), facts.share(targeted));
    let found = format!("apgd-ce leaves {ce:.2} %, apgd-t {targeted:.2} % ({:+.2} points)", targeted - ce);
    Ok((Verdict::of(facts.exceeds(gap, 1, 25.), facts.exceeds(gap, 1, 10.)), found))
}

fn own_terms(facts: &Measured) -> Judged {
    let adaptive = facts.get("adaptive")?;
    let others: Vec<&'static str> = ATTACKS.into_iter().filter(|attack| *attack != "adaptive").collect();
    let (name, rest) = match facts.get("autoattack") {
        Ok(stands) => ("autoattack", stands.to_vec()),
        Err(_) if facts.known(&WHITE).is_empty() => {
            return Err(Stop::Skip("no other attack with gradients was measured".into()));
        }
        Err(_) => ("the other attacks together", facts.under_all(&others)),
    };
    let broken = only(&rest, adaptive);
    let found = format!(
        "the adaptive attack breaks {broken} of {} examples ({:.2} points) that stand under {name}",
        standing(&rest),
        facts.percent(broken)
    );
    Ok((Verdict::of(facts.exceeds(broken, 2, 2.), facts.exceeds(broken, 1, 0.5)), found))
}

fn clean(facts: &Measured) -> Judged {
    let (right, chance) = (facts.share(facts.get(CLEAN)?), 100. / facts.classes as f64);
    let (low, high) = wilson(right, facts.examples);
    let found = format!("{right:.2} % (interval {low:.2} to {high:.2}) are right when clean, chance is {chance:.2} %");
    Ok((Verdict::of(low <= chance, false), found))
}

fn control(facts: &Measured) -> Judged {
    let (label, left) = facts.control.as_ref().ok_or_else(|| Stop::Skip("no undefended network was given".into()))?;
    Ok((Verdict::of(*left >= 15., *left >= 5.), format!("{label} keeps {left:.2} % under attack")))
}

fn sample(facts: &Measured) -> Judged {
    let left = facts.share(&worst(facts)?);
    let (low, high) = wilson(left, facts.examples);
    let found = format!("{} images give {left:.2} % to {:.2} points either way", facts.examples, (high - low) / 2.);
    Ok((Verdict::of(false, facts.examples < 1000), found))
}

fn worst_case(facts: &Measured) -> Judged {
    let (clean, worst, attacks) = (facts.get(CLEAN)?, worst(facts)?, facts.attacks());
    let Some((strongest, least)) = attacks.iter().min_by_key(|(_, stands)| standing(stands)) else {
        return Err(Stop::Skip("no attack was measured".into()));
    };
    let repaired: usize = attacks.iter().map(|(_, stands)| only(stands, clean)).sum();
    let left = facts.share(&worst);
    let (low, high) = wilson(left, facts.examples);
    let found = format!(
        "{left:.2} % (interval {low:.2} to {high:.2}) stand under all of {} attacks, {:.2} % under the strongest \
         ({strongest}); {repaired} times an example is right under attack that is wrong when clean",
        attacks.len(),
        facts.share(least)
    );
    Ok((Verdict::of(repaired > 0 || standing(&worst) > standing(least), false), found))
}

/// What stands clean and under everything measured in the ball.
fn worst(facts: &Measured) -> Result<Vec<bool>, Stop> {
    facts.get(CLEAN)?;
    Ok(facts.under_all(&ATTACKS))
}

fn threat_model(facts: &Measured) -> Judged {
    match facts.escapes.as_slice() {
        [] if facts.attacks().is_empty() => Err(Stop::Skip("no attack was measured".into())),
        [] => Ok((Verdict::Pass, "every attack stayed in its ball and in [0, 1]".into())),
        escapes => Ok((Verdict::Fail, escapes.join("; "))),
    }
}
