//! Tests of the classifiers and their checkpoints.

mod architectures;
mod checkpoint;
mod golden;
mod parity;
mod views;
