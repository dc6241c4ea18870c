//! Weight averaging: the network that is measured and kept is a mean over those that training passes through.

use candle::{Result, Tensor};
use models::Net;
use std::{collections::BTreeMap, fmt, str::FromStr};

/// How weights are averaged over training. Running statistics are averaged like weights (Izmailov et al. pass the
/// training set again instead).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Averaging {
    /// `ema-DECAY`: after every step `m <- decay m + (1 - decay) w` (Rebuffi et al. 2021 use 0.995). The mean starts at
    /// the first step's weights.
    Ema {
        /// Weight of the past, in `(0, 1)`.
        decay: f64,
    },
    /// `swa-FROM`: stochastic weight averaging (Izmailov et al. 2018), the plain mean of the weights after each epoch
    /// that ends past this share of training; until then the weights as they are.
    Swa {
        /// Share of training, in `[0, 1)`.
        from: f64,
    },
}

impl fmt::Display for Averaging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ema { decay } => write!(f, "ema-{decay}"),
            Self::Swa { from } => write!(f, "swa-{from}"),
        }
    }
}

/// A way of averaging nobody knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown averaging `{0}`; known: ema-DECAY with 0 < DECAY < 1 (ema-0.995), swa-FROM with 0 <= FROM < 1 (swa-0.5)"
)]
pub struct UnknownAveraging(String);

impl FromStr for Averaging {
    type Err = UnknownAveraging;

    fn from_str(name: &str) -> std::result::Result<Self, UnknownAveraging> {
        let number = |prefix| name.strip_prefix(prefix).and_then(|text: &str| text.parse::<f64>().ok());
        match (number("ema-"), number("swa-")) {
            (Some(decay), _) if decay > 0. && decay < 1. => Ok(Self::Ema { decay }),
            (_, Some(from)) if (0. ..1.).contains(&from) => Ok(Self::Swa { from }),
            _ => Err(UnknownAveraging(name.into())),
        }
    }
}

/// The mean so far.
pub(crate) struct Average {
    averaging: Averaging,
    count: usize,
    mean: BTreeMap<String, Tensor>,
}

/// Where the number of averaged networks stands in a state.
const COUNT: &str = "count";

impl Average {
    pub(crate) fn new(averaging: Averaging) -> Self {
        Self { averaging, count: 0, mean: BTreeMap::new() }
    }

    /// A step is done.
    pub(crate) fn step(&mut self, net: &Net) -> Result<()> {
        match self.averaging {
            Averaging::Ema { decay } => self.add(net, 1. - decay),
            Averaging::Swa { .. } => Ok(()),
        }
    }

    /// Epoch `epoch` of `epochs`, counted from 1, is done; being told so twice changes nothing.
    pub(crate) fn epoch(&mut self, net: &Net, epoch: usize, epochs: usize) -> Result<()> {
        let Averaging::Swa { from } = self.averaging else { return Ok(()) };
        // A share such as 0.29 is not quite itself in binary.
        let past = from * epochs as f64 + 1e-9;
        let due = (1..=epoch).filter(|epoch| *epoch as f64 > past).count();
        if self.count < due { self.add(net, 1. / due as f64) } else { Ok(()) }
    }

    /// Moves the mean by `share` of the way to the weights of `net`.
    fn add(&mut self, net: &Net, share: f64) -> Result<()> {
        for (name, parameter) in net.parameters().iter() {
            let now = parameter.var().as_detached_tensor();
            let moved = match self.mean.get(name) {
                None => now.copy()?,
                Some(mean) => (mean + ((now - mean)? * share)?)?,
            };
            self.mean.insert(name.to_owned(), moved);
        }
        self.count += 1;
        Ok(())
    }

    /// The mean, if anything was averaged yet.
    pub(crate) fn mean(&self) -> Option<&BTreeMap<String, Tensor>> {
        (self.count > 0).then_some(&self.mean)
    }

    /// Everything that going on takes.
    pub(crate) fn state(&self, net: &Net) -> Result<BTreeMap<String, Tensor>> {
        let mut state = self.mean.clone();
        if let Some((_, parameter)) = net.parameters().iter().next() {
            state.insert(COUNT.into(), Tensor::new(self.count as f32, parameter.var().device())?);
        }
        Ok(state)
    }

    /// Goes on from a state.
    pub(crate) fn load(&mut self, state: &BTreeMap<String, Tensor>, net: &Net) -> Result<()> {
        let Some(count) = state.get(COUNT) else { candle::bail!("the saved state has no averaged weights") };
        let count = count.to_scalar::<f32>()? as usize;
        let mut mean = BTreeMap::new();
        for (name, parameter) in net.parameters().iter().filter(|_| count > 0) {
            match state.get(name) {
                Some(saved) if saved.dims() == parameter.var().dims() => {
                    mean.insert(name.to_owned(), saved.to_device(parameter.var().device())?)
                }
                _ => candle::bail!("the saved state has no fitting average of {name}"),
            };
        }
        (self.count, self.mean) = (count, mean);
        Ok(())
    }
}
