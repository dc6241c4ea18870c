//! Differences between two rows over the seeds they share.

use super::Summary;
use kernels::{Key, fill_uniform};

/// What an effect has to be below to be called one.
pub(super) const LEVEL: f64 = 0.05;
/// Up to so many seeds, every assignment of signs is tried; that is 2^16 of them.
const EXACT: usize = 16;
/// Assignments drawn where there are more seeds.
const DRAWN: usize = (1 << EXACT) - 1;

/// What paired differences say; of one seed, only their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Mean, deviation and 95 % interval of the differences, in points.
    pub difference: Summary,
    /// How often chance alone does as much: the two-sided sign-flip test. With one seed there is none.
    pub p_value: Option<f64>,
    /// The smallest p that so many seeds can give.
    pub smallest_p: f64,
    /// Whether the test tried every assignment of signs, and did not draw some.
    pub exact: bool,
}

impl Paired {
    /// Summarises one difference per seed; `None` without any.
    pub fn of(differences: &[f64]) -> Option<Self> {
        let difference = Summary::of(differences)?;
        let exact = difference.seeds <= EXACT;
        let p_value = (difference.seeds > 1).then(|| sign_flip(differences));
        let smallest_p = 0.5f64.powi(difference.seeds as i32 - 1).max(1.0 / (DRAWN + 1) as f64);
        Some(Self { difference, p_value, smallest_p, exact })
    }

    /// Whether chance alone may have given the sign: p above 0.05, or one seed.
    pub fn is_open(&self) -> bool {
        self.p_value.is_none_or(|p| p > LEVEL)
    }

    /// The 95 % interval of the mean.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let Summary { mean, half_width, .. } = self.difference;
        half_width.map(|half_width| (mean - half_width, mean + half_width))
    }
}

/// The share of sign assignments whose sum is at least as far from zero as the observed one.
///
/// Were both rows the same, the sign of each difference would be a coin's: no distribution is assumed.
fn sign_flip(differences: &[f64]) -> f64 {
    let observed: f64 = differences.iter().sum();
    // Sums that are equal on paper differ in their last bits.
    let least = observed.abs() - 1e-9 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let seeds = differences.len();
    if seeds <= EXACT {
        let sum = |signs: u32| -> f64 {
            let sign = |i: usize| if signs >> i & 1 == 1 { -1.0 } else { 1.0 };
            differences.iter().enumerate().map(|(i, d)| sign(i) * d).sum()
        };
        let all = 1u32 << seeds;
        return (0..all).filter(|&signs| sum(signs).abs() >= least).count() as f64 / f64::from(all);
    }
    let mut signs = vec![0.0; seeds];
    let key = Key { seed: 0, epoch: 0, example: 0, restart: 0 }.domain("sign flips");
    let drawn = (0..DRAWN as u64).filter(|&example| {
        fill_uniform(Key { example, ..key }, -1.0, 1.0, &mut signs);
        let sum: f64 = signs.iter().zip(differences).map(|(sign, d)| f64::from(sign.signum()) * d).sum();
        sum.abs() >= least
    });
    // The observed assignment is one of them: p is never 0, and the test keeps its level.
    (1 + drawn.count()) as f64 / (1 + DRAWN) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernels::fill_normal;

    fn p(differences: &[f64]) -> f64 {
        Paired::of(differences).unwrap().p_value.unwrap()
    }

    #[test]
    fn by_hand() {
        assert_eq!(Paired::of(&[]), None);
        let one = Paired::of(&[2.0]).unwrap();
        assert_eq!((one.difference.mean, one.interval(), one.p_value, one.smallest_p), (2.0, None, None, 1.0));
        // Mean 2, deviation 1, error 1 / sqrt(3), t(2) = 4.30265; only +++ and --- reach a sum of 6.
        let three = Paired::of(&[1.0, 2.0, 3.0]).unwrap();
        let (low, high) = three.interval().unwrap();
        assert!((low + 0.4841).abs() < 1e-4 && (high - 4.4841).abs() < 1e-4, "{low} {high}");
        assert_eq!((three.p_value, three.smallest_p, three.exact), (Some(0.25), 0.25, true));
        // Sums of ±1 ±2 ±3: 6, 4, 2, 0 and back, each once but 0, which is there twice; the observed one is 4.
        assert_eq!(p(&[-1.0, 2.0, 3.0]), 0.5);
        assert_eq!(p(&[1.0, 2.0, -3.0]), 1.0);
        assert_eq!(p(&[0.0; 4]), 1.0);
        assert_eq!(p(&[-0.1; 5]), 2.0 / 32.0);
        // A tenth has no exact form; the two sums of 0.3 are equal all the same.
        assert_eq!(p(&[0.1, 0.2, 0.3, 0.3]), p(&[1.0, 2.0, 3.0, 3.0]));
    }

    #[test]
    fn no_more_seeds_are_tried_one_by_one_than_a_computer_can() {
        let all = Paired::of(&[0.5; 16]).unwrap();
        assert_eq!((all.p_value, all.smallest_p, all.exact), (Some(1.0 / 32768.0), 1.0 / 32768.0, true));
        let some = Paired::of(&[0.5; 40]).unwrap();
        assert_eq!((some.p_value, some.smallest_p, some.exact), (Some(1.0 / 65536.0), 1.0 / 65536.0, false));
        // Nine of seventeen: 1 - C(17, 8) / 2^17 - C(17, 9) / 2^17 is the share of sums beyond ±1, which are all but two.
        let even: Vec<f64> = (0..17).map(|i| if i < 9 { 1.0 } else { -1.0 }).collect();
        assert_eq!(p(&even), 1.0);
        // Thirteen of seventeen: a sum of 9 or more has 2 * (1 + 17 + 136 + 680 + 2380) of 2^17 assignments.
        let odd: Vec<f64> = (0..17).map(|i| if i < 13 { 1.0 } else { -1.0 }).collect();
        assert!((p(&odd) - 6428.0 / 131_072.0).abs() < 0.004, "{}", p(&odd));
        assert_eq!(p(&odd), p(&odd), "the draws are seeded");
    }

    /// Whatever the sizes are, at most 5 % of the signs they can have are called significant.
    #[test]
    fn the_test_keeps_its_level_exactly() {
        let sizes = [0.3, 1.1, 1.7, 0.2, 2.9, 0.6, 1.3, 0.9];
        let significant = (0..256).filter(|signs| {
            let signed = |(i, size): (usize, &f64)| if signs >> i & 1 == 1 { -size } else { *size };
            p(&sizes.iter().enumerate().map(signed).collect::<Vec<_>>()) <= 0.05
        });
        // The twelve farthest of 256 are 4.7 %, and fourteen would be more than 5.
        assert_eq!(significant.count(), 12);
    }

    #[test]
    fn chance_is_called_a_difference_at_most_once_in_twenty() {
        const TRIALS: u64 = 4000;
        let key = Key { seed: 1, epoch: 0, example: 0, restart: 0 }.domain("no difference");
        // With 5 seeds the smallest p is 1/16; with 6, 7 and 8 the largest below 5 % are 2/64, 6/128 and 12/256.
        for (seeds, level) in [(5, 0.0), (6, 0.03125), (7, 0.046_875), (8, 0.046_875)] {
            let called = (0..TRIALS).filter(|&example| {
                let mut drawn = vec![0.0; seeds];
                fill_normal(Key { example, epoch: seeds as u64, ..key }, 2.0, &mut drawn);
                p(&drawn.iter().map(|&d| f64::from(d)).collect::<Vec<_>>()) <= 0.05
            });
            let rate = called.count() as f64 / TRIALS as f64;
            assert!(rate <= 0.05 && (rate - level).abs() < 0.01, "{seeds} seeds: {rate}, expected {level}");
        }
    }
}
