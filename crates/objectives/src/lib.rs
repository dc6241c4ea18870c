//! The algebra of losses.
//!
//! A [`Term`] maps the forward passes of a batch to one loss per example; an [`Objective`] is a
//! weighted sum of terms. Attacks ascend an objective and training descends one, so a defence is a
//! value, `ce(Pass::Clean) + 6.0 * kl()`, and a regulariser is added to either side with `+`.

mod ce;
mod dlr;
mod kl;
mod margin;
mod mart;
mod objective;
mod pairing;
mod passes;
mod select;

pub use ce::{ce, smoothed_ce};
pub use dlr::{dlr, targeted_dlr};
pub use kl::kl;
pub use margin::margin;
pub use mart::{boosted_ce, weighted_kl};
pub use objective::{Objective, Term};
pub use pairing::pairing;
pub use passes::{Clean, Pass, Passes, Stage};
pub use select::{log_softmax, one_hot, select};
