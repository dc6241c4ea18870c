//! The losses from outside: against golden values and by their algebra.

mod algebra;
mod comparators;
mod directions;
#[path = "../../../models/tests/it/golden.rs"]
#[expect(dead_code, reason = "images are for the tests of networks")]
mod golden;
mod losses;
mod ops;
