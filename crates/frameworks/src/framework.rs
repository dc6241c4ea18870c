//! What a framework is.

use crate::Awp;
use attacks::{Attack, Keys, Victim};
use candle::{Result, Tensor, backprop::GradStore};
use models::{Head, Mode, Net};
use objectives::{Clean, Objective, Stage};
use std::{fmt, str::FromStr, sync::Arc};

/// The min-max game that one training recipe plays.
#[derive(Clone)]
pub struct Framework {
    /// As printed in tables.
    pub name: String,
    /// How adversarial examples are crafted.
    pub attack: Arc<dyn Attack>,
    /// Batch-norm mode while crafting.
    pub attack_mode: Mode,
    /// Batch-norm mode of the clean pass in training. [`Mode::BatchStats`] where the method itself has no
    /// clean pass: a regulariser that needs one must not change which images the running statistics follow.
    pub clean_mode: Mode,
    /// Ascended by the attack.
    pub inner: Objective,
    /// Descended by training.
    pub outer: Objective,
    /// The last layer of the network that the method trains.
    pub head: Head,
    /// How far weights are moved against training while its loss is differentiated.
    pub awp: Option<Awp>,
    /// How much of a label's weight cross-entropies of training spread over all classes.
    pub label_smoothing: f64,
}

/// Where a regulariser acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In crafting adversarial examples only.
    Generation,
    /// In the training loss only.
    Training,
    /// In both, as the paper has it.
    Both,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generation => "generation",
            Self::Training => "training",
            Self::Both => "both",
        })
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        match s {
            "generation" => Ok(Self::Generation),
            "training" => Ok(Self::Training),
            "both" => Ok(Self::Both),
            _ => Err(format!("unknown place `{s}`; known: generation, training, both")),
        }
    }
}

impl Framework {
    /// The same game with `regularizer` added at `place`, called `name + label`.
    #[must_use]
    pub fn regularized(&self, label: &str, regularizer: &Objective, place: Place) -> Self {
        let mut game = Self { name: format!("{} + {label}", self.name), ..self.clone() };
        if place != Place::Training {
            game.inner = game.inner + regularizer.clone();
        }
        if place != Place::Generation {
            game.outer = game.outer + regularizer.clone();
        }
        game
    }

    /// The same game against perturbed weights.
    #[must_use]
    pub fn with_awp(self, awp: Awp) -> Self {
        Self { name: format!("{} + AWP", self.name), awp: Some(awp), ..self }
    }

    /// The same game on smoothed labels.
    #[must_use]
    pub fn smoothed(self, label_smoothing: f64) -> Self {
        Self { name: format!("{} + LS", self.name), label_smoothing, ..self }
    }

    /// The loss of one batch that training descends, averaged over its examples, and its gradients: crafts
    /// adversarial `images` `(N, C, H, W)` against the frozen network, then passes them through the live one.
    /// Terms that learn have learnt from it; the weights are as they were.
    ///
    /// # Errors
    /// When the network or a term fails.
    pub fn gradients(
        &self,
        net: &mut Net,
        images: &Tensor,
        labels: &Tensor,
        keys: &Keys<'_>,
    ) -> Result<(Tensor, GradStore)> {
        let victim = Victim { model: &net.frozen(), mode: self.attack_mode, objective: &self.inner };
        let adv = self.attack.perturb(victim, images, labels, keys)?;
        let loss = |net: &Net, stage| self.loss(net, images, labels, &adv, stage);
        let (loss, grads) = match self.awp {
            Some(awp) => awp.gradients(net, loss)?,
            None => {
                let loss = loss(net, Stage::Training)?;
                let grads = loss.backward()?;
                (loss.detach(), grads)
            }
        };
        self.outer.learn(&grads)?;
        Ok((loss, grads))
    }

    fn loss(&self, net: &Net, images: &Tensor, labels: &Tensor, adv: &Tensor, stage: Stage) -> Result<Tensor> {
        let live = net.live();
        let clean = Clean::new(&live, self.clean_mode, images, labels, stage).smoothed(self.label_smoothing);
        self.outer.losses(&clean.against_in(Mode::Train, adv)?)?.mean_all()
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statistics = match self.attack_mode {
            Mode::Eval => "running",
            Mode::BatchStats | Mode::Train => "batch",
        };
        write!(f, "{}: {} ascends {} (batch norm: {statistics} statistics)", self.name, self.attack, self.inner)?;
        write!(f, "; training descends {}", self.outer)?;
        if self.label_smoothing != 0. {
            write!(f, " on labels smoothed by {}", self.label_smoothing)?;
        }
        if let Some(Awp { gamma }) = self.awp {
            write!(f, " at weights moved by {gamma} of their length")?;
        }
        match self.head {
            Head::Linear => Ok(()),
            Head::Cosine { .. } => write!(f, "; {} head", self.head),
        }
    }
}
