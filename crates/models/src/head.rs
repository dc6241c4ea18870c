//! The last layer by name.

use std::{fmt, str::FromStr};

/// How features become logits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Head {
    /// `W z + b`.
    #[default]
    Linear,
    /// `scale * cos(w_k, z)`: features and the rows of W are divided by their Euclidean norm, and there is no
    /// bias. The classifier of hypersphere embedding (Pang et al. 2020).
    Cosine {
        /// The largest logit there can be.
        scale: f64,
    },
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear => f.write_str("linear"),
            Self::Cosine { scale } => write!(f, "cosine-{scale}"),
        }
    }
}

/// A last layer nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown head `{0}`; known: linear, cosine-SCALE (e.g. cosine-15)")]
pub struct UnknownHead(String);

impl FromStr for Head {
    type Err = UnknownHead;

    fn from_str(name: &str) -> Result<Self, UnknownHead> {
        match (name, name.strip_prefix("cosine-").map(str::parse::<f64>)) {
            ("linear", _) => Ok(Self::Linear),
            (_, Some(Ok(scale))) if scale.is_finite() && scale > 0. => Ok(Self::Cosine { scale }),
            _ => Err(UnknownHead(name.into())),
        }
    }
}
