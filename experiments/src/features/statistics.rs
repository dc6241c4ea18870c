//! How far apart the features of different classes lie.

use std::collections::BTreeMap;

/// Statistics of labelled features. What is undefined for the labels at hand is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// `trace(B) / trace(W)`, with the scatter between classes `B = sum_k n_k (m_k - m)(m_k - m)'` and within them
    /// `W = sum_k sum_{i in k} (z_i - m_k)(z_i - m_k)'`, where `m_k` is the mean of the `n_k` features of class k and
    /// `m` that of all (Fisher 1936; the ratio of traces of Fukunaga 1990, *Statistical Pattern Recognition*, 10.2).
    /// Without scatter within classes there is none.
    pub fisher_ratio: Option<f64>,
    /// The mean of `(b_i - a_i) / max(a_i, b_i)` over points (Rousseeuw 1987), where `a_i` is the mean Euclidean
    /// distance to the other points of the class and `b_i` the smallest mean distance to those of another class; 0 for
    /// the only point of a class, and where both distances are 0. From -1 to 1. With one class there is none.
    pub silhouette: Option<f64>,
    /// The mean Euclidean distance over all pairs of points of the same class.
    pub intra_distance: Option<f64>,
    /// The mean Euclidean distance over all pairs of points of different classes.
    pub inter_distance: Option<f64>,
    /// The percentage of points whose nearest other point (of several, the first) is of their class: what the
    /// nearest-neighbour rule gets right when each point is left out in turn (Cover and Hart 1967).
    pub neighbor_percent: Option<f64>,
}

impl Separation {
    /// Of `features`, one row a point, whose classes are `labels`.
    pub fn of(features: &[Vec<f32>], labels: &[u32]) -> Self {
        let mut sizes = BTreeMap::<u32, usize>::new();
        labels.iter().for_each(|label| *sizes.entry(*label).or_default() += 1);
        let (mut intra, mut inter) = (Mean::default(), Mean::default());
        let (mut silhouettes, mut neighbors) = (Mean::default(), Mean::default());
        for (i, (point, label)) in features.iter().zip(labels).enumerate() {
            // The point itself adds nothing to the sum of its class.
            let mut sums: BTreeMap<u32, f64> = sizes.keys().map(|class| (*class, 0.)).collect();
            let mut neighbor = None;
            for (j, (other, class)) in features.iter().zip(labels).enumerate() {
                let far = distance(point, other);
                *sums.get_mut(class).expect("every label has a sum") += far;
                if j != i && neighbor.is_none_or(|(nearest, _)| far < nearest) {
                    neighbor = Some((far, class));
                }
            }
            neighbor.iter().for_each(|(_, class)| neighbors.add(100. * f64::from(u8::from(*class == label)), 1));
            let alike = sizes[label] - 1;
            intra.add(sums[label], alike);
            let others = || sums.iter().filter(|(class, _)| *class != label);
            others().for_each(|(class, sum)| inter.add(*sum, sizes[class]));
            let nearest = others().map(|(class, sum)| sum / sizes[class] as f64).reduce(f64::min);
            if let Some(b) = nearest {
                let a = sums[label] / alike.max(1) as f64;
                let known = alike > 0 && a.max(b) > 0.;
                silhouettes.add(if known { (b - a) / a.max(b) } else { 0. }, 1);
            }
        }
        Self {
            fisher_ratio: fisher_ratio(features, labels, &sizes),
            silhouette: silhouettes.value(),
            intra_distance: intra.value(),
            inter_distance: inter.value(),
            neighbor_percent: neighbors.value(),
        }
    }

    /// Each by the name that CSV files use.
    pub fn named(self) -> [(&'static str, Option<f64>); 5] {
        [
            ("fisher-ratio", self.fisher_ratio),
            ("silhouette", self.silhouette),
            ("intra-distance", self.intra_distance),
            ("inter-distance", self.inter_distance),
            ("neighbor-percent", self.neighbor_percent),
        ]
    }
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, sum: f64, count: usize) {
        self.sum += sum;
        self.count += count;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

fn fisher_ratio(features: &[Vec<f32>], labels: &[u32], sizes: &BTreeMap<u32, usize>) -> Option<f64> {
    let width = features.first()?.len();
    let mut means: BTreeMap<u32, Vec<f64>> = sizes.keys().map(|class| (*class, vec![0.; width])).collect();
    let mut middle = vec![0.; width];
    for (point, label) in features.iter().zip(labels) {
        let mean = means.get_mut(label).expect("every label has a mean");
        for ((mean, middle), x) in mean.iter_mut().zip(&mut middle).zip(point) {
            *mean += f64::from(*x) / sizes[label] as f64;
            *middle += f64::from(*x) / features.len() as f64;
        }
    }
    let apart = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
    let between: f64 = means.iter().map(|(class, mean)| sizes[class] as f64 * apart(mean, &middle)).sum();
    let wide = |point: &Vec<f32>| point.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
    let within: f64 = features.iter().zip(labels).map(|(point, label)| apart(&wide(point), &means[label])).sum();
    (within > 0.).then(|| between / within)
}

pub(crate) fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

/// `features` divided by their Euclidean norms (but by no less than `1e-12`), as I2FR does.
pub fn normalized(features: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let unit = |point: &Vec<f32>| {
        let norm = point.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-12);
        point.iter().map(|x| (f64::from(*x) / norm) as f32).collect()
    };
    features.iter().map(unit).collect()
}
