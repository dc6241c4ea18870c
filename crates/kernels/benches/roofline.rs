//! What this machine can do at most: multiplications and additions in registers (an element is one
//! floating-point operation), and bytes copied through memory, with all of rayon's threads and with one.
//!
//! `cargo bench -p kernels --bench roofline`

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kernels::register_arithmetic;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Duration;

/// Rounds of each task.
const ROUNDS: usize = 1 << 20;

/// One thread, and all of them if there are more.
fn threads() -> Vec<usize> {
    let all = rayon::current_num_threads();
    if all == 1 { vec![1] } else { vec![1, all] }
}

fn arithmetic(c: &mut Criterion) {
    let mut group = c.benchmark_group("roofline/arithmetic");
    for threads in threads() {
        let operations = threads * ROUNDS * kernels::register_arithmetic(1);
        group.throughput(Throughput::Elements(operations as u64));
        group.bench_function(format!("threads {threads}"), |b| {
            b.iter(|| (0..threads).into_par_iter().map(|_| register_arithmetic(black_box(ROUNDS))).sum::<usize>())
        });
    }
    group.finish();
}

fn memory(c: &mut Criterion) {
    let from = vec![1.0f32; 1 << 26];
    let mut to = vec![0.0f32; 1 << 26];
    let mut group = c.benchmark_group("roofline/memory");
    // Read and written.
    group.throughput(Throughput::Bytes(8 << 26));
    for threads in threads() {
        let piece = from.len() / threads;
        group.bench_function(format!("copy, threads {threads}"), |b| {
            b.iter(|| {
                to.par_chunks_mut(piece).zip(from.par_chunks(piece)).for_each(|(to, from)| to.copy_from_slice(from));
                black_box(&to);
            })
        });
    }
    group.finish();
}

criterion_group! {
    name = roofline;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    targets = arithmetic, memory
}
criterion_main!(roofline);
