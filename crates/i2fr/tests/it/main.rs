//! The regulariser from outside: golden values, running means, options.

#[path = "../../../models/tests/it/golden.rs"]
mod golden;
mod loops;
mod network;
mod options;
mod rows;
mod running_means;
mod terms;
