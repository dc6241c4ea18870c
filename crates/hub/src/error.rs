//! What can go wrong with the Hub: one line each, with the place and what to do about it.

/// Why files of the Hub could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client could not be set up.
    #[error("the Hub's client cannot start ({reason}); check the HF_* variables")]
    Client {
        /// Why.
        reason: String,
    },
    /// Neither the cache nor the Hub gave the files.
    #[error("{repository} at {revision} cannot be had from the Hub ({reason}); connect to the network")]
    Unreachable {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
        /// Why.
        reason: String,
    },
}
