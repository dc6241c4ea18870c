//! Milliseconds per pass of the layers of the networks in this workspace.
//!
//! `cargo bench -p kernels -- 64c` runs those whose name contains `64c`.

use criterion::{Criterion, criterion_group, criterion_main};
use kernels::{Conv2d, ConvPasses, Statistics, batch_norm, isa};
use std::hint::black_box;
use std::time::Duration;

/// Name, batch, size, input channels, output channels, kernel, stride.
const LAYERS: &[(&str, usize, usize, usize, usize, usize, usize)] = &[
    ("resnet20/stem", 128, 32, 3, 16, 3, 1),
    ("resnet20/16c", 128, 32, 16, 16, 3, 1),
    ("resnet20/16-32c", 128, 32, 16, 32, 3, 2),
    ("resnet20/32c", 128, 16, 32, 32, 3, 1),
    ("resnet20/32-64c", 128, 16, 32, 64, 3, 2),
    ("resnet20/64c", 128, 8, 64, 64, 3, 1),
    ("preact18/stem", 64, 32, 3, 64, 3, 1),
    ("preact18/64c", 64, 32, 64, 64, 3, 1),
    ("preact18/64-128c", 64, 32, 64, 128, 3, 2),
    ("preact18/64-128c_1x1", 64, 32, 64, 128, 1, 2),
    ("preact18/128c", 64, 16, 128, 128, 3, 1),
    ("preact18/128-256c", 64, 16, 128, 256, 3, 2),
    ("preact18/256c", 64, 8, 256, 256, 3, 1),
    ("preact18/256-512c", 64, 8, 256, 512, 3, 2),
    ("preact18/512c", 64, 4, 512, 512, 3, 1),
    ("tiny/stem", 128, 16, 3, 16, 3, 1),
    ("tiny/16-32c", 128, 16, 16, 32, 3, 2),
    ("mnist/4x4", 128, 28, 1, 16, 4, 2),
    ("mnist/16-32c_4x4", 128, 14, 16, 32, 4, 2),
    ("mnist/5x5", 128, 28, 1, 32, 5, 1),
];

fn wave(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 1009) as f32 / 504.5 - 1.0).collect()
}

fn convolutions(c: &mut Criterion) {
    for &(name, n, size, i, o, k, stride) in LAYERS {
        let geometry = Conv2d { stride, padding: (k - 1) / 2 };
        let direct = std::env::var("I2FR_CONV").as_deref() == Ok("direct");
        let (xd, wd) = ([n, size, size, i], [o, i, k, k]);
        let layer = ConvPasses::new(isa(), direct, xd, wd, geometry).unwrap();
        let (x, w) = (wave(xd.iter().product()), wave(wd.iter().product()));
        let dy = wave(layer.output().iter().product());
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        let mut group = c.benchmark_group(name);
        group.bench_function("forward", |b| b.iter(|| layer.forward(black_box(&x), &w, &mut y)));
        group.bench_function("input_grad", |b| b.iter(|| layer.input_grad(black_box(&dy), &w, &mut dx)));
        group.bench_function("weight_grad", |b| b.iter(|| layer.weight_grad(black_box(&x), &dy, &mut dw)));
        group.bench_function("pack", |b| b.iter(|| layer.pack(black_box(&w))));
        group.finish();
    }
}

fn normalisation(c: &mut Criterion) {
    for (name, n, size, ch) in
        [("bn/16c", 128, 32, 16), ("bn/64c", 64, 32, 64), ("bn/512c", 64, 4, 512), ("bn/tiny", 128, 8, 8)]
    {
        let cpu = candle::Device::Cpu;
        let x = candle::Var::randn(0f32, 1f32, (n, size, size, ch), &cpu).unwrap();
        let gamma = candle::Tensor::ones(ch, candle::DType::F32, &cpu).unwrap();
        let beta = gamma.zeros_like().unwrap();
        let bn = || batch_norm(&x, &gamma, &beta, 1e-5, Statistics::Batch, true).unwrap().0;
        let mut group = c.benchmark_group(name);
        group.bench_function("forward", |b| b.iter(bn));
        // Includes candle's own sum, fill and addition of gradients.
        group.bench_function("forward+backward", |b| b.iter(|| bn().sum_all().unwrap().backward().unwrap()));
        group.finish();
    }
}

criterion_group! {
    name = layers;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(1000));
    targets = convolutions, normalisation
}
criterion_main!(layers);
