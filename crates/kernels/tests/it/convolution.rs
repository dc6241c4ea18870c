//! Convolutions of random shapes against seven nested loops.

use crate::near::{assert_near, dot, floats, gradients, normal};
use candle::{Result, Tensor};
use kernels::{Conv2d, ConvPasses, Isa, Packing, conv2d};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Case {
    n: usize,
    h: usize,
    w: usize,
    i: usize,
    o: usize,
    k: usize,
    stride: usize,
    padding: usize,
}

impl Case {
    fn out(&self) -> (usize, usize) {
        let f = |s: usize| (s + 2 * self.padding - self.k) / self.stride + 1;
        (f(self.h), f(self.w))
    }

    /// Calls `f(input index, weight index, output index)` for every product of the convolution.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (oh, ow) = self.out();
        for n in 0..self.n {
            for (oy, ox) in (0..oh).flat_map(|y| (0..ow).map(move |x| (y, x))) {
                for (ky, kx) in (0..self.k).flat_map(|y| (0..self.k).map(move |x| (y, x))) {
                    let (y, x) = (oy * self.stride + ky, ox * self.stride + kx);
                    let (Some(y), Some(x)) = (y.checked_sub(self.padding), x.checked_sub(self.padding)) else {
                        continue;
                    };
                    if y >= self.h || x >= self.w {
                        continue;
                    }
                    for (i, o) in (0..self.i).flat_map(|i| (0..self.o).map(move |o| (i, o))) {
                        f(
                            ((n * self.h + y) * self.w + x) * self.i + i,
                            ((o * self.i + i) * self.k + ky) * self.k + kx,
                            ((n * oh + oy) * ow + ox) * self.o + o,
                        );
                    }
                }
            }
        }
    }

    fn check(&self) -> Result<()> {
        let x = normal(&[self.n, self.h, self.w, self.i])?;
        let w = normal(&[self.o, self.i, self.k, self.k])?;
        let geometry = Conv2d { stride: self.stride, padding: self.padding };
        let y = conv2d(&x, &w, geometry, &Packing::default())?;
        let (oh, ow) = self.out();
        assert_eq!(y.dims(), [self.n, oh, ow, self.o]);
        let dy = Tensor::randn(0f32, 1f32, y.shape(), &candle::Device::Cpu)?;
        let grads = gradients(&y, &dy, &[&x, &w])?;
        assert_eq!(grads[1].dims(), w.dims());

        let (xs, ws, dys) = (floats(&x), floats(&w), floats(&dy));
        let mut want = [vec![0.0; y.elem_count()], vec![0.0; xs.len()], vec![0.0; ws.len()]];
        self.each(|a, b, c| {
            want[0][c] += f64::from(xs[a]) * f64::from(ws[b]);
            want[1][a] += f64::from(dys[c]) * f64::from(ws[b]);
            want[2][b] += f64::from(dys[c]) * f64::from(xs[a]);
        });
        assert_near(&format!("{self:?} y"), &floats(&y), &want[0], 3e-5);
        assert_near(&format!("{self:?} dx"), &floats(&grads[0]), &want[1], 3e-5);
        assert_near(&format!("{self:?} dw"), &floats(&grads[1]), &want[2], 3e-5);

        // <y, dy> is the same sum as <x, dx> and <w, dw>.
        let size = dot(&y, &y).sqrt() * dot(&dy, &dy).sqrt();
        for (t, g) in [(&x, &grads[0]), (&w, &grads[1])] {
            let off = (dot(&y, &dy) - dot(t, g)).abs();
            assert!(off <= 1e-5 * size, "{self:?}: <y, dy> and <x, dx> are {off} apart, of {size}");
        }
        Ok(())
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let kernel = prop_oneof![
        Just((1, 1, 0)),
        Just((1, 2, 0)),
        Just((3, 1, 1)),
        Just((3, 1, 0)),
        Just((3, 1, 2)),
        Just((3, 2, 1)),
        Just((3, 2, 0)),
        Just((3, 3, 2)),
        Just((4, 2, 1)),
        Just((5, 1, 2)),
        Just((5, 3, 1)),
        Just((2, 3, 0)),
        Just((1, 3, 0)),
        Just((4, 3, 1)),
        Just((4, 1, 3)),
        Just((5, 2, 4)),
    ];
    let channels = prop_oneof![1usize..=5, Just(8), Just(16), Just(17), Just(32), Just(48)];
    (kernel, 1usize..=3, 5usize..=13, 5usize..=13, channels.clone(), channels)
        .prop_map(|((k, stride, padding), n, h, w, i, o)| Case { n, h, w, i, o, k, stride, padding })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_shapes_match_plain_loops(case in cases()) {
        case.check().unwrap();
    }
}

/// Fully connected layers: more images than a task takes, channels that fill no register.
#[test]
fn kernels_of_the_image_size_match_plain_loops() -> Result<()> {
    for (n, k, i, o) in [(1, 1, 1, 1), (30, 7, 32, 100), (13, 3, 5, 17), (25, 2, 16, 48), (12, 4, 3, 40)] {
        Case { n, h: k, w: k, i, o, k, stride: 1 + n % 2, padding: 0 }.check()?;
    }
    Ok(())
}

/// Layers large enough for every way the work is divided, with rounds, parts and edges.
#[test]
fn layers_match_plain_loops() -> Result<()> {
    let layer = |n, h, w, i, o, k, stride| Case { n, h, w, i, o, k, stride, padding: k / 2 };
    for case in [
        layer(3, 32, 32, 3, 16, 3, 1),
        layer(2, 32, 32, 16, 16, 3, 1),
        layer(5, 17, 9, 16, 48, 3, 1),
        layer(4, 16, 16, 32, 64, 3, 2),
        layer(3, 7, 7, 96, 80, 3, 1),
        layer(2, 4, 4, 256, 288, 3, 1),
        layer(9, 8, 8, 64, 128, 1, 2),
        layer(3, 28, 28, 1, 16, 5, 1),
        layer(2, 3, 5, 160, 144, 3, 2),
        layer(1, 1, 1, 16, 16, 3, 1),
    ] {
        case.check()?;
    }
    Ok(())
}

#[test]
fn detached_tensors_get_no_gradient() -> Result<()> {
    let (x, w) = (normal(&[2, 6, 6, 16])?, normal(&[16, 16, 3, 3])?);
    let geometry = Conv2d { stride: 1, padding: 1 };
    let packing = Packing::default();
    let grads = conv2d(&x, &w.as_detached_tensor(), geometry, &packing)?.sum_all()?.backward()?;
    assert!(grads.get(&x).is_some() && grads.get(&w).is_none());
    let grads = conv2d(&x.as_detached_tensor(), &w, geometry, &packing)?.sum_all()?.backward()?;
    assert!(grads.get(&x).is_none() && grads.get(&w).is_some());
    let y = conv2d(&x.as_detached_tensor(), &w.as_detached_tensor(), geometry, &packing)?;
    assert!(!y.track_op());
    Ok(())
}

#[test]
fn same_bits_for_any_number_of_threads() -> Result<()> {
    for (i, o, k, stride) in [(16, 16, 3, 1), (3, 16, 3, 1), (64, 32, 3, 2), (192, 192, 3, 1)] {
        let (x, w) = (normal(&[8, 16, 16, i])?, normal(&[o, i, k, k])?);
        let run = |threads: usize| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
                let y = conv2d(&x, &w, Conv2d { stride, padding: 1 }, &Packing::default())?;
                let grads = gradients(&y, &y.detach(), &[&x, &w])?;
                Ok::<_, candle::Error>([floats(&y), floats(&grads[0]), floats(&grads[1])])
            })
        };
        let one = run(1)?;
        assert_eq!(one, run(1)?);
        assert_eq!(one, run(2)?);
        assert_eq!(one, run(3)?);
    }
    Ok(())
}

#[test]
fn a_packing_is_made_once_and_cleared() -> Result<()> {
    let (x, w) = (normal(&[1, 8, 8, 16])?, normal(&[16, 16, 3, 3])?);
    let geometry = Conv2d { stride: 1, padding: 1 };
    let packing = Packing::default();
    let before = floats(&conv2d(&x, &w, geometry, &packing)?);
    w.set(&(w.as_tensor() * 2.0)?)?;
    assert_eq!(before, floats(&conv2d(&x, &w, geometry, &packing)?), "still the old weights");
    packing.clear();
    let after = floats(&conv2d(&x, &w, geometry, &packing)?);
    assert!(before.iter().zip(&after).all(|(b, a)| a == &(b * 2.0)));
    let other = normal(&[32, 16, 3, 3])?;
    assert!(conv2d(&x, &other, geometry, &packing).is_err(), "another layer's packing");
    Ok(())
}

#[test]
fn no_images_are_no_error() -> Result<()> {
    let x = Tensor::zeros((0, 8, 8, 16), candle::DType::F32, &candle::Device::Cpu)?;
    for stride in [1, 2] {
        let w = normal(&[16, 16, 3, 3])?;
        let y = conv2d(&x, &w, Conv2d { stride, padding: 1 }, &Packing::default())?;
        assert_eq!(y.dims(), [0, 8 / stride, 8 / stride, 16]);
        let grads = y.sum_all()?.backward()?;
        assert!(floats(grads.get(&w).expect("a gradient")).iter().all(|&g| g == 0.0));
    }
    Ok(())
}

#[test]
fn views_with_offsets_and_permutations() -> Result<()> {
    let big = normal(&[4, 9, 8, 5])?;
    let w = normal(&[6, 5, 3, 3])?;
    let geometry = Conv2d { stride: 2, padding: 1 };
    let part = big.narrow(0, 2, 2)?;
    let whole = conv2d(&big, &w, geometry, &Packing::default())?.narrow(0, 2, 2)?;
    assert_eq!(floats(&conv2d(&part, &w, geometry, &Packing::default())?), floats(&whole));
    let turned = big.permute((0, 2, 1, 3))?;
    let w_turned = w.permute((0, 1, 3, 2))?;
    let y = conv2d(&turned, &w_turned, geometry, &Packing::default())?.permute((0, 2, 1, 3))?.contiguous()?;
    let want: Vec<f64> = floats(&conv2d(&big, &w, geometry, &Packing::default())?).iter().map(|&v| v.into()).collect();
    assert_near("transposed image", &floats(&y), &want, 1e-5);
    Ok(())
}

#[test]
fn errors_name_operator_and_shapes() {
    let x = normal(&[1, 8, 8, 4]).unwrap();
    let fail = |w: &[usize], stride, padding| {
        let w = normal(w).unwrap();
        conv2d(&x, &w, Conv2d { stride, padding }, &Packing::default()).unwrap_err().to_string()
    };
    for message in [
        fail(&[4, 3, 3, 3], 1, 1),
        fail(&[4, 4, 3, 2], 1, 1),
        fail(&[4, 4, 3], 1, 1),
        fail(&[4, 4, 3, 3], 0, 1),
        fail(&[4, 4, 3, 3], 1, 3),
        fail(&[4, 4, 9, 9], 1, 0),
    ] {
        assert!(message.contains("conv2d") && message.contains("[1, 8, 8, 4]"), "{message}");
    }
    let double = x.to_dtype(candle::DType::F64).unwrap();
    assert!(conv2d(&double, &x, Conv2d { stride: 1, padding: 0 }, &Packing::default()).is_err());
}

/// Every instruction set, by both algorithms, gives the numbers of the first.
#[test]
fn instruction_sets_and_algorithms_agree() -> Result<()> {
    let shapes: [([usize; 4], [usize; 4], usize); 6] = [
        ([2, 9, 7, 32], [48, 32, 3, 3], 1),
        ([2, 8, 8, 16], [16, 16, 3, 3], 1),
        ([2, 9, 9, 3], [20, 3, 3, 3], 1),
        ([2, 9, 8, 17], [9, 17, 3, 3], 2),
        ([2, 9, 8, 40], [24, 40, 1, 1], 2),
        ([2, 12, 12, 1], [16, 1, 4, 4], 2),
    ];
    for (x, w, stride) in shapes {
        let geometry = Conv2d { stride, padding: w[2] / 2 };
        let (xs, ws) = (floats(normal(&x)?.as_tensor()), floats(normal(&w)?.as_tensor()));
        let mut first: Option<[Vec<f64>; 3]> = None;
        for isa in [Isa::Portable, Isa::Avx2, Isa::Avx512] {
            for direct_only in [true, false] {
                let passes = ConvPasses::new(isa, direct_only, x, w, geometry)?;
                let mut y = vec![f32::NAN; passes.output().iter().product()];
                let (mut dx, mut dw) = (vec![f32::NAN; xs.len()], vec![f32::NAN; ws.len()]);
                passes.forward(&xs, &ws, &mut y);
                let dy: Vec<f32> = (0..y.len()).map(|i| (i * 7 % 23) as f32 / 11.0 - 1.0).collect();
                passes.input_grad(&dy, &ws, &mut dx);
                passes.weight_grad(&xs, &dy, &mut dw);
                let got = [y, dx, dw];
                if let Some(first) = &first {
                    for ((got, want), name) in got.iter().zip(first).zip(["y", "dx", "dw"]) {
                        assert_near(&format!("{x:?} {w:?} {isa:?} direct {direct_only} {name}"), got, want, 3e-5);
                    }
                } else {
                    first = Some(got.map(|v| v.into_iter().map(f64::from).collect()));
                }
            }
        }
    }
    Ok(())
}
