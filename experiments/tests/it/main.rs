//! The binaries as a user meets them, and the rules that the whole source tree keeps.

mod adversity;
mod audit;
mod checkpoints;
mod claims;
mod data;
mod evaluate;
mod help;
mod house_rules;
mod interrupted;
mod locks;
mod options;
mod outcome;
mod page;
mod parity;
mod program;
mod report;
mod runs;
mod stages;
mod states;
mod stored;
mod table;
mod tensorboard;
mod throughput;
mod usage;
