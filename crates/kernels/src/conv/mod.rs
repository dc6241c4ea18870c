//! Two-dimensional convolution of channels-last activations.
//!
//! | kernel | forward and input gradient | weight gradient |
//! |---|---|---|
//! | 3x3 of stride 1, channels multiples of 16 | Winograd F(4x4, 3x3) | Winograd |
//! | as large as the image | [`whole`] images as rows of a product | direct |
//! | any other | [`direct`] implicit product | direct |
//!
//! `I2FR_CONV=direct` takes the last line for all.

mod direct;
mod input_grad;
mod packing;
mod passes;
#[cfg(test)]
mod tests;
mod tile;
mod weight_grad;
mod whole;
mod window;
mod winograd;

use crate::cuda;
use crate::host::{check, floats, produce, tensor, view};
use crate::isa::{Isa, direct_only, isa};
use crate::memory::{Buffer, Out, made_once};
use crate::rows::{Finish, Source};
use candle::{CpuStorage, CustomOp2, Layout, Result, Tensor, bail};
pub use packing::Packing;
use packing::{BackwardForm, Forms};
pub use passes::ConvPasses;
use std::sync::Arc;
use window::Window;

pub(crate) const NAME: &str = "conv2d";

/// What a convolution has besides its weights: the same stride and zero padding on both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Step between windows, at least 1.
    pub stride: usize,
    /// Rows and columns of zeros around the input, fewer than the kernel has.
    pub padding: usize,
}

/// Convolves `x` (N, H, W, I) with `weight` (O, I, K, K) into (N, H', W', O), where
/// H' = (H + 2 padding - K) / stride + 1.
///
/// Differentiable in both; the gradient of the weight has the weight's layout and is not computed
/// for a detached weight, nor is that of a detached input. `packing` belongs to this weight: it keeps
/// rearranged copies until [`Packing::clear`].
///
/// # Errors
/// Tensors that are not f32 on one device, shapes that do not fit, a padding of the kernel's size or
/// more, a packing made for another shape of weight.
pub fn conv2d(x: &Tensor, weight: &Tensor, geometry: Conv2d, packing: &Packing) -> Result<Tensor> {
    check(NAME, &[x, weight])?;
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    if x.device().is_cuda() {
        return cuda::conv2d(&x, &weight, Shape::new(x.dims(), weight.dims(), geometry)?, packing);
    }
    x.apply_op2(&weight, Convolution::new(isa(), x.dims(), weight.dims(), geometry, packing)?)
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Winograd,
    Whole,
    Direct,
}

impl Algorithm {
    fn of(shape: &Shape, direct_only: bool) -> Self {
        match direct_only {
            false if shape.suits_winograd() => Self::Winograd,
            false if shape.is_whole() => Self::Whole,
            _ => Self::Direct,
        }
    }
}

/// What is computed of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pass {
    /// The output, from input and weight.
    Forward,
    /// The gradient of the input, from the output's and the weight.
    InputGrad,
    /// The gradient of the weight, from the input and the output's.
    WeightGrad,
}

/// All sizes of one convolution, checked: N images (h, w, i) to (oh, ow, o).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) n: usize,
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) i: usize,
    pub(crate) o: usize,
    pub(crate) k: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) oh: usize,
    pub(crate) ow: usize,
}

impl Shape {
    fn new(x: &[usize], weight: &[usize], Conv2d { stride, padding }: Conv2d) -> Result<Self> {
        let (&[n, h, w, c], &[o, i, k, k2]) = (x, weight) else {
            bail!("{NAME}: expected (N, H, W, C) and (O, I, K, K), got {x:?} and {weight:?}")
        };
        if c != i || k != k2 || k == 0 || i == 0 || o == 0 {
            bail!("{NAME}: input {x:?} does not fit weight {weight:?}")
        }
        if h == 0 || w == 0 || stride == 0 || padding >= k || h + 2 * padding < k || w + 2 * padding < k {
            bail!("{NAME}: stride {stride}, padding {padding} do not fit input {x:?}, weight {weight:?}")
        }
        let out = |size: usize| (size + 2 * padding - k) / stride + 1;
        Ok(Self { n, h, w, i, o, k, stride, padding, oh: out(h), ow: out(w) })
    }

    /// Values that a pass makes.
    #[cfg(feature = "cuda")]
    pub(crate) fn len_of_result(&self, pass: Pass) -> usize {
        match pass {
            Pass::Forward => self.n * self.oh * self.ow * self.o,
            Pass::InputGrad => self.n * self.h * self.w * self.i,
            Pass::WeightGrad => self.o * self.i * self.k * self.k,
        }
    }

    fn suits_winograd(&self) -> bool {
        self.k == 3 && self.stride == 1 && self.i.is_multiple_of(16) && self.o.is_multiple_of(16)
    }

    /// The windows of the forward pass.
    fn window(&self) -> Window {
        Window {
            h: self.h,
            w: self.w,
            c: self.i,
            kh: self.k,
            kw: self.k,
            stride: self.stride,
            top: self.padding as isize,
            left: self.padding as isize,
            gh: self.oh,
            gw: self.ow,
        }
    }

    fn pack_forward(&self, isa: Isa, w: &[f32]) -> Buffer {
        let (i, k) = (self.i, self.k);
        direct::pack(isa, k, k * i, self.o, |ky, run, o| w[((o * i + run % i) * k + ky) * k + run / i])
    }

    fn direct_forward(&self, isa: Isa, x: &Source<'_>, packed: &[f32], y: &mut [f32], finish: &Finish<'_>) {
        let window = self.window();
        let (rows, cols) = (0..self.oh, 0..self.ow);
        let part = direct::Part { taps: (self.k, self.k), skip: (0, 0), rows, cols, y0: 0, x0: 0, packed };
        let (h, w, columns, parts) = (self.oh, self.ow, self.o, vec![part]);
        let product = direct::Product { window, h, w, step: 1, columns, parts, base: 0 };
        // SAFETY: y has the size `Convolution` asserted, `run` checks x and the weights.
        unsafe { product.run(isa, self.n, x, Out::new(y), finish) }
    }

    /// The same convolution seen from its output: what the input gradient of Winograd computes.
    fn transposed(&self) -> Self {
        let (h, w, oh, ow) = (self.oh, self.ow, self.h, self.w);
        Self { h, w, i: self.o, o: self.i, padding: self.k - 1 - self.padding, oh, ow, ..*self }
    }
}

/// One convolution with the copies of its weight.
#[derive(Debug)]
pub(crate) struct Convolution {
    shape: Shape,
    algorithm: Algorithm,
    isa: Isa,
    forms: Arc<Forms>,
}

impl Convolution {
    /// Of `x` (N, H, W, I) with a weight (O, I, K, K).
    pub(crate) fn new(isa: Isa, x: &[usize], weight: &[usize], geometry: Conv2d, packing: &Packing) -> Result<Self> {
        let shape = Shape::new(x, weight, geometry)?;
        let algorithm = Algorithm::of(&shape, direct_only());
        let forms = packing.forms(&shape, algorithm, isa)?;
        Ok(Self { shape, algorithm, isa, forms })
    }

    /// (N, H', W', O)
    pub(crate) fn output(&self) -> [usize; 4] {
        let s = &self.shape;
        [s.n, s.oh, s.ow, s.o]
    }

    fn pack_forward(&self, w: &[f32]) -> Buffer {
        match self.algorithm {
            Algorithm::Winograd => winograd::pack_forward(self.isa, &self.shape, w),
            Algorithm::Whole | Algorithm::Direct => self.shape.pack_forward(self.isa, w),
        }
    }

    fn pack_backward(&self, w: &[f32]) -> BackwardForm {
        match self.algorithm {
            Algorithm::Winograd => BackwardForm::Winograd(winograd::pack_backward(self.isa, &self.shape, w)),
            Algorithm::Whole => BackwardForm::Whole(self.shape.pack_whole_input_grad(self.isa, w)),
            Algorithm::Direct => BackwardForm::Direct(self.shape.pack_input_grad(self.isa, w)),
        }
    }

    /// The kernels work with pointers and rely on these lengths.
    fn assert_lengths(&self, x: usize, w: usize, y: usize) {
        let s = &self.shape;
        assert_eq!(x, s.n * s.h * s.w * s.i, "{NAME}: input {s:?}");
        assert_eq!(w, s.o * s.i * s.k * s.k, "{NAME}: weight {s:?}");
        assert_eq!(y, s.n * s.oh * s.ow * s.o, "{NAME}: output {s:?}");
    }

    pub(crate) fn forward(&self, x: &Source<'_>, w: &[f32], y: &mut [f32], finish: &Finish<'_>) {
        self.assert_lengths(x.len(), w.len(), y.len());
        let packed = made_once(&self.forms.forward, || self.pack_forward(w));
        match self.algorithm {
            Algorithm::Winograd => winograd::convolve(self.isa, &self.shape, x, packed, y, finish),
            Algorithm::Whole => self.shape.whole_forward(self.isa, x, packed, y, finish),
            Algorithm::Direct => self.shape.direct_forward(self.isa, x, packed, y, finish),
        }
    }

    pub(crate) fn input_grad(&self, dy: &Source<'_>, w: &[f32], dx: &mut [f32], finish: &Finish<'_>) {
        self.assert_lengths(dx.len(), w.len(), dy.len());
        match made_once(&self.forms.backward, || self.pack_backward(w)) {
            BackwardForm::Winograd(packed) => {
                winograd::convolve(self.isa, &self.shape.transposed(), dy, packed, dx, finish)
            }
            BackwardForm::Whole(packed) => self.shape.whole_input_grad(self.isa, dy, packed, dx, finish),
            BackwardForm::Direct(packed) => self.shape.direct_input_grad(self.isa, dy, packed, dx, finish),
        }
    }

    pub(crate) fn weight_grad(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        self.assert_lengths(x.len(), dw.len(), dy.len());
        match self.algorithm {
            Algorithm::Winograd => winograd::weight_grad(self.isa, &self.shape, x, dy, dw),
            Algorithm::Whole | Algorithm::Direct => self.shape.direct_weight_grad(self.isa, x, dy, dw),
        }
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, candle::Shape)> {
        let (x, w) = (floats(NAME, x, lx)?, floats(NAME, w, lw)?);
        let s = &self.shape;
        let finish = Finish::default();
        Ok(produce((s.n, s.oh, s.ow, s.o), |y| self.forward(&Source::Plain(x), w, y, &finish)))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        let dy = view(NAME, &dy)?;
        let dx = if x.track_op() {
            let w = view(NAME, w)?;
            Some(tensor(x.shape(), |dx| self.input_grad(&Source::Plain(&dy), &w, dx, &Finish::default()))?)
        } else {
            None
        };
        let dw = if w.track_op() {
            let x = view(NAME, x)?;
            Some(tensor(w.shape(), |dw| self.weight_grad(&x, &dy, dw))?)
        } else {
            None
        };
        Ok((dx, dw))
    }
}
