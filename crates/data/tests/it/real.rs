//! Facts about the real data sets, checked where `I2FR_DATA` names a folder with copies.

use std::collections::HashMap;
use std::path::PathBuf;

use data::{Dataset, Name, Splits, load};

/// The folder `name` below `I2FR_DATA`, or nothing if that is unset (in CI it must be set).
fn folder(name: &str) -> Option<PathBuf> {
    match std::env::var_os("I2FR_DATA") {
        Some(dir) => Some(PathBuf::from(dir).join(name)),
        None if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("CI must set I2FR_DATA"),
        None => None,
    }
}

#[track_caller]
fn counts(set: &Dataset, expected: usize) {
    assert_eq!(set.len(), expected * set.classes());
    for class in 0..set.classes() as u32 {
        assert_eq!(set.labels().iter().filter(|&&label| label == class).count(), expected, "class {class}");
    }
}

fn means(set: &Dataset) -> Vec<f64> {
    let [channels, height, width] = set.shape();
    let mut sums = vec![0u64; channels];
    for i in 0..set.len() {
        for (sum, plane) in sums.iter_mut().zip(set.pixels(i).chunks_exact(height * width)) {
            *sum += plane.iter().map(|&p| u64::from(p)).sum::<u64>();
        }
    }
    sums.iter().map(|&sum| sum as f64 / (set.len() * height * width) as f64 / 255.0).collect()
}

#[test]
fn cifar10_has_the_published_counts_and_means() {
    let Some(dir) = folder("cifar10") else { return };
    let Splits { train, test } = load(Name::Cifar10, Some(&dir), 0).unwrap();
    counts(&train, 5_000);
    counts(&test, 1_000);
    for (set, expected) in [(&train, [0.49140, 0.48216, 0.44653]), (&test, [0.49422, 0.48513, 0.45041])] {
        for (found, expected) in means(set).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} against {expected}");
        }
    }
}

#[test]
fn cifar10_packs_into_the_known_batches() {
    let Some(dir) = folder("cifar10") else { return };
    let Splits { train, test } = load(Name::Cifar10, Some(&dir), 0).unwrap();
    let batches = [
        "0def081c410489f98b3935c2d405fc7436d23377894a5d6a710ce1fad8082588",
        "4d0a9f6a8434c9b3b3de28d817dc3d360a3f82d86a14f3c7bf6d2d8fc64188e2",
        "1a4d0920ea06101641902b09fdac800cad7b5105963deee31ddff8e83fbabe6c",
        "20de2186179cc65bcf69a83ca83e90a40786cf2384963ee3419764ef9d41b7ff",
        "ce4b8267c2f77f8915b4299443568f52defe265996f0a8b7966b63b7adf6d4d2",
    ];
    for (i, expected) in batches.into_iter().enumerate() {
        let batch: Vec<usize> = (i * 10_000..(i + 1) * 10_000).collect();
        assert_eq!(train.select(&batch).sha256(), expected, "data_batch_{}", i + 1);
    }
    assert_eq!(test.sha256(), "123ca0dad8f960344d9149742165d4215093c84c8c4bdc5922af93b614bdb501");
}

#[test]
fn binary_and_parquet_agree_pixel_for_pixel() {
    let (Some(small), Some(whole)) = (folder("cifar10-small"), folder("cifar10")) else {
        return;
    };
    let small = load(Name::Cifar10, Some(&small), 0).unwrap();
    let whole = load(Name::Cifar10, Some(&whole), 0).unwrap();
    for (small, whole, each) in [(small.train, whole.train, 200), (small.test, whole.test, 100)] {
        counts(&small, each);
        let known: HashMap<&[u8], u32> = (0..whole.len()).map(|i| (whole.pixels(i), whole.label(i))).collect();
        for i in 0..small.len() {
            assert_eq!(known.get(small.pixels(i)), Some(&small.label(i)), "example {i}");
        }
    }
}

#[test]
fn mnist_has_the_published_counts() {
    let Some(dir) = folder("mnist") else { return };
    let Splits { train, test } = load(Name::Mnist, Some(&dir), 0).unwrap();
    let counts = |set: &Dataset| {
        let mut counts = [0; 10];
        set.labels().iter().for_each(|&label| counts[label as usize] += 1);
        counts
    };
    assert_eq!(counts(&train), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    assert_eq!(counts(&test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    assert!((means(&train)[0] - 0.1307).abs() < 1e-4);
    assert!((means(&test)[0] - 0.1325).abs() < 1e-4);
}
