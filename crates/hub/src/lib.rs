//! Files of the Hugging Face Hub: its cache first, then a download that is resumed, retried and verified.
//!
//! `hf-hub` knows the endpoint, the cache's place, the revisions and the listings. It hides what resuming needs
//! (whether a range was honoured, `Retry-After`, the checksum of a large file) and begins every download anew, so
//! the bytes themselves come through `reqwest`, over plain HTTP: the Hub serves files of its Xet storage that way
//! too. The cache is laid out as the Hub's own libraries do (`blobs`, `snapshots`, `refs`, one lock a blob), so
//! Python finds what is downloaded here, and the other way round.

mod cache;
mod checksum;
mod download;
mod error;
mod hub;
mod listing;
mod patience;
mod progress;
mod record;
mod remote;
mod repository;
mod visit;

pub use error::Error;
pub use hub::Hub;
pub use patience::Patience;
pub use repository::{Kind, Repository};
