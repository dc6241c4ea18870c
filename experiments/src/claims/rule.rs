//! How differences become verdicts: pure arithmetic, no files.
//!
//! A claim has a p for and a p against it; the smaller one is its p, and Holm's correction over all claims keeps the
//! chance of any false verdict below the level. A two-sided test errs in each direction with half its level, so that the
//! two p together do not err more often than one test.

use super::{
    doubts::{Doubts, Sides},
    stated::{Claim, Claims, Direction, Rule},
};
use crate::report::Paired;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What the measurements say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The effect is there.
    Supported,
    /// The opposite effect is there.
    Contradicted,
    /// Neither can be told from chance, or the evidence may not count.
    Undecided,
    /// There is no evidence.
    NotMeasured,
}

impl Tested {
    /// Its p as it counts for a verdict.
    fn p(&self) -> f64 {
        self.p.unwrap_or(1.0)
    }
}

impl Verdict {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::Undecided => "undecided",
            Self::NotMeasured => "not measured",
        }
    }
}

/// The differences of one framework.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contrast {
    /// The framework, or the comparator.
    pub name: String,
    /// `after` minus `before` by seed.
    pub differences: BTreeMap<u64, f64>,
    /// The numbers of images behind them.
    pub examples: BTreeSet<usize>,
    /// What was not measured.
    pub missing: Vec<String>,
    /// What a reader should know: seeds that could not be paired.
    pub remarks: Vec<String>,
    /// Whose robustness may be less than was measured.
    pub doubts: Sides,
}

/// A difference that was tested.
#[derive(Clone, Debug, PartialEq)]
pub struct Tested {
    /// The framework or comparator, or how many a mean is over.
    pub name: String,
    /// Mean, interval and p; none without a pair.
    pub paired: Option<Paired>,
    /// p, corrected for there being several frameworks; 1 with too few seeds. None for what a mean that was tested is of.
    pub p: Option<f64>,
    /// The numbers of images behind it.
    pub examples: BTreeSet<usize>,
}

/// A claim, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// Each difference behind it.
    pub tested: Vec<Tested>,
    /// The claim's p, corrected for there being several frameworks.
    pub p: f64,
    /// The same, also corrected for there being several claims.
    pub adjusted_p: f64,
    /// Why the verdict is not a better one, and what else a reader should know.
    pub remarks: Vec<String>,
}

/// Holm's correction: the smallest family-wise level at which each would be rejected, in the order given.
pub(super) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 0.0f64;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max((p.len() - rank) as f64 * p[i]).min(1.0);
        adjusted[i] = least;
    }
    adjusted
}

/// Judges every claim by its contrasts, in one setting; `contrasts[i]` are those of claim `i`, one per framework.
pub fn judge(all: &Claims, contrasts: &[Vec<Contrast>]) -> Vec<Finding> {
    let weighed: Vec<Weighed> = all.claims.iter().zip(contrasts).map(|(claim, own)| Weighed::of(claim, own)).collect();
    let adjusted = holm(&weighed.iter().map(Weighed::p).collect::<Vec<_>>());
    let parts = all.claims.iter().zip(contrasts).zip(weighed.into_iter().zip(adjusted));
    parts.map(|((claim, own), (weighed, adjusted))| weighed.finding(claim, own, adjusted, all.level)).collect()
}

/// A claim's differences with its own p.
struct Weighed {
    tested: Vec<Tested>,
    /// How often chance alone would support the claim.
    supports: f64,
    /// How often chance alone would contradict it.
    contradicts: f64,
}

impl Weighed {
    fn of(claim: &Claim, contrasts: &[Contrast]) -> Self {
        let mut tested: Vec<Tested> = match claim.rule {
            Rule::Mean => vec![test(claim, &mean(contrasts))],
            Rule::Several | Rule::Every => contrasts.iter().map(|contrast| test(claim, contrast)).collect(),
        };
        let (supports, contradicts) = match claim.rule {
            Rule::Mean | Rule::Every => {
                // Each one must be beaten, so the weakest test decides; to lose, one is enough.
                let weakest = tested.iter().map(|t| if side(claim, t) > 0 { t.p() } else { 1.0 }).fold(0.0, f64::max);
                let strongest = tested.iter().filter(|t| side(claim, t) < 0).map(|t| t.p()).fold(1.0, f64::min);
                (weakest, (strongest * tested.len() as f64).min(1.0))
            }
            Rule::Several => {
                let adjusted = holm(&tested.iter().map(|t| t.p()).collect::<Vec<_>>());
                tested.iter_mut().zip(adjusted).for_each(|(t, p)| t.p = Some(p));
                let needed = claim.at_least.unwrap_or(1) - 1;
                let last_needed = |wanted: i32| {
                    let mut p: Vec<f64> = tested.iter().filter(|t| side(claim, t) == wanted).map(|t| t.p()).collect();
                    p.sort_by(f64::total_cmp);
                    p.get(needed).copied().unwrap_or(1.0)
                };
                (last_needed(1), last_needed(-1))
            }
        };
        Self { tested, supports, contradicts }
    }

    fn p(&self) -> f64 {
        self.supports.min(self.contradicts)
    }

    fn finding(self, claim: &Claim, contrasts: &[Contrast], adjusted_p: f64, level: f64) -> Finding {
        let p = self.p();
        let Self { mut tested, supports, contradicts } = self;
        let mut remarks = Vec::new();
        let missing = distinct(contrasts.iter().flat_map(|contrast| &contrast.missing));
        if !missing.is_empty() {
            remarks.push(format!("{} is not measured of {}", claim.measure, missing.join(", ")));
        }
        remarks.extend(distinct(contrasts.iter().flat_map(|contrast| &contrast.remarks)));
        let seeds: Vec<usize> = tested.iter().map(|t| t.paired.map_or(0, |paired| paired.difference.seeds)).collect();
        let mut verdict = match () {
            () if seeds.iter().all(|&seeds| seeds == 0) => Verdict::NotMeasured,
            () if adjusted_p > level => Verdict::Undecided,
            () if supports < contradicts => Verdict::Supported,
            () => Verdict::Contradicted,
        };
        if verdict == Verdict::Undecided {
            remarks.insert(0, why_undecided(claim, &tested, &seeds));
            remarks.extend(beaten(claim, &tested, level));
        } else if claim.rule == Rule::Several
            && verdict != Verdict::NotMeasured
            && let Some(reason) = mixed(claim, &tested, verdict, level)
        {
            verdict = Verdict::Undecided;
            remarks.insert(0, reason);
        }
        let before = Doubts::of(contrasts.iter().map(|contrast| &contrast.doubts.before));
        let after = Doubts::of(contrasts.iter().map(|contrast| &contrast.doubts.after));
        let higher = if claim.supports == Direction::More { Verdict::Supported } else { Verdict::Contradicted };
        // One comparator that is better is enough to contradict `every`, if it is beyond doubt.
        let beyond_doubt = claim.rule == Rule::Every
            && tested.iter().zip(contrasts).any(|(t, contrast)| {
                let enough = t.p() * tested.len() as f64 * (adjusted_p / p) <= level;
                side(claim, t) < 0 && enough && contrast.doubts.before == Doubts::default()
            });
        // An accuracy in doubt may be lower: what was lower all the same stays so.
        let objections: BTreeSet<String> = match verdict {
            Verdict::NotMeasured => BTreeSet::new(),
            Verdict::Undecided => &before | &after,
            verdict if verdict == higher => after,
            _ if beyond_doubt => BTreeSet::new(),
            _ => before,
        };
        if !objections.is_empty() {
            verdict = Verdict::Undecided;
            remarks.extend(objections);
        }
        if claim.rule == Rule::Mean && contrasts.len() > 1 {
            tested.extend(contrasts.iter().map(|contrast| Tested { p: None, ..test(claim, contrast) }));
        }
        Finding { verdict, tested, p, adjusted_p, remarks }
    }
}

/// What keeps several frameworks from having one verdict: some that differ from the others, or were not tested.
fn mixed(claim: &Claim, tested: &[Tested], verdict: Verdict, level: f64) -> Option<String> {
    let wanted = if verdict == Verdict::Supported { -1 } else { 1 };
    let named = |those: &dyn Fn(&Tested) -> bool| {
        tested.iter().filter(|t| those(t)).map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let against = named(&|t| side(claim, t) == wanted && t.p() <= level);
    if !against.is_empty() {
        return Some(format!("mixed: the opposite holds for {against}"));
    }
    let untested = named(&|t| t.paired.is_none_or(|paired| paired.difference.seeds < claim.seeds));
    (!untested.is_empty()).then(|| format!("the opposite may hold for {untested}: fewer than {} seeds", claim.seeds))
}

/// Each text once, in the order they first came.
fn distinct<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut known = Vec::new();
    for text in texts {
        if !known.contains(text) {
            known.push(text.clone());
        }
    }
    known
}

/// Tests one difference; with too few seeds, or if it is too small to matter, its p is 1.
fn test(claim: &Claim, contrast: &Contrast) -> Tested {
    let paired = Paired::of(&contrast.differences.values().copied().collect::<Vec<_>>());
    let counts =
        |paired: &Paired| paired.difference.seeds >= claim.seeds && paired.difference.mean.abs() >= claim.matters;
    let p = paired.filter(counts).and_then(|paired| paired.p_value).unwrap_or(1.0);
    Tested { name: contrast.name.clone(), paired, p: Some(p), examples: contrast.examples.clone() }
}

/// 1 where a difference speaks for the claim, -1 where it speaks against it.
fn side(claim: &Claim, tested: &Tested) -> i32 {
    let mean = tested.paired.map_or(0.0, |paired| paired.difference.mean);
    let for_it = if claim.supports == Direction::More { mean > 0.0 } else { mean < 0.0 };
    if mean == 0.0 { 0 } else { 2 * i32::from(for_it) - 1 }
}

/// The mean of all contrasts over the seeds that each of them has.
fn mean(contrasts: &[Contrast]) -> Contrast {
    let [first, rest @ ..] = contrasts else { return Contrast::default() };
    let complete = |seed: &u64| rest.iter().all(|contrast| contrast.differences.contains_key(seed));
    let of = |seed: &u64| contrasts.iter().map(|contrast| contrast.differences[seed]).sum::<f64>();
    let average = |seed: &u64| (*seed, of(seed) / contrasts.len() as f64);
    let name = if rest.is_empty() { first.name.clone() } else { format!("mean of {}", contrasts.len()) };
    let differences: BTreeMap<u64, f64> = first.differences.keys().filter(|seed| complete(seed)).map(average).collect();
    let examples = contrasts.iter().filter(|_| !differences.is_empty()).flat_map(|c| c.examples.clone()).collect();
    Contrast { name, differences, examples, ..Contrast::default() }
}

/// What keeps a claim from a verdict.
fn why_undecided(claim: &Claim, tested: &[Tested], seeds: &[usize]) -> String {
    let (fewest, most) = (seeds.iter().min().copied().unwrap_or(0), seeds.iter().max().copied().unwrap_or(0));
    let small = |t: &&Tested| t.paired.is_some_and(|paired| paired.difference.mean.abs() < claim.matters);
    match () {
        () if most < claim.seeds => {
            let limit = if most < 2 {
                String::new()
            } else {
                format!(", with which no p is below {}", 0.5f64.powi(most as i32 - 1))
            };
            let plural = if most == 1 { "" } else { "s" };
            format!("too few seeds: {most} seed{plural}{limit}; {} are needed", claim.seeds)
        }
        () if fewest < claim.seeds && claim.rule == Rule::Every => {
            format!("some comparators have fewer than {} seeds", claim.seeds)
        }
        () if tested.iter().filter(small).count() == tested.len() => {
            format!("every mean difference is smaller than {} {}", claim.matters, claim.unit)
        }
        () => "p is too large after correction".to_owned(),
    }
}

/// Comparators that a test of their own, not corrected for there being others, finds better: a few seeds of many
/// comparators cannot contradict a claim, and that is not to look as if nothing spoke against it.
fn beaten(claim: &Claim, tested: &[Tested], level: f64) -> Option<String> {
    let better = |t: &&Tested| claim.rule == Rule::Every && side(claim, t) < 0 && t.p() <= level;
    let names: Vec<&str> = tested.iter().filter(better).map(|t| t.name.as_str()).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    (!names.is_empty()).then(|| format!("each taken alone, {} {are} better (p at most {level})", names.join(", ")))
}
