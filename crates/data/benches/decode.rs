//! How fast data sets become bytes in memory, what that takes, and how fast bytes become a batch, on the copies in
//! `I2FR_DATA`:
//!
//! ```sh
//! I2FR_DATA=DIR cargo bench -p data --bench decode
//! ```
//!
//! Prints first what one load of CIFAR-10 in the Hub's layout took at most (Linux), then the times.

use std::path::PathBuf;

use candle::Device;
use criterion::{Criterion, SamplingMode, Throughput};
use data::{Augment, Name, Splits, load};

const SETS: [(Name, &str); 3] = [(Name::Cifar10, "cifar10"), (Name::Cifar10, "cifar10-small"), (Name::Mnist, "mnist")];

fn main() {
    let root = PathBuf::from(std::env::var_os("I2FR_DATA").expect("I2FR_DATA names the folder of the data sets"));
    let read = |name, folder: &str| load(name, Some(&root.join(folder)), 0).expect("the data set is sound");
    let images = |Splits { train, test }: Splits| (train.len() + test.len(), train.shape().iter().product::<usize>());
    let (count, size) = images(read(Name::Cifar10, "cifar10"));
    println!("cifar10: {} MB decoded, {} at most in memory", count * size / 1_000_000, peak());

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for (name, folder) in SETS {
        group.throughput(Throughput::Elements(images(read(name, folder)).0 as u64));
        group.bench_function(folder, |bencher| bencher.iter(|| read(name, folder)));
    }
    group.finish();

    let train = read(Name::Cifar10, "cifar10-small").train;
    let positions: Vec<usize> = (0..128).collect();
    criterion.bench_function("batch of 128, cropped and flipped", |bencher| {
        bencher.iter(|| train.augmented(&positions, Augment::CIFAR, 0, 1, &Device::Cpu).expect("a batch"));
    });
    criterion.final_summary();
}

/// The most memory that this process ever held, as Linux tells it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".into(), |value| value.trim().to_owned())
}
