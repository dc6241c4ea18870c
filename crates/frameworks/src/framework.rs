//! What a framework is.

use attacks::{Attack, Keys, Victim};
use candle::{Result, Tensor};
use models::{Mode, Net};
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

    /// The training loss of one batch, averaged over its examples: crafts adversarial `images`
    /// `(N, C, H, W)` against the frozen network, then passes them through the live one.
    ///
    /// # Errors
    /// When the network or a term fails.
    pub fn loss(&self, net: &Net, images: &Tensor, labels: &Tensor, keys: &Keys<'_>) -> Result<Tensor> {
        let (frozen, live) = (net.frozen(), net.live());
        let victim = Victim { model: &frozen, mode: self.attack_mode, objective: &self.inner };
        let adv = self.attack.perturb(victim, images, labels, keys)?;
        let clean = Clean::new(&live, self.clean_mode, images, labels, Stage::Training);
        self.outer.losses(&clean.against_in(Mode::Train, &adv)?)?.mean_all()
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ascends {}; training descends {}", self.name, self.attack, self.inner, self.outer)
    }
}
