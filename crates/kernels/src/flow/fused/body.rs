//! The network's body in candle's graph: one operation from images to features.
//!
//! An operation of candle's has few arguments, but a network has many parameters. So they reach it
//! through a chain of operations, each of a number that stands for the parameters before it and one
//! parameter more. On the way back the body leaves the gradients where the links find theirs.

use super::node::{Node, Value};
use super::tape::Tape;
use super::{Fused, backward};
use crate::host::view;
use crate::isa::Isa;
use crate::memory::{Out, with_scratch};
use crate::parallel::tasks;
use candle::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use std::sync::{Arc, Mutex, PoisonError};

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
    let gradients = Arc::new(Mutex::new(Vec::new()));
    let mut chain = Tensor::zeros((), DType::F32, images.device())?;
    for (slot, p) in tape.parameters.iter().enumerate() {
        chain = chain.apply_op2(p, Link { slot, gradients: gradients.clone() })?;
    }
    let recorded = Recorded { isa, std, tape, input, last: last.clone(), nodes: next.get(), pixels: h * w };
    let body = Body { recorded, features, gradients };
    if chain.track_op() { images.apply_op2(&chain, body) } else { images.apply_op1(body) }
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
}

/// Gradients of parameters by slot, between the body and its links.
type Gradients = Arc<Mutex<Vec<Option<Tensor>>>>;

struct Body {
    recorded: Recorded,
    features: Vec<f32>,
    gradients: Gradients,
}

impl Body {
    fn forward(&self) -> (CpuStorage, Shape) {
        let last = &self.recorded.last;
        (CpuStorage::F32(self.features.clone()), (last.shape[0], last.channels()).into())
    }

    /// The gradient of the images.
    fn backward(&self, images: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dy = dy.contiguous()?;
        let (images, parameters) = backward::run(&self.recorded, images, &view(NAME, &dy)?)?;
        *self.gradients.lock().unwrap_or_else(PoisonError::into_inner) = parameters;
        Ok(images)
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
        self.backward(images, dy)
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
        chain: &Tensor,
        _features: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.backward(images, dy)?, Some(chain.zeros_like()?)))
    }
}

/// One more parameter.
struct Link {
    slot: usize,
    gradients: Gradients,
}

impl CustomOp2 for Link {
    fn name(&self) -> &'static str {
        "parameter"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), ().into()))
    }

    fn bwd(
        &self,
        chain: &Tensor,
        parameter: &Tensor,
        _out: &Tensor,
        _dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut gradients = self.gradients.lock().unwrap_or_else(PoisonError::into_inner);
        let gradient = gradients.get_mut(self.slot).and_then(Option::take);
        drop(gradients);
        // What nothing depends on has a gradient of zeros, which candle may want to pass on.
        let gradient = gradient.map_or_else(|| parameter.zeros_like(), Ok)?;
        let before = if chain.track_op() { Some(chain.zeros_like()?) } else { None };
        Ok((before, Some(gradient)))
    }
}
