//! What the binaries share: the command line, runs and their folders, evaluations, tables.
//!
//! This is the only crate that reads arguments, prints, or writes results.

pub mod across;
pub mod adversarial;
mod ahead;
pub mod arsenal;
pub mod audit;
pub mod claims;
pub mod cli;
pub mod config;
pub mod datasets;
mod drawing;
pub mod evaluation;
pub mod export;
pub mod features;
pub mod figures;
pub mod files;
pub mod findings;
pub mod generation;
pub mod grid;
pub mod interrupt;
pub mod lock;
mod machine;
pub mod network;
pub mod page;
pub mod pictures;
mod process;
pub mod profile;
mod progress;
pub mod provenance;
pub mod report;
pub mod run;
pub mod score;
pub mod show;
pub mod tensorboard;
pub mod verdicts;

/// Faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use process::{Usage, main, print, print_line};
