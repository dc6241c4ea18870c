//! Loading, splitting and batching, on files written here and on the real data in `I2FR_DATA`.

mod binary;
mod dataset;
mod files;
mod idx;
mod independent;
mod originals;
mod parquet;
mod real;
mod synthetic;
