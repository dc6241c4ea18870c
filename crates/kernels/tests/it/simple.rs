//! The operators without much inside.

use crate::near::{floats, gradients, normal};
use candle::{Device, Result, Tensor, Var};
use kernels::AdamStep;

#[test]
fn bias_and_its_gradients() -> Result<()> {
    let (x, b) = (normal(&[3, 5, 7, 6])?, normal(&[6])?);
    let dy = Tensor::randn(0f32, 1f32, (3, 5, 7, 6), &Device::Cpu)?;
    for relu in [false, true] {
        let y = kernels::bias(&x, &b, relu)?;
        let plain = x.broadcast_add(&b)?;
        let want = if relu { plain.relu()? } else { plain };
        assert_eq!(floats(&y), floats(&want));
        let got = gradients(&y, &dy, &[&x, &b])?;
        let want = gradients(&want, &dy, &[&x, &b])?;
        for (got, want) in got.iter().zip(&want) {
            let want: Vec<f64> = floats(want).iter().map(|&v| v.into()).collect();
            crate::near::assert_near("bias", &floats(got), &want, 1e-5);
        }
    }
    Ok(())
}

#[test]
fn a_rectified_sum_is_a_sum_and_a_rectifier() -> Result<()> {
    let (a, b) = (normal(&[3, 5, 7, 6])?, normal(&[3, 5, 7, 6])?);
    let dy = Tensor::randn(0f32, 1f32, (3, 5, 7, 6), &Device::Cpu)?;
    let (y, plain) = (kernels::add_relu(&a, &b)?, kernels::relu(&(a.as_tensor() + b.as_tensor())?)?);
    assert_eq!(floats(&y), floats(&plain));
    for (got, want) in gradients(&y, &dy, &[&a, &b])?.iter().zip(gradients(&plain, &dy, &[&a, &b])?) {
        assert_eq!(floats(got), floats(&want));
    }
    // Twice the same.
    let grads = kernels::add_relu(&a, &a)?.sum_all()?.backward()?;
    assert!(floats(grads.get(&a).unwrap()).iter().zip(floats(&a)).all(|(g, a)| *g == if a > 0. { 2. } else { 0. }));
    let said = kernels::add_relu(&a, &a.narrow(0, 0, 1)?).expect_err("two shapes").to_string();
    assert!(said.contains("add_relu") && said.contains("[1, 5, 7, 6]"), "{said}");
    Ok(())
}

#[test]
fn nan_is_not_hidden() -> Result<()> {
    let x = Tensor::new(&[f32::NAN, -1.0, 2.0, 0.5], &Device::Cpu)?;
    assert!(floats(&kernels::relu(&x)?)[0].is_nan());
    assert!(floats(&kernels::max_pool2(&x.reshape((1, 2, 2, 1))?)?)[0].is_nan());
    Ok(())
}

#[test]
fn nor_in_gradients() -> Result<()> {
    let x = Var::new(&[f32::NAN, -1.0, 2.0, 0.0], &Device::Cpu)?;
    let grads = kernels::relu(&x)?.sum_all()?.backward()?;
    assert_eq!(floats(grads.get(&x).unwrap()), [1.0, 0.0, 1.0, 0.0]);
    // As vectors are masked, of several widths.
    for channels in [3, 8, 16, 37] {
        let mut values = vec![0.5f32; 2 * channels];
        (values[0], values[channels - 1], values[channels]) = (f32::NAN, f32::NAN, -1.0);
        let x = Var::from_tensor(&Tensor::from_vec(values, (2, channels), &Device::Cpu)?)?;
        let one = Tensor::ones(channels, candle::DType::F32, &Device::Cpu)?;
        let zero = one.zeros_like()?;
        let running = kernels::Statistics::Running { mean: &zero, var: &one };
        let (y, _) = kernels::batch_norm(&x, &one, &zero, 0.0, running, true)?;
        let dx = floats(y.sum_all()?.backward()?.get(&x).unwrap());
        let mut expected = vec![1.0f32; 2 * channels];
        expected[channels] = 0.0;
        assert_eq!(dx, expected, "{channels} channels");
    }
    Ok(())
}

#[test]
fn a_variance_that_is_no_number_stays_none() -> Result<()> {
    let mut values = vec![0.5f32; 6];
    values[4] = f32::INFINITY;
    let x = Tensor::from_vec(values, (3, 2), &Device::Cpu)?;
    let (one, zero) =
        (Tensor::ones(2, candle::DType::F32, &Device::Cpu)?, Tensor::zeros(2, candle::DType::F32, &Device::Cpu)?);
    let (_, moments) = kernels::batch_norm(&x, &one, &zero, 1e-5, kernels::Statistics::Batch, false)?;
    let var = floats(&moments.expect("the batch's").var);
    assert!(var[0].is_nan() && var[1] == 0.0, "{var:?}");
    Ok(())
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() -> Result<()> {
    let x = Var::zeros((1, 3, 3, 2), candle::DType::F32, &Device::Cpu)?;
    let grads = kernels::max_pool2(&x)?.sum_all()?.backward()?;
    let mut want = vec![0.0; 18];
    want[0] = 1.0;
    want[1] = 1.0;
    assert_eq!(floats(grads.get(&x).unwrap()), want);
    Ok(())
}

#[test]
fn shortcut_pads_on_both_sides() -> Result<()> {
    let x = normal(&[2, 5, 4, 3])?;
    let y = kernels::shortcut_a(&x, 2, 7)?;
    assert_eq!(y.dims(), [2, 3, 2, 7]);
    assert_eq!(floats(&y.narrow(3, 0, 2)?), [0.0; 24]);
    let same = kernels::shortcut_a(&x, 1, 3)?;
    assert_eq!(floats(&same), floats(&x));
    assert!(kernels::shortcut_a(&x, 2, 4).is_err());
    Ok(())
}

#[test]
fn sgd_changes_the_variable_itself() -> Result<()> {
    let w = Var::new(&[1f32, 2.0], &Device::Cpu)?;
    let frozen = w.as_detached_tensor();
    let v = w.zeros_like()?;
    let step = kernels::SgdStep { lr: 0.5, momentum: 0.0, weight_decay: 0.0, nesterov: false };
    kernels::sgd_step(&w, &v, &Tensor::new(&[2f32, 0.0], &Device::Cpu)?, step)?;
    assert_eq!(floats(&frozen), [0.0, 2.0]);
    assert!(kernels::sgd_step(&w, &w, &v, step).is_err(), "shared storage");
    Ok(())
}

#[test]
fn adam_takes_the_steps_of_pytorch() -> Result<()> {
    // torch.optim.Adam(lr=0.1), 2.15, after these three gradients: weights, exp_avg, exp_avg_sq.
    let grads = [[1f32, 0., -0.5], [0.5, 0., 2.], [-3., 1e-3, 0.25]];
    let plain = [
        [0.841504395, -2.06388021, 0.493420303],
        [-0.17400001, 0.000100000005, 0.164499998],
        [0.0102477511, 1.00000019e-09, 0.00430800067],
    ];
    let decayed = [
        [0.835903466, -1.70065248, 0.48778069],
        [-0.14974229, -0.0512016639, 0.179365918],
        [0.0100783631, 0.000108030908, 0.00453396467],
    ];
    for (weight_decay, wanted) in [(0., plain), (0.1, decayed)] {
        let w = Var::new(&[1f32, -2., 0.5], &Device::Cpu)?;
        let (m, v) = (w.zeros_like()?.detach(), w.zeros_like()?.detach());
        for (i, grad) in grads.iter().enumerate() {
            let step = AdamStep { lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay, step: i + 1 };
            kernels::adam_step(&w.as_detached_tensor(), &m, &v, &Tensor::new(grad, &Device::Cpu)?, step)?;
        }
        for (what, (found, wanted)) in ["weights", "mean", "square"].iter().zip([&*w, &m, &v].iter().zip(&wanted)) {
            crate::near::assert_near(what, &floats(found), wanted, 1e-5);
        }
    }
    Ok(())
}
