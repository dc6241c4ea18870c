//! The fused way to run a network against the plain one.

use crate::near::{assert_near, fixed_normal, fixed_uniform, floats};
use candle::{DType, Device, Result, Tensor, Var};
use kernels::{Conv2d, Flow, Fused, Isa, Packing, Statistics, Stepwise, isa};
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Numbers of the draws beside weights, which count from 0.
const IMAGES: u64 = 1_000;
const GRADIENT: u64 = 1_001;

/// Weights drawn once, by the order in which a network asks for them.
struct Weights {
    vars: Mutex<Vec<Var>>,
    next: AtomicUsize,
    live: bool,
    batch: bool,
}

impl Weights {
    fn new(live: bool, batch: bool) -> Self {
        Self { vars: Vec::new().into(), next: 0.into(), live, batch }
    }

    fn take(&self, shape: &[usize], mean: f32) -> Result<Tensor> {
        let i = self.next.fetch_add(1, Relaxed);
        let mut vars = self.vars.lock().expect("vars");
        if i == vars.len() {
            vars.push(Var::from_tensor(&(fixed_normal(i as u64, 0.3, shape)? + f64::from(mean))?)?);
        }
        assert_eq!(vars[i].dims(), shape);
        Ok(if self.live { vars[i].as_tensor().clone() } else { vars[i].as_detached_tensor() })
    }

    fn conv<F: Flow>(&self, f: &F, x: &F::Value, io: [usize; 2], k: usize, stride: usize) -> Result<F::Value> {
        self.conv_add(f, x, io, k, stride, None)
    }

    fn conv_add<F: Flow>(
        &self,
        f: &F,
        x: &F::Value,
        [i, o]: [usize; 2],
        k: usize,
        stride: usize,
        add: Option<&F::Value>,
    ) -> Result<F::Value> {
        let geometry = Conv2d { stride, padding: k / 2 };
        f.conv(x, &self.take(&[o, i, k, k], 0.)?, geometry, &Packing::default(), add)
    }

    fn norm<F: Flow>(&self, f: &F, x: &F::Value, c: usize, relu: bool) -> Result<F::Value> {
        let (gamma, beta) = (self.take(&[c], 1.)?, self.take(&[c], 0.)?);
        let (mean, var) = (Tensor::full(0.1f32, c, &Device::Cpu)?, Tensor::full(2f32, c, &Device::Cpu)?);
        let statistics = if self.batch { Statistics::Batch } else { Statistics::Running { mean: &mean, var: &var } };
        let (y, moments) = f.batch_norm(x, &gamma, &beta, 1e-5, statistics, relu)?;
        assert_eq!(moments.is_some(), self.batch);
        Ok(y)
    }

    fn bias<F: Flow>(&self, f: &F, x: &F::Value, c: usize, relu: bool) -> Result<F::Value> {
        f.bias(x, &self.take(&[c], 0.)?, relu)
    }

    fn basic<F: Flow>(
        &self,
        f: &F,
        x: &F::Value,
        [i, o]: [usize; 2],
        stride: usize,
        project: bool,
    ) -> Result<F::Value> {
        let y = self.norm(f, &self.conv(f, x, [i, o], 3, stride)?, o, true)?;
        let y = self.norm(f, &self.conv(f, &y, [o, o], 3, 1)?, o, false)?;
        let carried = match (stride, i == o, project) {
            (1, true, _) => x.clone(),
            (_, _, true) => self.norm(f, &self.conv(f, x, [i, o], 1, stride)?, o, false)?,
            _ => f.shortcut_a(x, stride, o)?,
        };
        f.add_relu(&y, &carried)
    }

    fn preact<F: Flow>(&self, f: &F, x: &F::Value, [i, o]: [usize; 2], stride: usize) -> Result<F::Value> {
        let active = self.norm(f, x, i, true)?;
        let carried = if stride == 1 && i == o { x.clone() } else { self.conv(f, &active, [i, o], 1, stride)? };
        let y = self.norm(f, &self.conv(f, &active, [i, o], 3, stride)?, o, true)?;
        self.conv_add(f, &y, [o, o], 3, 1, Some(&carried))
    }
}

type Network = fn(&Weights, Runner<'_>) -> Result<Tensor>;

/// One of the two ways to run.
enum Runner<'a> {
    Fused(&'a Tensor, Isa),
    Stepwise(&'a Tensor),
}

const MEAN: [f32; 3] = [0.4, 0.5, 0.6];
const STD: [f32; 3] = [0.2, 0.3, 0.4];

macro_rules! network {
    ($name:ident, |$w:ident, $f:ident, $x:ident| $body:block) => {
        fn $name(w: &Weights, runner: Runner<'_>) -> Result<Tensor> {
            fn run<F: Flow>($w: &Weights, $f: F, $x: F::Value) -> Result<Tensor> {
                let last = {
                    let $f = &$f;
                    $body
                };
                $f.features(&last)
            }
            w.next.store(0, Relaxed);
            match runner {
                Runner::Fused(x, isa) => {
                    Fused::enter(x, &MEAN, &STD, w.batch).and_then(|(f, x)| run(w, f.with_isa(isa), x))
                }
                Runner::Stepwise(x) => Stepwise::enter(x, &MEAN, &STD).and_then(|(f, x)| run(w, f, x)),
            }
        }
    };
}

network!(post_activation, |w, f, x| {
    let x = w.norm(f, &w.conv(f, &x, [3, 16], 3, 1)?, 16, true)?;
    let x = w.basic(f, &x, [16, 16], 1, false)?;
    let x = w.basic(f, &x, [16, 20], 2, false)?;
    let x = w.basic(f, &x, [20, 32], 2, true)?;
    w.basic(f, &x, [32, 32], 1, true)?
});

network!(pre_activation, |w, f, x| {
    let x = w.conv(f, &x, [3, 16], 3, 1)?;
    let x = w.preact(f, &x, [16, 16], 1)?;
    let x = w.preact(f, &x, [16, 32], 2)?;
    let x = w.preact(f, &x, [32, 24], 1)?;
    w.norm(f, &x, 24, true)?
});

network!(plain_chain, |w, f, x| {
    let x = w.norm(f, &w.conv(f, &x, [3, 5], 3, 2)?, 5, true)?;
    let x = w.norm(f, &w.conv(f, &x, [5, 16], 5, 3)?, 16, true)?;
    // Something nobody reads.
    w.conv(f, &x, [16, 16], 3, 1)?;
    w.conv(f, &x, [16, 16], 3, 1)?
});

// Ends with a rectified sum of something with itself, and a branch that skips batch norm.
network!(odd_ends, |w, f, x| {
    let x = w.conv(f, &x, [3, 16], 3, 1)?;
    let y = w.conv(f, &x, [16, 16], 1, 1)?;
    let y = w.norm(f, &y, 16, false)?;
    let z = f.add_relu(&y, &y)?;
    f.add_relu(&z, &x)?
});

// Everything has several readers: an input is added to its own convolution, batch norm is read by a
// convolution, a sum and a second sum, and what is pooled is read by something else too.
network!(shared, |w, f, x| {
    let x = w.conv(f, &x, [3, 16], 3, 1)?;
    let y = w.conv_add(f, &x, [16, 16], 3, 1, Some(&x))?;
    let normed = w.norm(f, &y, 16, true)?;
    let z = w.conv_add(f, &normed, [16, 16], 3, 1, Some(&normed))?;
    let linear = w.norm(f, &z, 16, false)?;
    let last = f.add_relu(&linear, &normed)?;
    f.add_relu(&linear, &last)?;
    w.conv(f, &last, [16, 8], 1, 1)?;
    last
});

network!(biased, |w, f, x| {
    let x = w.bias(f, &w.conv(f, &x, [3, 16], 4, 2)?, 16, true)?;
    let y = w.bias(f, &w.conv(f, &x, [16, 24], 3, 1)?, 24, false)?;
    let z = w.bias(f, &w.conv(f, &y, [24, 24], 1, 1)?, 24, true)?;
    f.add_relu(&y, &z)?
});

const NETWORKS: [(&str, Network); 6] = [
    ("biased", biased),
    ("shared", shared),
    ("post-activation", post_activation),
    ("pre-activation", pre_activation),
    ("plain chain", plain_chain),
    ("odd ends", odd_ends),
];

/// Features, gradient of the images, gradients of the weights; a missing one is empty.
fn results(features: &Tensor, dy: &Tensor, images: &Tensor, w: &Weights) -> Result<Vec<Vec<f32>>> {
    let mut all = vec![floats(features)];
    if features.track_op() {
        let grads = (features * dy)?.sum_all()?.backward()?;
        all.push(grads.get(images).map(floats).unwrap_or_default());
        all.extend(w.vars.lock().expect("vars").iter().map(|v| grads.get(v).map(floats).unwrap_or_default()));
    }
    Ok(all)
}

#[test]
fn fused_is_stepwise() -> Result<()> {
    for (name, network) in NETWORKS {
        for (shape, live, batch, tracked) in [
            ((3, 3, 12, 9), true, true, true),
            ((2, 3, 16, 16), true, true, false),
            ((5, 3, 8, 8), false, true, true),
            ((1, 3, 13, 7), false, false, true),
            ((2, 3, 9, 8), true, false, true),
            ((2, 3, 8, 8), false, false, false),
        ] {
            let what = format!("{name} {shape:?}, live {live}, batch {batch}, tracked {tracked}");
            let w = Weights::new(live, batch);
            let images = Var::from_tensor(&fixed_uniform(IMAGES, shape)?)?;
            let x = if tracked { images.as_tensor().clone() } else { images.as_detached_tensor() };
            let plain = network(&w, Runner::Stepwise(&x))?;
            let dy = fixed_normal(GRADIENT, 1., plain.shape())?;
            let want = results(&plain, &dy, &x, &w)?;
            let fused = network(&w, Runner::Fused(&x, isa()))?;
            assert_eq!((fused.dims(), fused.track_op()), (plain.dims(), tracked || live), "{what}");
            let got = results(&fused, &dy, &x, &w)?;
            assert_eq!(got.len(), want.len(), "{what}");
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                // A weight nobody reads has no gradient in one way and zeros in the other.
                let got = if want.is_empty() && got.iter().all(|g| *g == 0.) { &want[..] } else { got };
                let want: Vec<f64> = want.iter().map(|v| f64::from(*v)).collect();
                assert_near(&format!("{what}: result {i}"), got, &want, 2e-4);
            }
            assert_eq!(got, results(&fused, &dy, &x, &w)?, "{what}: a second way back");
            assert_eq!(got, results(&network(&w, Runner::Fused(&x, isa()))?, &dy, &x, &w)?, "{what}: other bits");
        }
    }
    Ok(())
}

/// Every kernel of every instruction set, by whatever this CPU has.
#[test]
fn instruction_sets_agree() -> Result<()> {
    for (name, network) in NETWORKS {
        let w = Weights::new(true, true);
        let images = Var::from_tensor(&fixed_uniform(IMAGES, (3, 3, 12, 9))?)?;
        let plain = network(&w, Runner::Fused(&images, Isa::Portable))?;
        let dy = fixed_normal(GRADIENT, 1., plain.shape())?;
        let want = results(&plain, &dy, &images, &w)?;
        for isa in [Isa::Avx512, Isa::Avx2] {
            let got = results(&network(&w, Runner::Fused(&images, isa))?, &dy, &images, &w)?;
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                let want: Vec<f64> = want.iter().map(|v| f64::from(*v)).collect();
                assert_near(&format!("{name} {isa:?}: result {i}"), got, &want, 2e-4);
            }
        }
    }
    Ok(())
}

#[test]
fn same_bits_for_any_number_of_threads() -> Result<()> {
    for (name, network) in NETWORKS {
        let w = Weights::new(true, true);
        let images = Var::from_tensor(&fixed_uniform(IMAGES, (8, 3, 32, 32))?)?;
        let dy = Tensor::randn(0f32, 1f32, network(&w, Runner::Fused(&images, isa()))?.shape(), &Device::Cpu)?;
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| results(&network(&w, Runner::Fused(&images, isa()))?, &dy, &images, &w))
        };
        let one = run(1)?;
        assert!(one == run(2)? && one == run(3)?, "{name}");
    }
    Ok(())
}

/// Batch statistics far from zero do not cancel.
#[test]
fn moments_of_a_large_mean() -> Result<()> {
    let images = (Tensor::rand(0f32, 1f32, (4, 3, 8, 8), &Device::Cpu)? + 1000.)?;
    let (flow, x) = Fused::enter(&images, &[0.; 3], &[1.; 3], true)?;
    let one = Tensor::ones(3, DType::F32, &Device::Cpu)?;
    let (_, moments) = flow.batch_norm(&x, &one, &one, 1e-5, Statistics::Batch, false)?;
    let moments = moments.expect("the batch's");
    let all = images.transpose(0, 1)?.flatten_from(1)?.to_dtype(DType::F64)?;
    let mean = all.mean_keepdim(1)?;
    let var = all.broadcast_sub(&mean)?.sqr()?.mean(1)?.to_vec1::<f64>()?;
    assert_near("mean", &floats(&moments.mean), &mean.flatten_all()?.to_vec1::<f64>()?, 1e-6);
    assert_near("variance", &floats(&moments.var), &var, 1e-4);
    Ok(())
}

/// The gradient of a weight that was computed from another passes on, even if nothing reads the result.
#[test]
fn an_unread_weight_that_is_no_variable() -> Result<()> {
    let images = Tensor::rand(0f32, 1f32, (1, 3, 8, 8), &Device::Cpu)?;
    let var = Var::randn(0f32, 1f32, (4, 3, 3, 3), &Device::Cpu)?;
    let (flow, x) = Fused::enter(&images, &[0.; 3], &[1.; 3], false)?;
    let geometry = Conv2d { stride: 1, padding: 1 };
    let conv = |w: &Tensor| flow.conv(&x, w, geometry, &Packing::default(), None);
    let read = conv(&var)?;
    conv(&(var.as_tensor() * 2.)?)?;
    let grads = flow.features(&read)?.sum_all()?.backward()?;
    assert!(floats(grads.get(&var).expect("a gradient")).iter().any(|g| *g != 0.));
    Ok(())
}

#[test]
fn activations_of_another_flow_are_refused() -> Result<()> {
    let enter = |n: usize| {
        let images = Var::zeros((n, 3, 8, 8), DType::F32, &Device::Cpu)?;
        Fused::enter(&images, &[0.; 3], &[1.; 3], true)
    };
    let ((flow, own), (_other, foreign)) = (enter(1)?, enter(4)?);
    let (weight, three) =
        (Tensor::zeros((3, 3, 1, 1), DType::F32, &Device::Cpu)?, Tensor::zeros(3, DType::F32, &Device::Cpu)?);
    let geometry = Conv2d { stride: 1, padding: 0 };
    let packing = Packing::default();
    let errors = [
        flow.conv(&foreign, &weight, geometry, &packing, None).unwrap_err(),
        flow.conv(&own, &weight, geometry, &packing, Some(&foreign)).unwrap_err(),
        flow.batch_norm(&foreign, &three, &three, 1e-5, Statistics::Batch, true).map(|_| ()).unwrap_err(),
        flow.bias(&foreign, &three, true).unwrap_err(),
        flow.add_relu(&own, &foreign).unwrap_err(),
        flow.shortcut_a(&foreign, 2, 3).unwrap_err(),
        flow.features(&foreign).unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().contains("another network's flow"), "{error}");
    }
    Ok(())
}

#[test]
fn wrong_shapes_are_named() -> Result<()> {
    let images = Tensor::zeros((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
    let (flow, x) = Fused::enter(&images, &[0.; 3], &[1.; 3], true)?;
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    let geometry = Conv2d { stride: 1, padding: 1 };
    let conv = |w: &[usize], add: Option<&kernels::Value>| {
        flow.conv(&x, &zeros(w)?, geometry, &Packing::default(), add).map(|_| ())
    };
    let norm = |x: &kernels::Value, c: usize| {
        flow.batch_norm(x, &zeros(&[c])?, &zeros(&[c])?, 1e-5, Statistics::Batch, true).map(|(y, _)| y)
    };
    let normed = norm(&x, 3)?;
    for (what, error) in [
        ("conv2d", conv(&[4, 5, 3, 3], None).unwrap_err()),
        ("added", conv(&[4, 3, 3, 3], Some(&x)).unwrap_err()),
        ("gamma", norm(&x, 4).unwrap_err()),
        ("batch norm gave", norm(&normed, 3).unwrap_err()),
        ("add_relu", flow.add_relu(&x, &flow.shortcut_a(&x, 2, 3)?).unwrap_err()),
        ("shortcut_a", flow.shortcut_a(&x, 2, 2).unwrap_err()),
        ("enter", Fused::enter(&images, &[0.; 2], &[1.; 3], true).unwrap_err()),
        ("enter", Fused::enter(&images.narrow(1, 0, 0)?, &[], &[], true).unwrap_err()),
    ] {
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    Ok(())
}
