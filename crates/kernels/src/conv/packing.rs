//! Weights in the order the kernels read them, made once per update of the weights.

use super::input_grad::InputGradWeights;
use super::{Algorithm, NAME, Shape};
use crate::isa::Isa;
use crate::memory::Buffer;
use candle::{Result, Tensor, bail};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Rearranged copies of one weight tensor, made by [`conv2d`](super::conv2d) when first needed.
///
/// An attack runs the network many times between two updates of the weights, so the owner of the
/// weight keeps one of these beside it, and calls [`Packing::clear`] after each update.
#[derive(Debug, Default)]
pub struct Packing {
    forms: Mutex<Option<Arc<Forms>>>,
    filter: Mutex<Option<Tensor>>,
}

/// What the copies depend on: (O, I, K, stride), the algorithm, the instruction set.
type Origin = ([usize; 4], Algorithm, Isa);

pub(super) struct Forms {
    origin: Origin,
    pub(super) forward: OnceLock<Buffer>,
    pub(super) backward: OnceLock<BackwardForm>,
}

/// Weights rearranged for the input gradient.
pub(super) enum BackwardForm {
    Winograd(Buffer),
    Whole(Buffer),
    Direct(InputGradWeights),
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forms").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Packing {
    /// Forgets the copies. To be called after every change of the weights; a graph recorded before it
    /// must not be differentiated after it, as its copies are of the old weights.
    pub fn clear(&self) {
        *lock(&self.forms) = None;
        *lock(&self.filter) = None;
    }

    pub(super) fn forms(&self, shape: &Shape, algorithm: Algorithm, isa: Isa) -> Result<Arc<Forms>> {
        let origin = ([shape.o, shape.i, shape.k, shape.stride], algorithm, isa);
        let mut held = lock(&self.forms);
        let forms =
            held.get_or_insert_with(|| Arc::new(Forms { origin, forward: OnceLock::new(), backward: OnceLock::new() }));
        if forms.origin != origin {
            bail!(
                "{NAME}: this packing holds a weight of (O, I, K, stride) and form {:?}, not {origin:?}",
                forms.origin
            )
        }
        Ok(forms.clone())
    }

    /// A weight (O, I, K, K) on a GPU in the order cuDNN wants beside channels-last activations, (O, K, K, I).
    pub(crate) fn filter(&self, weight: &Tensor) -> Result<Tensor> {
        let mut held = lock(&self.filter);
        let filter = match &*held {
            Some(filter) => filter.clone(),
            None => held.insert(weight.detach().permute((0, 2, 3, 1))?.contiguous()?).clone(),
        };
        let (o, i, k, _) = weight.dims4()?;
        if filter.dims() != [o, k, k, i] {
            bail!("{NAME}: this packing holds a weight of (O, K, K, I) {:?}, not {:?}", filter.shape(), weight.shape())
        }
        Ok(filter)
    }
}

// What a panicking thread leaves behind is a whole value: it can be used.
fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
