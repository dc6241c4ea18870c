//! What was done, for the way back.

use super::node::Value;
use crate::conv::Convolution;
use crate::shortcut::Shortcut;
use candle::Tensor;

/// One operator with what it read and made.
#[derive(Debug)]
pub(super) enum Step {
    Conv {
        conv: Convolution,
        weight: Tensor,
        slot: Option<usize>,
        x: Value,
        add: Option<Value>,
        out: Value,
    },
    /// What it read is in `out`. Slots of gamma and beta.
    Norm {
        slots: [Option<usize>; 2],
        out: Value,
    },
    AddRelu {
        a: Value,
        b: Value,
        out: Value,
    },
    ShortcutA {
        shortcut: Shortcut,
        x: Value,
        out: Value,
    },
}

/// Recorded steps, and the parameters among their arguments.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) steps: Vec<Step>,
    /// The tracked parameters; a slot is a place in this list.
    pub(super) parameters: Vec<Tensor>,
}

impl Tape {
    /// A slot for the gradient of a tracked parameter.
    pub(super) fn parameter(&mut self, p: &Tensor) -> Option<usize> {
        p.track_op().then(|| {
            self.parameters.push(p.clone());
            self.parameters.len() - 1
        })
    }
}

impl Step {
    /// The activations it read.
    pub(super) fn reads(&self) -> [Option<&Value>; 2] {
        match self {
            Self::Conv { x, add, .. } => [Some(x), add.as_ref()],
            Self::Norm { out, .. } => [out.norm().map(|n| &n.of), None],
            Self::AddRelu { a, b, .. } => [Some(a), Some(b)],
            Self::ShortcutA { x, .. } => [Some(x), None],
        }
    }

    /// The activation it made.
    pub(super) fn made(&self) -> &Value {
        match self {
            Self::Conv { out, .. }
            | Self::Norm { out, .. }
            | Self::AddRelu { out, .. }
            | Self::ShortcutA { out, .. } => out,
        }
    }
}
