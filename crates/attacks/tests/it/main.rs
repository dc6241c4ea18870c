//! The attacks from outside: golden values of published code, and how they must behave.

mod autoattack;
mod ball;
mod behaviour;
mod early_stopped;
mod evaluation;
mod fab;
mod first;
mod golden;
mod masking;
mod names;
mod noise;
mod parity;
mod parity_apgd;
mod parity_ops;
mod randomised;
mod setting;
mod square;
mod strength;
