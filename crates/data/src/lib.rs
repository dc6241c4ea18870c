//! Image-classification data as tensors in [0, 1].
//!
//! A [`Source`] finds a data set in a local folder, in the Hugging Face cache or on the Hub, or draws
//! the embedded synthetic one, and gives its [`Splits`]: two [`Dataset`]s of 8-bit images in memory.
//! A [`Batch`] is what leaves this crate: f32 images `(N, C, H, W)`, u32 labels `(N,)` and the
//! examples' positions in the original split, which key every random number drawn for them.

mod augment;
mod batch;
mod classes;
mod dataset;
mod encoded;
mod error;
#[cfg(feature = "hub")]
mod hub;
mod layout;
mod load;
mod name;
mod progress;
mod synthetic;

pub use augment::Augment;
pub use batch::Batch;
pub use dataset::Dataset;
pub use error::Error;
pub use load::{Source, Splits, holds, load};
pub use name::Name;
#[cfg(feature = "hub")]
pub use {hub::repository, load::cached};
