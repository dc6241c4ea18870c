//! The layers networks are made of; activations are channels-last, `(N, H, W, C)`.
//!
//! Convolution and batch norm are written against [`Flow`], which decides how they are run.

use crate::{
    Head, Mode,
    parameters::{Init, Parameter, Scope},
};
use candle::{D, Result, Tensor};
use kernels::{Conv2d, Flow, Moments, Packing, Statistics};
use std::sync::Arc;

/// How one forward pass treats weights and batch statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub mode: Mode,
    /// Whether weights are differentiated.
    pub live: bool,
}

/// A convolution without bias.
pub(crate) struct Conv {
    weight: Parameter,
    geometry: Conv2d,
    packing: Arc<Packing>,
}

impl Conv {
    /// A square kernel of side `kernel`; `padding` keeps the size at stride 1 for odd kernels.
    pub(crate) fn new(mut at: Scope<'_>, channels: [usize; 2], kernel: usize, stride: usize) -> Result<Self> {
        Self::padded(&mut at, channels, kernel, Conv2d { stride, padding: kernel / 2 }, Init::HeFanOut)
    }

    fn padded(at: &mut Scope<'_>, [i, o]: [usize; 2], kernel: usize, geometry: Conv2d, init: Init) -> Result<Self> {
        Ok(Self { weight: at.weight("weight", (o, i, kernel, kernel), init)?, geometry, packing: at.packing() })
    }

    pub(crate) fn forward<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        flow.conv(x, &self.weight.seen_by(pass), self.geometry, &self.packing, None)
    }

    /// `conv(x) + carried`.
    pub(crate) fn forward_add<F: Flow>(
        &self,
        flow: &F,
        x: &F::Value,
        carried: &F::Value,
        pass: Pass,
    ) -> Result<F::Value> {
        flow.conv(x, &self.weight.seen_by(pass), self.geometry, &self.packing, Some(carried))
    }
}

/// A convolution with bias, followed by ReLU; initialised as PyTorch does by default.
pub(crate) struct BiasedConv {
    conv: Conv,
    bias: Parameter,
}

impl BiasedConv {
    pub(crate) fn new(mut at: Scope<'_>, channels: [usize; 2], kernel: usize, geometry: Conv2d) -> Result<Self> {
        let init = Init::Uniform { fan_in: channels[0] * kernel * kernel };
        let conv = Conv::padded(&mut at, channels, kernel, geometry, init)?;
        Ok(Self { conv, bias: at.weight("bias", channels[1], init)? })
    }

    pub(crate) fn forward_relu<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        flow.bias(&self.conv.forward(flow, x, pass)?, &self.bias.seen_by(pass), true)
    }
}

/// A fully connected layer with bias on a whole square activation, followed by ReLU.
///
/// Stored as PyTorch's `Linear` behind `Flatten`, (O, I * S * S), which is the memory of a convolution's weight
/// (O, I, S, S): so it runs as one, inside the flow and on weights that are packed once per update.
pub(crate) struct WholeImage {
    weight: Parameter,
    bias: Parameter,
    kernel: [usize; 4],
    packing: Arc<Packing>,
}

impl WholeImage {
    pub(crate) fn new(mut at: Scope<'_>, [i, o]: [usize; 2], side: usize) -> Result<Self> {
        let fan_in = i * side * side;
        let init = Init::Uniform { fan_in };
        let (weight, bias) = (at.weight("weight", (o, fan_in), init)?, at.weight("bias", o, init)?);
        Ok(Self { weight, bias, kernel: [o, i, side, side], packing: at.packing() })
    }

    /// From (N, S, S, I) to (N, 1, 1, O).
    pub(crate) fn forward_relu<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        let weight = self.weight.seen_by(pass).reshape(&self.kernel)?;
        let x = flow.conv(x, &weight, Conv2d { stride: 1, padding: 0 }, &self.packing, None)?;
        flow.bias(&x, &self.bias.seen_by(pass), true)
    }
}

/// Batch normalisation with the three modes of [`Mode`], and ReLU behind it.
pub(crate) struct BatchNorm {
    gamma: Parameter,
    beta: Parameter,
    running_mean: Parameter,
    running_var: Parameter,
}

impl BatchNorm {
    /// PyTorch's defaults.
    const EPS: f32 = 1e-5;
    const MOMENTUM: f64 = 0.1;

    pub(crate) fn new(mut at: Scope<'_>, channels: usize) -> Result<Self> {
        Ok(Self {
            gamma: at.weight("weight", channels, Init::Const(1.))?,
            beta: at.weight("bias", channels, Init::Const(0.))?,
            running_mean: at.buffer("running_mean", channels, 0.)?,
            running_var: at.buffer("running_var", channels, 1.)?,
        })
    }

    pub(crate) fn forward<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        self.apply(flow, x, pass, false)
    }

    pub(crate) fn forward_relu<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass) -> Result<F::Value> {
        self.apply(flow, x, pass, true)
    }

    fn apply<F: Flow>(&self, flow: &F, x: &F::Value, pass: Pass, relu: bool) -> Result<F::Value> {
        let (mean, var) = (self.running_mean.seen_by(pass), self.running_var.seen_by(pass));
        let statistics = match pass.mode {
            Mode::Eval => Statistics::Running { mean: &mean, var: &var },
            Mode::Train | Mode::BatchStats => Statistics::Batch,
        };
        let (gamma, beta) = (self.gamma.seen_by(pass), self.beta.seen_by(pass));
        let (y, moments) = flow.batch_norm(x, &gamma, &beta, Self::EPS, statistics, relu)?;
        match moments {
            Some(moments) if pass.mode == Mode::Train => self.track(&moments)?,
            _ => {}
        }
        Ok(y)
    }

    /// PyTorch's rule: the running variance follows the unbiased variance of the batch.
    fn track(&self, Moments { mean, var, count }: &Moments) -> Result<()> {
        let unbias = *count as f64 / count.saturating_sub(1).max(1) as f64;
        for (running, batch) in [(&self.running_mean, mean.clone()), (&self.running_var, (var * unbias)?)] {
            let old = (running.var().as_detached_tensor() * (1. - Self::MOMENTUM))?;
            running.var().set(&(old + (batch * Self::MOMENTUM)?)?)?;
        }
        Ok(())
    }
}

/// The last layer of a network: from features `(N, D)` to logits `(N, K)`.
pub(crate) enum Classifier {
    Linear(Linear),
    Cosine { weight: Parameter, scale: f64 },
}

impl Classifier {
    /// As the whole network is to have it.
    pub(crate) fn new(mut at: Scope<'_>, [i, o]: [usize; 2]) -> Result<Self> {
        Ok(match at.head() {
            Head::Linear => Self::Linear(Linear::new(at, [i, o])?),
            Head::Cosine { scale } => {
                Self::Cosine { weight: at.weight("weight", (o, i), Init::Uniform { fan_in: i })?, scale }
            }
        })
    }

    pub(crate) fn forward(&self, features: &Tensor, pass: Pass) -> Result<Tensor> {
        match self {
            Self::Linear(linear) => linear.forward(features, pass),
            Self::Cosine { weight, scale } => {
                let weight = normalized(&weight.seen_by(pass))?;
                product(&normalized(features)?, &weight)? * *scale
            }
        }
    }
}

/// Rows of `(N, F)` divided by `max(||row||, 1e-12)`.
///
/// # Errors
/// When `rows` has no axes.
pub fn normalized(rows: &Tensor) -> Result<Tensor> {
    // The floor sits under the root: a zero row then has a finite gradient instead of 0/0.
    rows.broadcast_div(&rows.sqr()?.sum_keepdim(D::Minus1)?.maximum(1e-24)?.sqrt()?)
}

/// A fully connected layer.
pub(crate) struct Linear {
    weight: Parameter,
    bias: Parameter,
}

impl Linear {
    pub(crate) fn new(mut at: Scope<'_>, [i, o]: [usize; 2]) -> Result<Self> {
        let init = Init::Uniform { fan_in: i };
        Ok(Self { weight: at.weight("weight", (o, i), init)?, bias: at.weight("bias", o, init)? })
    }

    pub(crate) fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        kernels::bias(&product(x, &self.weight.seen_by(pass))?, &self.bias.seen_by(pass), false)
    }

    pub(crate) fn forward_relu(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        kernels::bias(&product(x, &self.weight.seen_by(pass))?, &self.bias.seen_by(pass), true)
    }
}

/// `x w^T` for rows `x` `(N, D)` and a weight `(K, D)`: `(N, K)`, on a processor with the same bits in each row whatever
/// `N` is.
///
/// The product of matrices adds up in another order where there are few rows: in this layout if there are no more than
/// 256 results, or no more than 64 rows of more than 512 numbers. Rows of zeros take it past both.
fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let ((n, d), weight) = (x.dims2()?, weight.t()?);
    let enough = (256 / weight.dim(1)? + 1).max(if d > 512 { 65 } else { 1 });
    if n >= enough || !x.device().is_cpu() {
        return x.matmul(&weight);
    }
    x.pad_with_zeros(0, 0, enough - n)?.matmul(&weight)?.narrow(0, 0, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle::{Device, Var};

    /// Numbers that differ, without chance.
    fn numbers(rows: usize, columns: usize) -> Result<Tensor> {
        let numbers: Vec<f32> = (0..rows * columns).map(|i| (i as f32 * 0.37).sin()).collect();
        Tensor::from_vec(numbers, (rows, columns), &Device::Cpu)
    }

    fn bits(t: &Tensor) -> Result<Vec<u32>> {
        Ok(t.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
    }

    /// Verdicts are kept for good, and asked for in batches of other sizes later.
    #[test]
    fn a_row_of_a_product_has_the_same_bits_in_any_batch() -> Result<()> {
        for (k, d) in [(10, 64), (10, 512), (10, 640), (3, 100), (100, 512), (200, 640)] {
            let (weight, all, up) = (numbers(k, d)?, numbers(140, d)?, numbers(140, k)?);
            let of = |n: usize| {
                let x = Var::from_tensor(&all.narrow(0, 0, n)?.copy()?)?;
                let y = product(&x, &weight)?;
                let grads = (&y * up.narrow(0, 0, n)?)?.sum_all()?.backward()?;
                Ok::<_, candle::Error>((bits(&y)?, bits(grads.get(&x).expect("it depends on x"))?))
            };
            let whole = of(140)?;
            for n in (1..140).step_by(if d > 512 { 3 } else { 2 }) {
                let (y, gradient) = of(n)?;
                assert!(y == whole.0[..n * k], "{n} rows of {d} to {k}");
                assert!(gradient == whole.1[..n * d], "gradient of {n} rows of {d} to {k}");
            }
        }
        Ok(())
    }
}
