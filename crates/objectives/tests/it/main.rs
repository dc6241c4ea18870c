//! The losses from outside: against golden values and by their algebra.

mod fixtures;
mod losses;
mod ops;
