//! Training methods from outside: against golden values and by their algebra.

mod awp;
#[path = "../../../models/tests/it/golden.rs"]
#[expect(dead_code, reason = "cases and images are for the tests of losses and networks")]
mod golden;
mod passes;
mod trainer;
