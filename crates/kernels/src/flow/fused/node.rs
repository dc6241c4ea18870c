//! Activations: in memory, or computed from one in memory while they are read.

use crate::memory::Buffer;
use crate::norm::Affine;
use crate::rows::Source;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// An activation of a [`Fused`](super::Fused) network.
#[derive(Clone, Debug)]
pub struct Value(pub(super) Arc<Node>);

/// What a [`Value`] points to; public for its `Deref` only, and not reachable from outside.
#[derive(Debug)]
pub struct Node {
    /// The flow it belongs to.
    pub(super) flow: u64,
    /// Its number there.
    pub(super) id: usize,
    /// (N, H, W, C)
    pub(super) shape: [usize; 4],
    /// Whether its gradient is wanted.
    pub(super) tracked: bool,
    /// How many recorded steps read it.
    pub(super) readers: AtomicUsize,
    pub(super) data: Data,
    /// Mean and variance of each channel, if they were asked for.
    pub(super) moments: OnceLock<(Vec<f32>, Vec<f32>)>,
}

#[derive(Debug)]
pub(super) enum Data {
    Memory(Buffer),
    /// `max(a + b, 0)` in memory; `a` is kept where a gradient is wanted.
    Rectified(Buffer, Option<Value>),
    /// Batch norm of an activation in memory.
    Normed(Norm),
}

#[derive(Debug)]
pub(super) struct Norm {
    pub(super) of: Value,
    pub(super) affine: Affine,
    pub(super) relu: bool,
    /// Whether sums of the gradient are wanted: for those of the batch, or for gamma and beta.
    pub(super) summed: bool,
}

impl std::ops::Deref for Value {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.0
    }
}

impl Node {
    pub(super) fn channels(&self) -> usize {
        self.shape[3]
    }

    pub(super) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub(super) fn source(&self) -> Source<'_> {
        match &self.data {
            Data::Memory(values) | Data::Rectified(values, _) => Source::Plain(values),
            Data::Normed(Norm { of, affine, relu, .. }) => affine.of(of.memory(), *relu),
        }
    }

    /// The values of an activation in memory. Batch norm is only ever of one.
    pub(super) fn memory(&self) -> &[f32] {
        match &self.data {
            Data::Memory(values) | Data::Rectified(values, _) => values,
            Data::Normed(_) => unreachable!("batch norm of batch norm is refused"),
        }
    }

    pub(super) fn norm(&self) -> Option<&Norm> {
        if let Data::Normed(norm) = &self.data { Some(norm) } else { None }
    }

    /// [`Self::norm`] of what is known to be one.
    pub(super) fn made_by_norm(&self) -> &Norm {
        self.norm().unwrap_or_else(|| unreachable!("made by batch norm"))
    }

    /// Whether it is a plain batch norm that only one step reads: then its gradient is the reader's.
    pub(super) fn sole_norm(&self) -> Option<&Norm> {
        self.norm().filter(|n| !n.relu && self.readers.load(Ordering::Relaxed) == 1)
    }

    pub(super) fn read_by_one_more(&self) {
        self.readers.fetch_add(1, Ordering::Relaxed);
    }
}
