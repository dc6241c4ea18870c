//! Training methods from outside: against golden values and by their algebra.

mod average;
mod awp;
mod epochs;
mod games;
#[path = "../../../models/tests/it/golden.rs"]
#[expect(dead_code, reason = "gradients and images are for the tests of losses and networks")]
mod golden;
mod gradients;
mod passes;
mod trainer;
