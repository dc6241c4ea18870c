//! One candle operation after the other.

use super::Flow;
use crate::{Conv2d, Moments, Packing, Statistics};
use candle::{Result, Tensor};

/// The plain way to run a network: each operator is a node of candle's graph.
#[derive(Clone, Copy, Debug)]
pub struct Stepwise;

impl Stepwise {
    /// Begins with [`enter`](crate::enter).
    ///
    /// # Errors
    /// As it.
    pub fn enter(images: &Tensor, mean: &[f32], std: &[f32]) -> Result<(Self, Tensor)> {
        Ok((Self, crate::enter(images, mean, std)?))
    }
}

impl Flow for Stepwise {
    type Value = Tensor;

    fn conv(
        &self,
        x: &Tensor,
        weight: &Tensor,
        geometry: Conv2d,
        packing: &Packing,
        add: Option<&Tensor>,
    ) -> Result<Tensor> {
        let y = crate::conv2d(x, weight, geometry, packing)?;
        add.map_or(Ok(y.clone()), |add| y + add)
    }

    fn batch_norm(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        eps: f32,
        statistics: Statistics<'_>,
        relu: bool,
    ) -> Result<(Tensor, Option<Moments>)> {
        crate::batch_norm(x, gamma, beta, eps, statistics, relu)
    }

    fn bias(&self, x: &Tensor, b: &Tensor, relu: bool) -> Result<Tensor> {
        crate::bias(x, b, relu)
    }

    fn add_relu(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        crate::add_relu(a, b)
    }

    fn shortcut_a(&self, x: &Tensor, stride: usize, channels: usize) -> Result<Tensor> {
        crate::shortcut_a(x, stride, channels)
    }

    fn features(self, x: &Tensor) -> Result<Tensor> {
        crate::global_avg_pool(x)
    }
}
