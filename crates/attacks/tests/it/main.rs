//! The attacks from outside: golden values of published code, and how they must behave.

mod ball;
mod behaviour;
mod evaluation;
mod golden;
mod names;
mod parity;
mod parity_apgd;
mod parity_ops;
mod setting;
mod strength;
