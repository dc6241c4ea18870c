//! The three passes of a convolution on slices, for benchmarks and for tests that name the
//! instruction set and the algorithm.

use super::{Algorithm, Conv2d, Convolution, Packing, Shape};
use crate::isa::Isa;
use crate::rows::{Finish, Source};
use candle::Result;

/// One convolution outside of candle's graph.
#[doc(hidden)]
#[derive(Debug)]
pub struct ConvPasses(Convolution);

impl ConvPasses {
    /// For an input (N, H, W, I) and a weight (O, I, K, K).
    pub fn new(isa: Isa, direct_only: bool, x: [usize; 4], weight: [usize; 4], geometry: Conv2d) -> Result<Self> {
        let shape = Shape::new(&x, &weight, geometry)?;
        let algorithm = Algorithm::of(&shape, direct_only);
        let forms = Packing::default().forms(&shape, algorithm, isa)?;
        Ok(Self(Convolution { shape, algorithm, isa, forms }))
    }
    /// (N, H', W', O)
    pub fn output(&self) -> [usize; 4] {
        self.0.output()
    }
    /// Rearranges the weights for forward pass and input gradient, and forgets them.
    pub fn pack(&self, weight: &[f32]) {
        self.0.pack_forward(weight);
        self.0.pack_backward(weight);
    }
    /// `y` from `x`.
    pub fn forward(&self, x: &[f32], weight: &[f32], y: &mut [f32]) {
        self.0.forward(&Source::Plain(x), weight, y, &Finish::default());
    }
    /// `dx` from `dy`.
    pub fn input_grad(&self, dy: &[f32], weight: &[f32], dx: &mut [f32]) {
        self.0.input_grad(&Source::Plain(dy), weight, dx, &Finish::default());
    }
    /// `dw` (O, I, K, K) from `x` and `dy`.
    pub fn weight_grad(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        self.0.weight_grad(x, dy, dw);
    }
}
