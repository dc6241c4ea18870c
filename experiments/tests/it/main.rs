//! The binaries as a user meets them, and the rules that the whole source tree keeps.

mod adversity;
mod audit;
mod checkpoints;
mod data;
mod evaluate;
mod features;
mod figure1;
mod generation;
mod help;
mod house_rules;
mod interrupted;
mod locks;
mod options;
mod outcome;
mod page;
mod parity;
mod program;
mod runs;
mod stages;
mod states;
mod stored;
mod table;
mod table4;
mod tensorboard;
mod throughput;
mod usage;
