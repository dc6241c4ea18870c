//! Tests of the classifiers and their checkpoints.

mod architectures;
mod checkpoint;
mod golden;
mod heads;
mod parity;
mod published;
mod views;
