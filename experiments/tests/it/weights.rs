//! Weights on the Hub.
