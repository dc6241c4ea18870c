//! What is fused into a convolution is what separate passes do.

use super::{Conv2d, Convolution, Packing};
use crate::isa::Isa;
use crate::memory::unfilled;
use crate::rows::{self, Finish, Normed, Source, Sums};
use candle::Result;

/// Numbers between -1 and 1 without a pattern.
fn wave(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i + seed) * 7919 % 2003) as f32 / 1001.5 - 1.0).collect()
}

/// Runs `pass` on `source` and with everything in its finish, and the same step by step.
fn compare(
    what: &str,
    isa: Isa,
    source: &Source<'_>,
    (c_in, c_out, len): (usize, usize, usize),
    pass: impl Fn(&Source<'_>, &mut [f32], &Finish<'_>),
) {
    let (add, mask, other, mean) = (wave(len, 1), wave(len, 2), wave(len, 3), wave(c_out, 4));
    let finish = || Finish {
        add: Some(Source::Plain(&add)),
        keep_where: Some(Source::Plain(&mask)),
        sums: Some(Sums::against(&other, &mean)),
        relu: false,
    };
    let fused = finish();
    let mut got = unfilled(len);
    pass(source, &mut got, &fused);

    let plain = finish();
    let mut values = unfilled(source.len());
    rows::fill(isa, source, c_in, &mut values, &Finish::default());
    let mut want = unfilled(len);
    pass(&Source::Plain(&values), &mut want, &Finish::default());
    rows::finish(isa, c_out, &mut want, &plain);
    assert_eq!(got, want, "{what}");
    let sums = [fused, plain].map(|f| f.sums.map(Sums::products).expect("sums"));
    let largest = sums[1].iter().flatten().fold(0f32, |m, v| m.max(v.abs()));
    for (a, b) in sums[0].iter().flatten().zip(sums[1].iter().flatten()) {
        assert!((a - b).abs() <= 1e-5 * largest, "{what}: sums {a} and {b}, up to {largest}");
    }
}

/// Both passes of a convolution with everything fused, of `n` images.
fn check(isa: Isa, geometry: Conv2d, k: usize, [n, h, w, i]: [usize; 4], o: usize) -> Result<()> {
    let what = format!("{isa:?} k {k} {geometry:?}, {i} to {o} at {h} x {w}");
    let x = [n, h, w, i];
    let conv = Convolution::new(isa, &x, &[o, i, k, k], geometry, &Packing::default())?;
    let weight = wave(o * i * k * k, 5);
    let (inputs, outputs): (usize, usize) = (x.iter().product(), conv.output().iter().product());
    let (values, scale, shift) = (wave(inputs, 6), wave(i, 7), wave(i, 8));
    let source = Source::Normed(Normed { x: &values, scale: &scale, shift: &shift, relu: true });
    compare(&format!("{what}, forward"), isa, &source, (i, o, outputs), |x, y, finish| {
        conv.forward(x, &weight, y, finish)
    });
    let (g, y, k0, k1, k2) = (wave(outputs, 9), wave(outputs, 10), wave(o, 11), wave(o, 12), wave(o, 13));
    let source = Source::Gradient { g: &g, x: &y, k: [&k0, &k1, &k2] };
    compare(&format!("{what}, input gradient"), isa, &source, (o, i, inputs), |dy, dx, finish| {
        conv.input_grad(dy, &weight, dx, finish)
    });
    Ok(())
}

#[test]
fn fused_rows_are_separate_passes() -> Result<()> {
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Portable] {
        for (k, padding) in [(1, 0), (2, 1), (3, 1), (3, 2), (4, 3), (5, 2)] {
            for stride in 1..=3 {
                for (i, o, h, w) in [(16, 32, 9, 12), (3, 16, 32, 32), (20, 7, 11, 6), (16, 16, 32, 31)] {
                    check(isa, Conv2d { stride, padding }, k, [3, h, w, i], o)?;
                }
            }
        }
        for (n, i, o, k) in [(30, 32, 100, 7), (13, 5, 7, 3), (25, 16, 32, 1)] {
            check(isa, Conv2d { stride: 1, padding: 0 }, k, [n, k, k, i], o)?;
        }
    }
    Ok(())
}
