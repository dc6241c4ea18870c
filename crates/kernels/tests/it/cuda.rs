//! Every operator on a GPU against itself on the CPU: value and gradients, and the same bits twice.
//!
//! Only with the feature `cuda`, and only where there is a GPU: elsewhere these tests fail and say so.

use crate::near::{assert_near, floats};
use candle::{DType, Device, Result, Tensor, Var};
use kernels::{AdamStep, Conv2d, Key, Packing, SgdStep, Statistics};
use std::sync::OnceLock;

fn gpu() -> &'static Device {
    static GPU: OnceLock<Device> = OnceLock::new();
    GPU.get_or_init(|| {
        kernels::gpu(0).unwrap_or_else(|e| panic!("no GPU answers, so nothing about GPUs can be tested: {e}"))
    })
}

/// Normal numbers, others for each `stream`.
fn normal(stream: u64, shape: &[usize]) -> Result<Tensor> {
    let mut values = vec![0.; shape.iter().product()];
    kernels::fill_normal(Key { seed: 5, epoch: 0, example: stream, restart: 0 }, 1., &mut values);
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// What `op` makes of `inputs` on `device`, and the gradients of the sum of it, weighted at random.
fn passes(inputs: &[Tensor], device: &Device, op: impl Fn(&[&Tensor]) -> Result<Tensor>) -> Result<Vec<Vec<f32>>> {
    let vars = inputs.iter().map(|t| Var::from_tensor(&t.to_device(device)?)).collect::<Result<Vec<_>>>()?;
    let y = op(&vars.iter().map(|v| v.as_tensor()).collect::<Vec<_>>())?;
    let weights = normal(99, y.dims())?.to_device(device)?;
    let grads = (&y * weights)?.sum_all()?.backward()?;
    let of = |v: &Var| floats(grads.get(v).expect("a gradient"));
    Ok(std::iter::once(floats(&y)).chain(vars.iter().map(of)).collect())
}

fn same(what: &str, inputs: &[Tensor], op: impl Fn(&[&Tensor]) -> Result<Tensor>) -> Result<()> {
    let want = passes(inputs, &Device::Cpu, &op)?;
    let got = passes(inputs, gpu(), &op)?;
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        let want: Vec<f64> = want.iter().map(|&v| v.into()).collect();
        let part = if i == 0 { "value".into() } else { format!("gradient of input {}", i - 1) };
        assert_near(&format!("{what}, {part}"), got, &want, 1e-4);
    }
    assert!(passes(inputs, gpu(), &op)? == got, "{what}: other bits the second time");
    Ok(())
}

#[test]
fn convolutions() -> Result<()> {
    // N, H, W, I, O, K, stride, padding
    let cases = [
        [2, 32, 32, 3, 64, 3, 1, 1],
        [3, 16, 16, 16, 32, 3, 2, 1],
        [2, 8, 8, 64, 64, 3, 1, 1],
        [2, 16, 16, 32, 64, 1, 2, 0],
        [5, 7, 9, 5, 11, 3, 1, 1],
        [1, 9, 7, 1, 3, 5, 2, 2],
        [2, 28, 28, 1, 16, 4, 2, 1],
        [3, 4, 4, 48, 33, 3, 1, 0],
        [1, 1, 1, 7, 2, 1, 1, 0],
    ];
    for case in cases {
        let [n, h, w, i, o, k, stride, padding] = case;
        let inputs = [normal(1, &[n, h, w, i])?, normal(2, &[o, i, k, k])?];
        same(&format!("conv2d {case:?}"), &inputs, |t| {
            kernels::conv2d(t[0], t[1], Conv2d { stride, padding }, &Packing::default())
        })?;
    }
    Ok(())
}

#[test]
fn a_packing_follows_its_weight_once_cleared() -> Result<()> {
    let (x, packing) = (normal(1, &[2, 5, 5, 3])?.to_device(gpu())?, Packing::default());
    let conv = |w: &Tensor, p: &Packing| kernels::conv2d(&x, w, Conv2d { stride: 1, padding: 1 }, p);
    let (a, b) = (normal(2, &[4, 3, 3, 3])?.to_device(gpu())?, normal(3, &[4, 3, 3, 3])?.to_device(gpu())?);
    let first = floats(&conv(&a, &packing)?);
    assert_eq!(floats(&conv(&b, &packing)?), first, "it keeps what it holds");
    packing.clear();
    assert_eq!(floats(&conv(&b, &packing)?), floats(&conv(&b, &Packing::default())?));
    assert!(conv(&normal(4, &[4, 3, 1, 1])?.to_device(gpu())?, &packing).is_err(), "another shape");
    Ok(())
}

#[test]
fn batch_norms() -> Result<()> {
    for shape in [&[4, 8, 8, 16][..], &[3, 5, 7, 19], &[40_000, 3], &[3, 1], &[16, 4, 4, 640]] {
        let c = shape[shape.len() - 1];
        let inputs = [(normal(1, shape)? * 2.)?.affine(1., 3.)?, normal(2, &[c])?, normal(3, &[c])?];
        let (mean, var) = (normal(4, &[c])?, normal(5, &[c])?.sqr()?.affine(1., 0.5)?);
        for relu in [false, true] {
            same(&format!("batch norm of {shape:?}, batch's, relu {relu}"), &inputs, |t| {
                Ok(kernels::batch_norm(t[0], t[1], t[2], 1e-5, Statistics::Batch, relu)?.0)
            })?;
            same(&format!("batch norm of {shape:?}, running, relu {relu}"), &inputs, |t| {
                let (mean, var) = (mean.to_device(t[0].device())?, var.to_device(t[0].device())?);
                let running = Statistics::Running { mean: &mean, var: &var };
                Ok(kernels::batch_norm(t[0], t[1], t[2], 1e-5, running, relu)?.0)
            })?;
        }
    }
    Ok(())
}

#[test]
fn moments() -> Result<()> {
    let c = 16;
    for (shift, tolerance) in [(0., 1e-5), (1000., 1e-3)] {
        let x = normal(1, &[64, 8, 8, c])?.affine(1., shift)?;
        let told = |device: &Device| {
            let (one, zero) = (Tensor::ones(c, DType::F32, device)?, Tensor::zeros(c, DType::F32, device)?);
            let x = x.to_device(device)?;
            let moments = kernels::batch_norm(&x, &one, &zero, 1e-5, Statistics::Batch, false)?.1.expect("moments");
            Ok::<_, candle::Error>((floats(&moments.mean), floats(&moments.var), moments.count))
        };
        let (got, want) = (told(gpu())?, told(&Device::Cpu)?);
        let wide = |v: &[f32]| v.iter().map(|&v| v.into()).collect::<Vec<f64>>();
        assert_near("mean", &got.0, &wide(&want.0), tolerance);
        assert_near("variance", &got.1, &wide(&want.1), tolerance);
        assert_eq!(got.2, want.2);
    }
    Ok(())
}

#[test]
fn small_operators() -> Result<()> {
    let x = [normal(1, &[3, 5, 7, 6])?];
    same("relu", &x, |t| kernels::relu(t[0]))?;
    same("add_relu", &[x[0].clone(), normal(2, &[3, 5, 7, 6])?], |t| kernels::add_relu(t[0], t[1]))?;
    for (n, k) in [(5, 10), (1, 1), (7, 32), (3, 100)] {
        same("log_softmax", &[normal(1, &[n, k])?.affine(30., 0.)?], |t| kernels::log_softmax(t[0]))?;
    }
    for relu in [false, true] {
        same("bias", &[x[0].clone(), normal(2, &[6])?], |t| kernels::bias(t[0], t[1], relu))?;
    }
    same("bias of many rows", &[normal(1, &[5000, 3])?, normal(2, &[3])?], |t| kernels::bias(t[0], t[1], false))?;
    same("average", &x, |t| kernels::global_avg_pool(t[0]))?;
    same("max", &x, |t| kernels::max_pool2(t[0]))?;
    same("flatten", &x, |t| kernels::flatten(t[0]))?;
    for (stride, channels) in [(1, 6), (2, 6), (2, 12), (3, 8)] {
        same("shortcut", &x, |t| kernels::shortcut_a(t[0], stride, channels))?;
    }
    same("enter", &[normal(1, &[3, 2, 5, 7])?], |t| kernels::enter(t[0], &[0.5, 0.25], &[0.25, 2.]))?;
    for (n, m, d) in [(5, 3, 19), (1, 1, 1), (33, 10, 512)] {
        let rows = [normal(1, &[n, d])?, normal(2, &[m, d])?];
        same("squared distances", &rows, |t| kernels::squared_distances(t[0], t[1]))?;
    }
    Ok(())
}

/// A piece of a tensor begins in the middle of its memory; a transposed one is not contiguous.
#[test]
fn inputs_that_lie_elsewhere() -> Result<()> {
    let x = normal(1, &[4, 6, 6, 8])?;
    same("a piece", std::slice::from_ref(&x), |t| kernels::global_avg_pool(&t[0].narrow(0, 1, 2)?))?;
    same("transposed", &[x.clone(), normal(2, &[3, 8, 3, 3])?], |t| {
        let x = t[0].narrow(0, 1, 2)?.transpose(1, 2)?;
        kernels::conv2d(&x, t[1], Conv2d { stride: 1, padding: 1 }, &Packing::default())
    })?;
    same("a piece, normalised", &[x, normal(2, &[8])?], |t| {
        Ok(kernels::batch_norm(&t[0].narrow(0, 2, 2)?, t[1], t[1], 1e-5, Statistics::Batch, true)?.0)
    })
}

#[test]
fn ties_and_nan() -> Result<()> {
    same("equal maxima", &[Tensor::zeros((1, 3, 3, 2), DType::F32, &Device::Cpu)?], |t| kernels::max_pool2(t[0]))?;
    let x = Tensor::new(&[f32::NAN, -1., 2., 0.5], gpu())?;
    assert!(floats(&kernels::relu(&x)?)[0].is_nan());
    assert!(floats(&kernels::max_pool2(&x.reshape((1, 2, 2, 1))?)?)[0].is_nan());
    let numbers = Tensor::full(0.5f32, 4, gpu())?;
    assert!(floats(&kernels::linf_step(&x, &numbers, &numbers, 0.1, 0.1)?)[0].is_nan());
    assert!(floats(&kernels::linf_step(&numbers, &x, &numbers, 0.1, 0.1)?)[0].is_nan());
    Ok(())
}

#[test]
fn steps_in_place() -> Result<()> {
    let shape = [3, 5, 7];
    let inputs = || (1..=4).map(|stream| normal(stream, &shape)).collect::<Result<Vec<_>>>();
    let take = |device: &Device, step: &dyn Fn(&[Tensor]) -> Result<()>| {
        // The third holds squares.
        let mut t = inputs()?.iter().map(|t| t.to_device(device)).collect::<Result<Vec<_>>>()?;
        t[2] = t[2].sqr()?;
        step(&t)?;
        Ok::<_, candle::Error>(t.iter().map(floats).collect::<Vec<_>>())
    };
    let same = |what: &str, step: &dyn Fn(&[Tensor]) -> Result<()>| {
        for (got, want) in take(gpu(), step)?.iter().zip(take(&Device::Cpu, step)?) {
            let want: Vec<f64> = want.iter().map(|&v| v.into()).collect();
            assert_near(what, got, &want, 1e-6);
        }
        Ok::<_, candle::Error>(())
    };
    for nesterov in [false, true] {
        let step = SgdStep { lr: 0.1, momentum: 0.9, weight_decay: 5e-4, nesterov };
        same("sgd", &|t| kernels::sgd_step(&t[0], &t[1], &t[3], step))?;
    }
    let step = AdamStep { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.1, step: 3 };
    same("adam", &|t| kernels::adam_step(&t[0], &t[1], &t[2], &t[3], step))
}

#[test]
fn an_attacks_step() -> Result<()> {
    let unit = |stream| normal(stream, &[2, 3, 9, 9])?.affine(0.3, 0.5)?.clamp(0f32, 1f32);
    let (centre, grad) = (unit(1)?, normal(2, &[2, 3, 9, 9])?);
    let adv = (&centre + normal(3, &[2, 3, 9, 9])?.affine(0.01, 0.)?)?.clamp(0f32, 1f32)?;
    let step = |d: &Device| {
        let moved = [&adv, &grad, &centre].map(|t| t.to_device(d));
        let [adv, grad, centre] = moved;
        Ok::<_, candle::Error>(floats(&kernels::linf_step(&adv?, &grad?, &centre?, 2. / 255., 8. / 255.)?))
    };
    assert_eq!(step(gpu())?, step(&Device::Cpu)?, "no products: the same bits");
    Ok(())
}

#[test]
fn errors_name_what_is_where() -> Result<()> {
    let (here, there) = (normal(1, &[2, 3])?, normal(1, &[2, 3])?.to_device(gpu())?);
    let said = kernels::squared_distances(&there, &here).expect_err("two devices").to_string();
    assert!(said.contains("squared_distances") && said.contains("one device"), "{said}");
    Ok(())
}
