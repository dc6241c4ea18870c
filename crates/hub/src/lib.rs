//! Files of the Hugging Face Hub: its cache first, then a download that is resumed, retried and verified.

mod error;
mod repository;
mod snapshot;

pub use error::Error;
pub use repository::{Kind, Repository};
pub use snapshot::Hub;
