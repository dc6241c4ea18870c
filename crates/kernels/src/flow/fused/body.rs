//! The network's body in candle's graph: one operation from images (and parameters) to features.

use super::node::{Node, Value};
use super::tape::Tape;
use super::{Fused, backward};
use crate::host::view;
use crate::isa::Isa;
use crate::memory::{Out, with_scratch};
use crate::parallel::tasks;
use candle::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use std::sync::Arc;

const NAME: &str = "network";

/// The mean of the last activation over its pixels, as a tensor (N, C) candle can differentiate.
pub(super) fn features(flow: Fused, last: &Value) -> Result<Tensor> {
    let [n, h, w, c] = last.shape;
    if last.len() == 0 {
        bail!("features: no values in {:?}", last.shape)
    }
    let mut features = vec![0.0; n * c];
    average(flow.isa, last, &mut features);
    let Fused { isa, images, std, input, tape, next, .. } = flow;
    if !last.tracked {
        return Tensor::from_vec(features, (n, c), images.device());
    }
    let tape = tape.into_inner();
    // Gradients of parameters leave as one vector: an operation of candle's has few arguments, but
    // joining many tensors is one that it differentiates itself.
    let flat: Vec<Tensor> = tape.parameters.iter().map(Tensor::flatten_all).collect::<Result<_>>()?;
    let nodes = next.get();
    let body = Body(Arc::new(Recorded { isa, std, tape, input, last: last.clone(), nodes, features, pixels: h * w }));
    if flat.is_empty() { images.apply_op1(body) } else { images.apply_op2(&Tensor::cat(&flat, 0)?, body) }
}

fn average(isa: Isa, x: &Node, features: &mut [f32]) {
    let (source, c) = (x.source(), x.channels());
    let size = x.shape[1] * x.shape[2] * c;
    source.assert_channels(c);
    let out = Out::new(features);
    tasks(x.shape[0], x.len() / 4, |n| {
        with_scratch(size, |values| {
            // SAFETY: image n exists, the scratch holds one image; row n is this task's alone.
            let (values, mean) = unsafe {
                source.fill(isa, c, n * size, size, values);
                (core::slice::from_raw_parts(values, size), core::slice::from_raw_parts_mut(out.at(n * c), c))
            };
            for pixel in values.chunks_exact(c) {
                for (m, v) in mean.iter_mut().zip(pixel) {
                    *m += v;
                }
            }
            for m in mean {
                *m /= (size / c) as f32;
            }
        })
    });
}

/// All that the way back needs.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) isa: Isa,
    pub(super) std: Vec<f32>,
    pub(super) tape: Tape,
    pub(super) input: Value,
    pub(super) last: Value,
    /// Number of nodes.
    pub(super) nodes: usize,
    /// Pixels of the last activation.
    pub(super) pixels: usize,
    features: Vec<f32>,
}

struct Body(Arc<Recorded>);

impl Body {
    fn forward(&self) -> (CpuStorage, Shape) {
        let r = &self.0;
        (CpuStorage::F32(r.features.clone()), (r.last.shape[0], r.last.channels()).into())
    }

    fn backward(&self, images: &Tensor, dy: &Tensor) -> Result<backward::Gradients> {
        let dy = dy.contiguous()?;
        backward::run(&self.0, images, &view(NAME, &dy)?)
    }
}

impl CustomOp1 for Body {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _images: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(self.forward())
    }

    fn bwd(&self, images: &Tensor, _features: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.backward(images, dy)?.images)
    }
}

impl CustomOp2 for Body {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(self.forward())
    }

    fn bwd(
        &self,
        images: &Tensor,
        _parameters: &Tensor,
        _features: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradients = self.backward(images, dy)?;
        Ok((gradients.images, gradients.parameters))
    }
}
