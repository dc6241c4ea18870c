//! Adversarial-training frameworks, and the loop that trains them.
//!
//! A framework is a value: how adversarial examples are crafted, what crafting ascends and what
//! training descends. [`Framework::regularized`] adds a regulariser to either side or both.

mod alp;
mod awp;
mod fast_at;
mod framework;
mod mart;
mod pgd_at;
mod schedule;
mod sgd;
mod standard;
mod trades;
mod trainer;

pub use alp::alp;
pub use awp::{Awp, Directions, weight_direction};
pub use fast_at::fast_at;
pub use framework::{Framework, Place};
pub use mart::mart;
pub use pgd_at::pgd_at;
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};
pub use standard::standard;
pub use trades::trades;
pub use trainer::{Epoch, Resume, Step, Trainer, TrainingConfig};

use attacks::Ball;

/// Makes a framework against a threat model, crafting with so many gradient steps.
pub type Make = fn(Ball, usize) -> Framework;

/// Every framework by the name the command line and CSV files use, in the order tables list them.
pub const ALL: [(&str, Make); 6] = [
    ("standard", |_, _| standard()),
    ("pgd-at", pgd_at),
    ("trades", |ball, steps| trades(ball, steps, trades::BETA)),
    ("mart", |ball, steps| mart(ball, steps, mart::LAMBDA)),
    ("alp", |ball, steps| alp(ball, steps, alp::WEIGHT)),
    ("fast-at", |ball, _| fast_at(ball)),
];

/// A framework nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown framework `{name}`; known: {known}")]
pub struct UnknownFramework {
    name: String,
    known: String,
}

/// The framework called `name` against the threat model `ball`, crafting with `steps` gradient steps
/// (10 in the literature; methods that define their own number ignore it).
///
/// # Errors
/// When no framework has that name.
pub fn named(name: &str, ball: Ball, steps: usize) -> Result<Framework, UnknownFramework> {
    let found = ALL.iter().find(|(known, _)| *known == name);
    let known = || ALL.map(|(known, _)| known).join(", ");
    found.map(|(_, make)| make(ball, steps)).ok_or_else(|| UnknownFramework { name: name.into(), known: known() })
}
