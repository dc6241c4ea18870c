//! Tests of the classifiers and their checkpoints.

mod checkpoint;
