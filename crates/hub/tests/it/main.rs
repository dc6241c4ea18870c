//! Snapshots and files from a Hub on loopback, kind and unkind.

mod cache;
mod downloads;
mod faults;
mod place;
mod refusals;
