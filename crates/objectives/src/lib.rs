//! The algebra of losses.
//!
//! A [`Term`] maps the forward passes of a batch to one loss per example; an [`Objective`] is a
//! weighted sum of terms. Attacks ascend an objective and training descends one, so a defence is a
//! value, `ce(Pass::Clean) + 6.0 * kl()`, and a regulariser is added to either side with `+`.

mod adr;
mod ce;
mod dlr;
mod feature_scattering;
mod he;
mod hinged_margin;
mod kl;
mod margin;
mod mart;
mod match_features;
mod objective;
mod pairing;
mod passes;
mod pcl;
mod rows;
mod scaled_ce;
mod select;
mod tla;

pub use adr::{adr, confidence, global_compactness, global_smoothness, local_compactness, local_smoothness};
pub use ce::{ce, smoothed_ce};
pub use dlr::{dlr, targeted_dlr};
pub use feature_scattering::{cosine_costs, spread_ce, transport, transport_plan};
pub use he::margin_ce;
pub use hinged_margin::{hinged_lead, hinged_margin};
pub use kernels::log_softmax;
pub use kl::{kl, scaled_kl};
pub use margin::margin;
pub use mart::{boosted_ce, weighted_kl};
pub use match_features::match_features;
pub use models::normalized;
pub use objective::{Objective, Term};
pub use pairing::pairing;
pub use passes::{Clean, Pass, Passes, Stage};
pub use pcl::{Centers, contrastive, proximity};
pub use rows::cosines;
pub use scaled_ce::scaled_ce;
pub use select::{one_hot, select};
pub use tla::{Negative, Positive, angular_distance, negative_scores, triplet};
