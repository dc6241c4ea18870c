//! Intervals: over seeds (Student) and over the images of one test set (Wilson).

/// The two-sided 95 % point of the normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// The two-sided 95 % points of Student's distribution with 1, 2, ... degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706_2, 4.302_65, 3.182_45, 2.776_45, 2.570_58, 2.446_91, 2.364_62, 2.306_00, 2.262_16, 2.228_14, 2.200_99,
    2.178_81, 2.160_37, 2.144_79, 2.131_45, 2.119_91, 2.109_82, 2.100_92, 2.093_02, 2.085_96, 2.079_61, 2.073_87,
    2.068_66, 2.063_90, 2.059_54, 2.055_53, 2.051_83, 2.048_41, 2.045_23, 2.042_27,
];

/// What a cell says over its seeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The mean over seeds, in per cent.
    pub mean: f64,
    /// The standard deviation over seeds; with one seed there is none.
    pub deviation: Option<f64>,
    /// Half the width of the 95 % interval of the mean; with one seed there is none.
    pub half_width: Option<f64>,
    /// The number of seeds.
    pub seeds: usize,
}

impl Summary {
    /// Summarises one value per seed; `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let seeds = values.len();
        if seeds == 0 {
            return None;
        }
        let count = seeds as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (seeds > 1).then(|| (squares / (count - 1.0)).sqrt());
        let half_width = deviation.map(|deviation| student(seeds - 1) * deviation / count.sqrt());
        Some(Self { mean, deviation, half_width, seeds })
    }
}

fn student(freedom: usize) -> f64 {
    STUDENT.get(freedom - 1).copied().unwrap_or_else(|| {
        // The first terms of the expansion around the normal point: exact to four digits from here.
        let (z, n) = (NORMAL, freedom as f64);
        z + (z.powi(3) + z) / (4.0 * n) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n)
    })
}

/// Wilson's 95 % interval, in per cent, for an accuracy of `percent` on `examples` images.
///
/// It stays inside of 0 to 100 and is not empty at the ends, unlike the textbook interval.
pub fn wilson(percent: f64, examples: usize) -> (f64, f64) {
    if examples == 0 {
        return (0.0, 100.0);
    }
    let (p, n) = (percent / 100.0, examples as f64);
    let weight = 1.0 + NORMAL * NORMAL / n;
    let center = (p + NORMAL * NORMAL / (2.0 * n)) / weight;
    let spread = (p * (1.0 - p) / n + NORMAL * NORMAL / (4.0 * n * n)).sqrt();
    let half = NORMAL / weight * spread;
    ((100.0 * (center - half)).max(0.0), (100.0 * (center + half)).min(100.0))
}

impl Summary {
    /// `0.513 ± 0.020`, with so many digits; without an interval, the mean alone.
    pub(crate) fn text(&self, digits: usize) -> String {
        match self.half_width {
            Some(half) => format!("{:.digits$} ± {half:.digits$}", self.mean),
            None => format!("{:.digits$}", self.mean),
        }
    }
}

/// The p-value of the exact two-sided McNemar test: how often, of images on which two equally good classifiers disagree,
/// the one or the other is right as unevenly as `a` times to `b` times (McNemar 1947; a binomial test at one half).
pub fn mcnemar(a: usize, b: usize) -> f64 {
    let all = a + b;
    // ln C(all, k) - all ln 2, from one k to the next: powers of a half would vanish.
    let mut log = -(all as f64) * std::f64::consts::LN_2;
    let mut tail = log.exp();
    for k in 1..=a.min(b) {
        log += ((all - k + 1) as f64 / k as f64).ln();
        tail += log.exp();
    }
    (2. * tail).min(1.)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-3
    }

    #[test]
    fn student_interval_by_hand() {
        assert_eq!(Summary::of(&[]), None);
        let one = Summary::of(&[48.0]).unwrap();
        assert_eq!((one.mean, one.deviation, one.half_width, one.seeds), (48.0, None, None, 1));
        // Standard deviation sqrt(1/2), error 1/2, t(1) = 12.7062.
        let two = Summary::of(&[48.0, 49.0]).unwrap();
        assert!(close(two.mean, 48.5) && close(two.half_width.unwrap(), 6.3531));
        assert!(close(two.deviation.unwrap(), 0.5f64.sqrt()));
        // Deviations -1, 0, 1: error 1 / sqrt(3), t(2) = 4.30265.
        let three = Summary::of(&[1.0, 2.0, 3.0]).unwrap();
        assert!(close(three.mean, 2.0) && close(three.half_width.unwrap(), 2.4841));
        assert_eq!(three.deviation, Some(1.0));
        // 50 values, half of them 0 and half 1: deviation sqrt(12.5 / 49), t(49) = 2.00958.
        let many: Vec<f64> = (0..50).map(|i| f64::from(i % 2)).collect();
        let expected = 2.00958 * (12.5f64 / 49.0 / 50.0).sqrt();
        assert!((Summary::of(&many).unwrap().half_width.unwrap() - expected).abs() < 1e-5);
    }

    #[test]
    fn wilson_interval_by_hand() {
        let (low, high) = wilson(50.0, 1000);
        assert!(close(low, 46.9070) && close(high, 53.0930), "{low} {high}");
        let (low, high) = wilson(0.0, 100);
        assert!(close(low, 0.0) && close(high, 3.6993), "{low} {high}");
        let (low, high) = wilson(100.0, 100);
        assert!(close(low, 96.3007) && close(high, 100.0));
        assert_eq!(wilson(50.0, 0), (0.0, 100.0));
    }

    #[test]
    fn mcnemar_by_hand() {
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(7, 7), 1.0);
        // 2 (1 + 10 + 45) / 2^10, whichever is which.
        assert!((mcnemar(2, 8) - 112.0 / 1024.0).abs() < 1e-12 && mcnemar(8, 2) == mcnemar(2, 8));
        // 2^-4999 is no number, but 4,900 of 10,000 is 2 deviations: with the correction for continuity z = 1.99.
        assert!((mcnemar(4900, 5100) - 0.0466).abs() < 2e-4, "{}", mcnemar(4900, 5100));
    }
}
