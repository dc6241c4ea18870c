//! Times one PGD adversarial-training step on random images: K attack steps on the frozen network,
//! then one step of SGD. Prints a single JSON object.
//!
//! ```text
//! cargo run --release --bin throughput -- --arch resnet18 --batch 64 --attack-steps 10 --threads 2
//! ```

use anyhow::Result;
use attacks::{Ball, Keys, Norm, Pgd};
use candle::Tensor;
use clap::{Parser, value_parser};
use experiments::{
    cli::{DeviceArgs, at_least_one},
    interrupt::{self, Interrupted},
    print_line,
    provenance::peak_rss_bytes,
};
use frameworks::{Optimizer, OptimizerConfig};
use models::{Arch, Net};
use serde::Serialize;
use std::{process::ExitCode, time::Instant};

/// Times one PGD adversarial-training step on random images, of CIFAR's shape or of MNIST's.
#[derive(Parser, Debug)]
struct Args {
    /// Architecture
    #[arg(long, default_value = "resnet18")]
    arch: Arch,
    /// Images per step
    #[arg(long, default_value = "64", value_parser = at_least_one)]
    batch: usize,
    /// Gradient steps of the attack
    #[arg(long, default_value = "10", value_parser = at_least_one)]
    attack_steps: usize,
    /// Timed steps
    #[arg(long, default_value = "3", value_parser = at_least_one)]
    iters: usize,
    /// Steps before the clock starts
    #[arg(long, default_value = "1")]
    warmup: u32,
    /// Threads; 0: one per core
    #[arg(long, default_value = "0", value_parser = value_parser!(u16).range(..=1024))]
    threads: u16,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Serialize)]
struct Report {
    framework: &'static str,
    arch: String,
    batch: usize,
    attack_steps: usize,
    device: &'static str,
    precision: String,
    isa: String,
    threads: usize,
    step_seconds: Vec<f64>,
    images_per_second: f64,
    peak_rss_bytes: u64,
    parameters: usize,
}

fn main() -> ExitCode {
    experiments::main(|_: &Args| None, time)
}

fn time(args: &Args) -> Result<()> {
    rayon::ThreadPoolBuilder::new().num_threads(args.threads.into()).build()?.install(|| steps(args))
}

fn steps(args: &Args) -> Result<()> {
    let device = args.device.open()?;
    // The shape the network was published for, and the radius used there.
    let (image, eps) = match args.arch {
        Arch::MnistCnn | Arch::LeNet5 => ([1, 28, 28], 0.3),
        _ => ([3, 32, 32], 8. / 255.),
    };
    let mut net = Net::new(args.arch, image, 10, 0, &device)?;
    let optimizer = Optimizer::new(&net, OptimizerConfig::default())?;
    let game = frameworks::pgd_at(Pgd::new(Ball { norm: Norm::Linf, eps }, args.attack_steps));
    let examples: Vec<u64> = (0..args.batch as u64).collect();
    let keys = Keys { seed: 0, epoch: 1, examples: &examples };
    let [c, h, w] = image;
    let shape = (args.batch, c, h, w).into();
    let images = keys.draw("throughput", 0, &shape, &device, |key, out| kernels::fill_uniform(key, 0., 1., out))?;
    let labels = Tensor::from_vec(examples.iter().map(|i| (i % 10) as u32).collect(), args.batch, &device)?;

    let mut seconds = Vec::new();
    let warmup = args.warmup as usize;
    for i in 0..warmup + args.iters {
        if interrupt::check().is_break() {
            return Err(Interrupted.into());
        }
        let began = Instant::now();
        let passed = game.gradients(&mut net, &images, &labels, &keys);
        let (_, grads) = passed.map_err(|e| kernels::out_of_memory(e, args.batch))?;
        optimizer.step(&mut net, &grads, 0.1, i + 1)?;
        // A GPU works behind the program's back.
        device.synchronize()?;
        if i >= warmup {
            seconds.push(began.elapsed().as_secs_f64());
        }
    }
    let mut sorted = seconds.clone();
    sorted.sort_by(f64::total_cmp);
    let report = Report {
        framework: "i2fr",
        arch: args.arch.to_string(),
        batch: args.batch,
        attack_steps: args.attack_steps,
        device: args.device.kind(),
        precision: args.device.precision.to_string(),
        isa: format!("{:?}", kernels::isa()),
        threads: rayon::current_num_threads(),
        images_per_second: args.batch as f64 / sorted[sorted.len() / 2],
        step_seconds: seconds,
        peak_rss_bytes: peak_rss_bytes(),
        parameters: net.parameters().trainable().map(|(_, var)| var.elem_count()).sum(),
    };
    print_line(serde_json::to_string(&report)?)?;
    Ok(())
}
