//! The layers of the networks in this workspace: time per pass, and elements per second where an
//! element is one floating-point operation of the direct convolution (Winograd does fewer).
//!
//! `cargo bench -p kernels --bench layers -- 64c` runs those whose name contains `64c`.

use candle::{DType, Device, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kernels::{Conv2d, ConvPasses, Flow, Fused, Packing, Statistics, Stepwise, batch_norm, isa};
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
    ("resnet18/stem", 64, 32, 3, 64, 3, 1),
    ("resnet18/64c", 64, 32, 64, 64, 3, 1),
    ("resnet18/64-128c", 64, 32, 64, 128, 3, 2),
    ("resnet18/64-128c_1x1", 64, 32, 64, 128, 1, 2),
    ("resnet18/128c", 64, 16, 128, 128, 3, 1),
    ("resnet18/128-256c", 64, 16, 128, 256, 3, 2),
    ("resnet18/256c", 64, 8, 256, 256, 3, 1),
    ("resnet18/256-512c", 64, 8, 256, 512, 3, 2),
    ("resnet18/512c", 64, 4, 512, 512, 3, 1),
    ("wrn28_10/16-160c", 16, 32, 16, 160, 3, 1),
    ("wrn28_10/160c", 16, 32, 160, 160, 3, 1),
    ("wrn28_10/160-320c", 16, 32, 160, 320, 3, 2),
    ("wrn28_10/320c", 16, 16, 320, 320, 3, 1),
    ("wrn28_10/320-640c", 16, 16, 320, 640, 3, 2),
    ("wrn28_10/640c", 16, 8, 640, 640, 3, 1),
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
        group.throughput(Throughput::Elements((2 * dy.len() * i * k * k) as u64));
        group.bench_function("forward", |b| b.iter(|| layer.forward(black_box(&x), &w, &mut y)));
        group.bench_function("input_grad", |b| b.iter(|| layer.input_grad(black_box(&dy), &w, &mut dx)));
        group.bench_function("weight_grad", |b| b.iter(|| layer.weight_grad(black_box(&x), &dy, &mut dw)));
        group.bench_function("pack", |b| b.iter(|| layer.pack(black_box(&w))));
        group.finish();
    }
}

/// Batch norm and rectifier as an operator of their own, forward and backward: what it costs not to fuse.
fn normalisation(c: &mut Criterion) {
    for (name, n, size, ch) in [("bn/16c", 128, 32, 16), ("bn/64c", 64, 32, 64), ("bn/512c", 64, 4, 512)] {
        let cpu = Device::Cpu;
        let x = Var::randn(0f32, 1f32, (n, size, size, ch), &cpu).unwrap();
        let gamma = Tensor::ones(ch, DType::F32, &cpu).unwrap();
        let beta = gamma.zeros_like().unwrap();
        let bn = || batch_norm(&x, &gamma, &beta, 1e-5, Statistics::Batch, true).unwrap().0;
        let mut group = c.benchmark_group(name);
        group.bench_function("forward", |b| b.iter(bn));
        // Includes candle's own sum, fill and addition of gradients.
        group.bench_function("forward+backward", |b| b.iter(|| bn().sum_all().unwrap().backward().unwrap()));
        group.finish();
    }
}

/// Some layers of one width: convolution, batch norm, rectifier.
fn chain<F: Flow>(flow: F, mut x: F::Value, convs: &[(Tensor, Packing)], gamma: &Tensor, beta: &Tensor) -> Tensor {
    for (weight, packing) in convs {
        let geometry = Conv2d { stride: 1, padding: 1 };
        let y = flow.conv(&x, weight, geometry, packing, None).unwrap();
        x = flow.batch_norm(&y, gamma, beta, 1e-5, Statistics::Batch, true).unwrap().0;
    }
    flow.features(&x).unwrap()
}

/// What fusion is worth: an attack's pass over eight layers, fused and operator by operator.
fn flows(c: &mut Criterion) {
    for (name, n, size, ch) in [("flow/16c", 128, 32, 16), ("flow/64c", 64, 32, 64), ("flow/256c", 64, 8, 256)] {
        let cpu = Device::Cpu;
        let images = Var::rand(0f32, 1f32, (n, ch, size, size), &cpu).unwrap();
        let convs: Vec<_> =
            (0..8).map(|_| (Tensor::randn(0f32, 0.05f32, (ch, ch, 3, 3), &cpu).unwrap(), Packing::default())).collect();
        let gamma = Tensor::ones(ch, DType::F32, &cpu).unwrap();
        let beta = gamma.zeros_like().unwrap();
        let (mean, std) = (vec![0.0; ch], vec![1.0; ch]);
        let mut group = c.benchmark_group(name);
        group.bench_function("fused", |b| {
            b.iter(|| {
                let (flow, x) = Fused::enter(&images, &mean, &std, true).unwrap();
                chain(flow, x, &convs, &gamma, &beta).sum_all().unwrap().backward().unwrap()
            })
        });
        group.bench_function("stepwise", |b| {
            b.iter(|| {
                let (flow, x) = Stepwise::enter(&images, &mean, &std).unwrap();
                chain(flow, x, &convs, &gamma, &beta).sum_all().unwrap().backward().unwrap()
            })
        });
        group.finish();
    }
}

criterion_group! {
    name = layers;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_millis(1000));
    targets = convolutions, normalisation, flows
}
criterion_main!(layers);
