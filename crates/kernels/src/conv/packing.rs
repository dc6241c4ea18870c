//! Weights in the order the kernels read them, made once per update of the weights.

use super::input_grad::InputGradWeights;
use super::{Algorithm, NAME, Shape};
use crate::isa::Isa;
use crate::memory::Buffer;
use candle::{Result, bail};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Rearranged copies of one weight tensor, made by [`conv2d`](super::conv2d) when first needed.
///
/// An attack runs the network many times between two updates of the weights, so the owner of the
/// weight keeps one of these beside it, and calls [`Packing::clear`] after each update.
#[derive(Debug, Default)]
pub struct Packing(Mutex<Option<Arc<Forms>>>);

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
    Direct(InputGradWeights),
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forms").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// The value in `cell`, made by `make` if there is none. Not `get_or_init`: `make` uses rayon, whose
/// thread could take up a task that waits for the same cell, for ever. Two threads may do the work
/// twice instead.
pub(super) fn made_once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> T) -> &T {
    if cell.get().is_none() {
        let _ = cell.set(make());
    }
    cell.get().unwrap_or_else(|| unreachable!("just set"))
}

impl Packing {
    /// Forgets the copies. To be called after every change of the weights.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    pub(super) fn forms(&self, shape: &Shape, algorithm: Algorithm, isa: Isa) -> Result<Arc<Forms>> {
        let origin = ([shape.o, shape.i, shape.k, shape.stride], algorithm, isa);
        let mut held = self.lock();
        let forms =
            held.get_or_insert_with(|| Arc::new(Forms { origin, forward: OnceLock::new(), backward: OnceLock::new() }));
        if forms.origin != origin {
            bail!("{NAME}: this packing holds weights of (O, I, K, stride) {:?}, not {:?}", forms.origin.0, origin.0)
        }
        Ok(forms.clone())
    }

    // What a panicking thread leaves behind is a whole value: it can be used.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Forms>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
