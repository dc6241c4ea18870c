//! Where features lie: spectra, planes and statistics, beside hand computations and scikit-learn.

use experiments::features::{
    Separation,
    eigen::eigen,
    normalized,
    pca::pca,
    tsne::{Embedding, Tsne},
};
use kernels::{Key, fill_normal};

fn near(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance
}

/// Points of three classes around different axes, without a random number; so that another program can make them too.
fn points(n: usize, width: usize, pull: f64) -> (Vec<Vec<f32>>, Vec<u32>) {
    let coordinate = |i: usize, j: usize| {
        let class = if j == i % 3 { pull } else { 0. };
        ((1. + 7.3 * i as f64 + 2.1 * (j * j) as f64).sin() + class) as f32
    };
    let points = (0..n).map(|i| (0..width).map(|j| coordinate(i, j)).collect()).collect();
    (points, (0..n).map(|i| (i % 3) as u32).collect())
}

#[test]
fn a_known_spectrum() {
    // Of [[2, 1], [1, 2]]: 3 along (1, 1), 1 along (1, -1).
    let two = eigen(&[vec![2., 1.], vec![1., 2.]]);
    assert!(near(two.values[0], 3., 1e-14) && near(two.values[1], 1., 1e-14), "{two:?}");
    let half = 0.5f64.sqrt();
    assert!(near(two.vectors[0][0], half, 1e-14) && near(two.vectors[0][1], half, 1e-14), "{two:?}");
    // Second differences, n = 12: 2 - 2 cos(k pi / 13).
    let n = 12;
    let entry = |i: usize, j: usize| if i == j { 2. } else { -f64::from(u8::from(i.abs_diff(j) == 1)) };
    let matrix: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect();
    let found = eigen(&matrix);
    for (k, value) in found.values.iter().enumerate() {
        let expected = 2. - 2. * (std::f64::consts::PI * (n - k) as f64 / 13.).cos();
        assert!(near(*value, expected, 1e-13), "{k}: {value} {expected}");
    }
    // Each vector is turned by its value only, and they are orthonormal.
    for (a, (value, vector)) in found.values.iter().zip(&found.vectors).enumerate() {
        for (row, x) in matrix.iter().zip(vector) {
            let turned: f64 = row.iter().zip(vector).map(|(m, v)| m * v).sum();
            assert!(near(turned, value * x, 1e-13));
        }
        for (b, other) in found.vectors.iter().enumerate() {
            let product: f64 = vector.iter().zip(other).map(|(x, y)| x * y).sum();
            assert!(near(product, f64::from(u8::from(a == b)), 1e-13));
        }
    }
}

#[test]
fn spectra_without_a_gap() {
    let all_one = eigen(&vec![vec![1.; 5]; 5]);
    assert!(near(all_one.values[0], 5., 1e-14), "{all_one:?}");
    assert!(all_one.values[1..].iter().all(|value| near(*value, 0., 1e-14)), "{all_one:?}");
    assert_eq!(eigen(&[]).values, [0f64; 0]);
    assert_eq!(eigen(&vec![vec![0.; 3]; 3]).values, [0.; 3]);
    let sizes = eigen(&[vec![1e-12, 1e-13], vec![1e-13, 1e12]]);
    assert_eq!(sizes.values, [1e12, 1e-12]);
}

/// Squared deviations 2 * 9 along (3, 4) / 5 and 2 * 1 along the axis orthogonal to it.
#[test]
fn the_plane_of_four_points_by_hand() {
    let points = [[3., 0.6, 0.8], [3., -0.6, -0.8], [3., 2.4, -1.8], [3., -2.4, 1.8]].map(Vec::from);
    let found = pca(&points, 2);
    let expected = [[0., 1.], [0., -1.], [3., 0.], [-3., 0.]];
    for (place, expected) in found.places.iter().zip(expected) {
        assert!(near(place[0], expected[0], 1e-6) && near(place[1], expected[1], 1e-6), "{found:?}");
    }
    assert!(near(found.shares.iter().sum(), 1., 1e-9), "{found:?}");
}

#[test]
fn what_the_plane_leaves_out_is_not_counted() {
    let along =
        |axis: usize, length: f32| -> Vec<f32> { (0..3).map(|i| if i == axis { length } else { 0. }).collect() };
    let points: Vec<Vec<f32>> =
        [(0, 3.), (1, 2.), (2, 1.)].iter().flat_map(|&(axis, l)| [along(axis, l), along(axis, -l)]).collect();
    let shares = pca(&points, 2).shares;
    assert!(near(shares[0], 9. / 14., 1e-12) && near(shares[1], 4. / 14., 1e-12), "{shares:?}");
}

#[test]
fn equal_points_are_one_place() {
    let found = pca(&vec![vec![1.5; 4]; 3], 2);
    assert_eq!((found.places, found.shares), (vec![vec![0.; 2]; 3], vec![0.; 2]));
    let embedded = Tsne { iterations: 20, ..Tsne::default() }.embed(&vec![vec![1.5; 4]; 3]).unwrap();
    assert_eq!(embedded.places, [[0.; 2]; 3]);
    assert_eq!(Tsne::default().embed(&[vec![1.]]).unwrap(), Embedding { places: vec![[0.; 2]], divergence: 0. });
}

/// scikit-learn 1.9: `PCA(3, svd_solver="full")`, signs turned as here.
#[test]
fn principal_components_are_those_of_scikit_learn() {
    let found = pca(&points(60, 5, 2.).0, 3);
    let shares = [0.547_151_984_6, 0.257_115_317_2, 0.126_528_566_4];
    for (share, expected) in found.shares.iter().zip(shares) {
        assert!(near(*share, expected, 1e-9), "{:?}", found.shares);
    }
    for (place, expected) in [
        (&found.places[0], [2.172_309_357, -0.026_321_211, 1.197_029_277]),
        (&found.places[59], [-2.033_226_906, -1.390_534_600, -0.678_360_853]),
    ] {
        for (x, expected) in place.iter().zip(expected) {
            assert!(near(*x, expected, 1e-7), "{place:?}");
        }
    }
}

/// scikit-learn 1.9: `silhouette_score`; distances by SciPy's `cdist`; the Fisher ratio from `empirical_covariance`.
#[test]
fn statistics_are_those_of_scikit_learn() {
    let (points, labels) = points(60, 5, 2.);
    let found = Separation::of(&points, &labels);
    let expected = [
        ("fisher-ratio", 1.089_038_175_5),
        ("silhouette", 0.374_601_009_4),
        ("intra-distance", 1.987_628_142_9),
        ("inter-distance", 3.507_728_488_6),
    ];
    for ((name, value), (same, expected)) in found.named().into_iter().zip(expected) {
        assert_eq!(name, same);
        assert!(near(value.unwrap(), expected, 1e-7), "{name}: {value:?}");
    }
}

/// Classes {0, 2} and {5, 9} on a line; the mean is 4, the means of classes 1 and 7.
#[test]
fn statistics_by_hand() {
    let features = [0., 2., 5., 9.].map(|x| vec![x]);
    let found = Separation::of(&features, &[3, 3, 8, 8]);
    // Between: 2 * 9 + 2 * 9; within: 1 + 1 + 4 + 4.
    assert_eq!(found.fisher_ratio, Some(3.6));
    assert_eq!(found.intra_distance, Some((2. + 4.) / 2.));
    assert_eq!(found.inter_distance, Some((5. + 9. + 3. + 7.) / 4.));
    // a and b: 2 and 7, 2 and 5, 4 and 4, 4 and 8.
    // The nearest others: 2, 0, 2 (of the other class) and 5.
    assert_eq!(found.neighbor_percent, Some(75.));
    let silhouette = (5. / 7. + 3. / 5. + 0. + 4. / 8.) / 4.;
    assert!(near(found.silhouette.unwrap(), silhouette, 1e-15));
    // The only point of its class counts as 0.
    let single = Separation::of(&features[..3], &[3, 3, 8]).silhouette.unwrap();
    assert!(near(single, (3. / 5. + 1. / 3. + 0.) / 3., 1e-15), "{single}");
}

#[test]
fn what_is_undefined_is_left_out() {
    let one_class = Separation::of(&[vec![0.], vec![2.]], &[1, 1]);
    assert_eq!((one_class.silhouette, one_class.inter_distance, one_class.fisher_ratio), (None, None, Some(0.)));
    let alone = Separation::of(&[vec![0.], vec![2.]], &[0, 1]);
    assert_eq!((alone.fisher_ratio, alone.intra_distance, alone.silhouette), (None, None, Some(0.)));
    assert_eq!(Separation::of(&[], &[]).named().map(|(_, value)| value), [None; 5]);
}

#[test]
fn features_become_unit_vectors() {
    let found = normalized(&[vec![3., 4.], vec![0., 0.]]);
    assert_eq!(found, [[0.6, 0.8], [0., 0.]]);
}

/// Points without a pattern but for their classes, which another program can make too.
fn irregular(n: usize, width: usize) -> Vec<Vec<f32>> {
    let coordinate = |i: usize, j: usize| {
        let drawn = 43758.5453 * (12.9898 * i as f64 + 78.233 * j as f64 + 1.).sin();
        (drawn - drawn.floor() + f64::from(u8::from(j == i % 3))) as f32
    };
    (0..n).map(|i| (0..width).map(|j| coordinate(i, j)).collect()).collect()
}

/// scikit-learn 1.9: its `_joint_probabilities` against equal ones, which places 1e-4 apart give.
#[test]
fn neighbourhoods_are_those_of_scikit_learn() {
    for (perplexity, expected) in [(10., 2.094_397), (20., 1.447_650)] {
        let begun = Tsne { perplexity, iterations: 0, ..Tsne::default() };
        let found = begun.embed(&irregular(90, 8)).unwrap().divergence;
        assert!(near(found, expected, 2e-5), "{perplexity}: {found} {expected}");
    }
}

/// scikit-learn 1.9: `TSNE(perplexity=P, init="pca", learning_rate="auto", method="exact")` ends with these; from
/// random starts it ends 3 % lower and 1 % higher: no two descents find quite the same minimum.
#[test]
fn t_sne_descends_as_far_as_scikit_learn() {
    for (perplexity, expected) in [(10., 0.449_182), (20., 0.326_615)] {
        let found = Tsne { perplexity, ..Tsne::default() }.embed(&irregular(90, 8)).unwrap().divergence;
        assert!(near(found, expected, 0.05 * expected), "{perplexity}: {found} {expected}");
    }
}

/// Five Gaussians far apart in 20 dimensions, from keyed draws.
fn gaussians(of_each: usize) -> (Vec<Vec<f32>>, Vec<u32>) {
    let point = |i: usize| {
        let mut drawn = vec![0.; 20];
        let key = Key { seed: 0, epoch: 0, example: i as u64, restart: 0 }.domain("gaussians");
        fill_normal(key, 1., &mut drawn);
        drawn[i % 5] += 12.;
        drawn
    };
    let n = 5 * of_each;
    ((0..n).map(point).collect(), (0..n).map(|i| (i % 5) as u32).collect())
}

#[test]
fn neighbours_stay_neighbours() {
    let (points, labels) = gaussians(30);
    let Embedding { places, .. } = Tsne { perplexity: 15., ..Tsne::default() }.embed(&points).unwrap();
    let apart = |i: usize, j: usize| (places[i][0] - places[j][0]).hypot(places[i][1] - places[j][1]);
    for i in 0..places.len() {
        let mut others: Vec<usize> = (0..places.len()).filter(|&j| j != i).collect();
        others.sort_by(|&a, &b| apart(i, a).total_cmp(&apart(i, b)));
        assert!(others[..29].iter().all(|&j| labels[j] == labels[i]), "point {i} lies among others");
    }
    let wide: Vec<Vec<f32>> = places.iter().map(|place| place.map(|x| x as f32).to_vec()).collect();
    assert!(Separation::of(&wide, &labels).silhouette.unwrap() > 0.6);
}

#[test]
fn threads_change_no_bit_of_t_sne() {
    let points = gaussians(10).0;
    let embed = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Tsne { perplexity: 8., iterations: 300, ..Tsne::default() }.embed(&points).unwrap())
    };
    let one = embed(1);
    assert_eq!(one, embed(4));
    assert!(one.places.iter().flatten().all(|x| x.is_finite()) && one.divergence > 0.);
}
